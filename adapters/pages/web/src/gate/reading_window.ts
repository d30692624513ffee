/**
 * Which part of the camera's picture is read. Pure.
 *
 * A reader takes time by the pixel. A phone held close fills the picture, which may be made small; one
 * held 30 cm away is small itself and needs every pixel the camera has. So frames take turns: the whole
 * picture made small, then its middle, once as it is and once nearer and enlarged: where cracks
 * cross a symbol of three pixels a module a reader finds in one what it cannot find in the other.
 */

export const WIDTH = 640;
const ENLARGED = 1.5;

/** A part of the camera's picture, and the size at which it is read, in pixels. */
export interface ReadingWindow {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly readWidth: number;
  readonly readHeight: number;
}

/** The window of one frame; `frameNo` counts up. */
export function readingWindow(
  frameNo: number,
  videoWidth: number,
  videoHeight: number,
): ReadingWindow {
  if (videoWidth <= WIDTH || frameNo % 2 === 0) {
    const readWidth = Math.min(WIDTH, videoWidth);
    const readHeight = Math.round((readWidth * videoHeight) / videoWidth);
    return { x: 0, y: 0, width: videoWidth, height: videoHeight, readWidth, readHeight };
  }
  const readHeight = Math.min(WIDTH, videoHeight);
  const larger = frameNo % 4 === 3 ? ENLARGED : 1;
  const width = Math.round(WIDTH / larger);
  const height = Math.round(readHeight / larger);
  const x = Math.round((videoWidth - width) / 2);
  const y = Math.round((videoHeight - height) / 2);
  return { x, y, width, height, readWidth: WIDTH, readHeight };
}
