/**
 * The camera as a source of scans. Frames are read one after another, as fast as the reader takes them.
 * A symbol that stays before the camera is one scan; one that nobody could take up is offered again.
 */

import type { QrReader } from "./qr_reader.ts";
import { readingWindow } from "./reading_window.ts";
import { SymbolsInView } from "./symbols_in_view.ts";

const RATE_OVER_MS = 1_000;

/** Why there are no pictures: stable names. */
export type CameraFault = "camera_refused" | "camera_missing" | "camera_failed";

export interface CameraParts {
  readonly video: HTMLVideoElement;
  readonly read: QrReader;
  /**
   * A symbol came before the camera. `seenAtMs`: when its frame was taken, `performance.now()`.
   * False where it could not be taken up now.
   */
  readonly onScan: (text: string, seenAtMs: number) => boolean;
  readonly onFrameRate: (framesPerS: number) => void;
}

/** Reads until stopped. */
export class Camera {
  readonly #canvas = document.createElement("canvas");
  readonly #view = new SymbolsInView();
  #stream: MediaStream | null = null;
  #frames = 0;
  #frameNo = 0;
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

  /** Take up again what is in view: what stood in its way may be gone. */
  again(): void {
    this.#view.forget();
  }

  async #watch(): Promise<void> {
    while (this.#stream !== null) {
      await nextFrame(this.parts.video);
      const seenAtMs = performance.now();
      const text = await this.#read();
      this.#rate();
      const isNew = this.#view.frame(text, seenAtMs);
      if (isNew && text !== null && this.parts.onScan(text, seenAtMs)) {
        this.#view.hold(text, seenAtMs);
      }
    }
  }

  #read(): Promise<string | null> {
    const { video } = this.parts;
    const { x, y, width, height, readWidth, readHeight } = readingWindow(
      this.#frameNo,
      video.videoWidth,
      video.videoHeight,
    );
    this.#frameNo += 1;
    this.#canvas.width = readWidth;
    this.#canvas.height = readHeight;
    const context = this.#canvas.getContext("2d", { willReadFrequently: true });
    if (context === null) return Promise.resolve(null);
    context.drawImage(video, x, y, width, height, 0, 0, readWidth, readHeight);
    return this.parts.read(context.getImageData(0, 0, readWidth, readHeight));
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
