/**
 * The key of this browser: made in WebCrypto, never exportable, good for signing only.
 *
 * P-256 by default, because every browser has it and terminals verify it fastest; Ed25519 where a
 * browser refuses P-256.
 */

import type { Sign } from "./offline_code.ts";
import type { Device } from "./store.ts";

const UNCOMPRESSED_SIZE = 65;
const PARAMETERS = {
  "P-256": { name: "ECDSA", namedCurve: "P-256" },
  Ed25519: { name: "Ed25519" },
} as const;

export async function makeDevice(subtle: SubtleCrypto): Promise<Device> {
  try {
    return await made(subtle, "P-256");
  } catch (fault) {
    if (!(fault instanceof DOMException) || fault.name !== "NotSupportedError") throw fault;
    return made(subtle, "Ed25519");
  }
}

export async function made(subtle: SubtleCrypto, algorithm: Device["algorithm"]): Promise<Device> {
  const pair = (await subtle.generateKey(PARAMETERS[algorithm], false, [
    "sign",
    "verify",
  ])) as CryptoKeyPair;
  const raw = new Uint8Array(await subtle.exportKey("raw", pair.publicKey));
  return {
    algorithm,
    privateKey: pair.privateKey,
    publicKey: algorithm === "P-256" ? compressed(raw) : raw,
  };
}

/** Signs with the device's key: r then s for P-256, as in RFC 8032 for Ed25519. */
export function signer(subtle: SubtleCrypto, device: Device): Sign {
  const how =
    device.algorithm === "P-256" ? { name: "ECDSA", hash: "SHA-256" } : { name: "Ed25519" };
  return async (message) => new Uint8Array(await subtle.sign(how, device.privateKey, message));
}

/** The suite byte of its codes: the city's issuer signs with Ed25519. */
export function suiteOf(device: Device): "0x13" | "0x11" {
  return device.algorithm === "P-256" ? "0x13" : "0x11";
}

/** A P-256 point in 33 bytes (SEC 1, section 2.3.3). */
export function compressed(point: Uint8Array): Uint8Array {
  if (point.length !== UNCOMPRESSED_SIZE || point[0] !== 0x04) {
    throw new RangeError("not an uncompressed point of P-256");
  }
  const odd = (point[UNCOMPRESSED_SIZE - 1] ?? 0) & 1;
  return Uint8Array.of(2 + odd, ...point.subarray(1, 33));
}
