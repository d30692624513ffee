/**
 * Reading one QR symbol out of one picture: by the browser's own detector where it has one, else by
 * ZXing compiled to WebAssembly and served from our own origin.
 */

import { prepareZXingModule, readBarcodes } from "zxing-wasm/reader";
import reader from "zxing-wasm/reader/zxing_reader.wasm";

/** The text of the symbol in a picture, null where none can be read. */
export type QrReader = (picture: ImageData) => Promise<string | null>;

interface Detector {
  detect(picture: ImageData): Promise<readonly { readonly rawValue: string }[]>;
}

interface DetectorClass {
  new (options: { readonly formats: readonly string[] }): Detector;
  getSupportedFormats(): Promise<readonly string[]>;
}

/** The quickest reader this browser has. */
export async function openQrReader(): Promise<QrReader> {
  const native = (globalThis as { readonly BarcodeDetector?: DetectorClass }).BarcodeDetector;
  if (native !== undefined && (await native.getSupportedFormats()).includes("qr_code")) {
    const detector = new native({ formats: ["qr_code"] });
    return async (picture) => (await detector.detect(picture))[0]?.rawValue ?? null;
  }
  await prepareZXingModule({ overrides: { locateFile: () => reader }, fireImmediately: true });
  return async (picture) => {
    const found = await readBarcodes(picture, { formats: ["QRCode"], maxNumberOfSymbols: 1 });
    return found.find((one) => one.isValid)?.text ?? null;
  };
}
