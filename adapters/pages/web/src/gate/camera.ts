/**
 * The camera as a source of scans. Frames are read one after another, as fast as the reader takes them.
 * A symbol that stays before the camera is one scan: it counts anew once it was away for a while.
 */

import type { QrReader } from "./qr_reader.ts";

const AWAY_MS = 1_500;
const WIDTH = 640;
const RATE_OVER_MS = 1_000;

/** Why there are no pictures: stable names. */
export type CameraFault = "camera_refused" | "camera_missing" | "camera_failed";

export interface CameraParts {
  readonly video: HTMLVideoElement;
  readonly read: QrReader;
  /** A symbol came before the camera. `seenAtMs`: when its frame was taken, `performance.now()`. */
  readonly onScan: (text: string, seenAtMs: number) => void;
  readonly onFrameRate: (framesPerS: number) => void;
}

/** Reads until stopped. */
export class Camera {
  readonly #canvas = document.createElement("canvas");
  #stream: MediaStream | null = null;
  #before = { text: "", atMs: Number.NEGATIVE_INFINITY };
  #frames = 0;
  #ratedAtMs = 0;

  constructor(private readonly parts: CameraParts) {}

  /** Ask for the camera and begin; null when it runs. */
  async start(): Promise<CameraFault | null> {
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } },
      });
    } catch (error) {
      return faultOf(error);
    }
    const { video } = this.parts;
    video.srcObject = this.#stream;
    await video.play();
    this.#ratedAtMs = performance.now();
    void this.#watch();
    return null;
  }

  stop(): void {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
  }

  async #watch(): Promise<void> {
    while (this.#stream !== null) {
      await nextFrame(this.parts.video);
      const seenAtMs = performance.now();
      const text = await this.#read();
      this.#rate();
      if (text !== null) this.#seen(text, seenAtMs);
    }
  }

  #read(): Promise<string | null> {
    const { video } = this.parts;
    const height = Math.round((WIDTH * video.videoHeight) / video.videoWidth);
    this.#canvas.width = WIDTH;
    this.#canvas.height = height;
    const context = this.#canvas.getContext("2d", { willReadFrequently: true });
    if (context === null) return Promise.resolve(null);
    context.drawImage(video, 0, 0, WIDTH, height);
    return this.parts.read(context.getImageData(0, 0, WIDTH, height));
  }

  #seen(text: string, atMs: number): void {
    const { text: before, atMs: beforeMs } = this.#before;
    this.#before = { text, atMs };
    if (text === before && atMs - beforeMs < AWAY_MS) return;
    this.parts.onScan(text, atMs);
  }

  #rate(): void {
    this.#frames += 1;
    const overMs = performance.now() - this.#ratedAtMs;
    if (overMs < RATE_OVER_MS) return;
    this.parts.onFrameRate((1000 * this.#frames) / overMs);
    this.#frames = 0;
    this.#ratedAtMs = performance.now();
  }
}

/** The next picture of the video; a browser without the event is asked at each repaint. */
function nextFrame(video: HTMLVideoElement): Promise<void> {
  return new Promise((resolve) => {
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(() => resolve());
    else requestAnimationFrame(() => resolve());
  });
}

function faultOf(error: unknown): CameraFault {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "camera_refused";
  return name === "NotFoundError" ? "camera_missing" : "camera_failed";
}
