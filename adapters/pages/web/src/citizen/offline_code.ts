/**
 * Class D codes: made by this page alone, checked by a terminal alone (docs/codes.md).
 *
 * Pure but for the signature, which the caller brings.
 */

import { encode45 } from "../verifier/base45.ts";
import type { Authorisation } from "./authorisation.ts";

export const PHONE_OFFLINE = 0x20;
const U24_MAX = 0xff_ff_ff;
const TAG = new TextEncoder().encode("CC1-D");

/** Signs `message` with the key of the device; raw 64 bytes. */
export type Sign = (message: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;

export interface Dynamic {
  /** When it is made, Unix seconds by the corrected clock. */
  readonly madeAtS: number;
  /** Strictly rising for each device key. */
  readonly counter: number;
  /** Four bytes; zeros where the page was told no place. */
  readonly context?: Uint8Array;
  readonly flags: number;
}

/** The authorisation does not cover this instant, or its counter is spent. */
export class AuthorisationSpentError extends Error {
  override readonly name = "AuthorisationSpentError";
}

/** The text of a code for a QR symbol. Throws `AuthorisationSpentError`. */
export async function offlineCode(
  authorisation: Authorisation,
  dynamic: Dynamic,
  sign: Sign,
): Promise<string> {
  const afterS = dynamic.madeAtS - authorisation.authorisedAtS;
  if (afterS < 0 || afterS > authorisation.validityMin * 60 || dynamic.counter > U24_MAX) {
    throw new AuthorisationSpentError();
  }
  const signed = joined(
    authorisation.bytes,
    u24(afterS),
    u24(dynamic.counter),
    dynamic.context ?? new Uint8Array(4),
    Uint8Array.of(dynamic.flags),
  );
  return `M1:${encode45(joined(signed, await sign(joined(TAG, signed))))}`;
}

function u24(value: number): Uint8Array {
  return Uint8Array.of(value >> 16, value >> 8, value);
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
