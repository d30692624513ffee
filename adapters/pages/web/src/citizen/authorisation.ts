/** What stands in an authorisation: the fixed part of a class D code (docs/codes.md). Pure. */

export interface Authorisation {
  readonly bytes: Uint8Array;
  readonly authorisedAtS: number;
  readonly validityMin: number;
  readonly dynamicTtlS: number;
  readonly deviceKey: Uint8Array;
}

const DEVICE_KEY_AT = 32;
const SIGNATURE_SIZE = 64;
const SIZES = [DEVICE_KEY_AT + 32 + SIGNATURE_SIZE, DEVICE_KEY_AT + 33 + SIGNATURE_SIZE];

/** The bytes are no authorisation. */
export class AuthorisationMalformedError extends Error {
  override readonly name = "AuthorisationMalformedError";
}

/** Reads what the page must know of it; the terminals judge the rest. */
export function readAuthorisation(bytes: Uint8Array): Authorisation {
  if (!SIZES.includes(bytes.length) || bytes[0] !== 0x12) {
    throw new AuthorisationMalformedError();
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    bytes,
    authorisedAtS: view.getUint32(20),
    validityMin: view.getUint16(24),
    dynamicTtlS: view.getUint8(31),
    deviceKey: bytes.slice(DEVICE_KEY_AT, bytes.length - SIGNATURE_SIZE),
  };
}

/** Until when codes may be made from it, Unix milliseconds. */
export function endsAtMs(authorisation: Authorisation): number {
  return (authorisation.authorisedAtS + authorisation.validityMin * 60) * 1000;
}
