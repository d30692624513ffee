/**
 * From the text of a code to its facts: form alone, no key, no clock. What a class lacks is 0 or null.
 * Tables: `docs/codes.md`.
 */

import { Base45Error, decode45 } from "./base45.ts";
import { type Bytes, hex, Reader, sameBytes } from "./bytes.ts";
import {
  D_HEAD_SIZE,
  DYNAMIC_SIZE,
  DYNAMIC_TTL_MAX_S,
  DYNAMIC_TTL_MIN_S,
  PURPOSE,
  PURPOSE_MASK,
  SCOPE_KNOWN_MAX,
  SIGNATURE_SIZE,
  TTL_PAY_UNBOUND_MAX_S,
  VALIDITY_MAX_MIN,
} from "./fields.ts";
import { malformed } from "./refusal.ts";

export const TEXT_PREFIX = "M1:";
const TEXT_SIZE_MAX = 309;
const S_SIZE = 104;
const P_SIZE = 94;
const MINUTE_S = 60;
const DAY_S = 86_400;
const RESERVED_FLAG = 0x10;
const FLAGS_OF_P = 0xe0;
const CONTEXT_NONE: Bytes = new Uint8Array(4);
const ISSUER_ONLY_SUITES: ReadonlySet<number> = new Set([0x10, 0x20, 0x30]);
const DEVICE_KEY_SIZE: ReadonlyMap<number, number> = new Map([
  [0x11, 32],
  [0x13, 33],
  [0x22, 33],
  [0x23, 33],
  [0x33, 33],
]);

export type CodeClass = "S" | "D" | "P";

/** Facts of one code whose form is right and whose signatures nobody has checked. Instants: Unix s. */
export interface Presented {
  readonly codeClass: CodeClass;
  readonly suite: number;
  readonly issuerId: number;
  readonly kid: number;
  readonly token: Bytes;
  readonly scope: number;
  readonly tariffClass: number;
  readonly purpose: number;
  readonly capFenTens: number;
  readonly authorisedAtS: number;
  readonly madeAtS: number;
  /** End of this code; gets the clock tolerance. */
  readonly expiresAtS: number;
  /** End of a class D authorisation; gets none. */
  readonly endsAtS: number;
  readonly domain: number;
  readonly context: Bytes;
  readonly flags: number;
  readonly statusIndex: number | null;
  readonly cumulativeCapFenTens: number;
  readonly usesMax: number;
  /** What makes two presentations the same code: class, issuer, then jti, or token and counter. */
  readonly identity: string;
  readonly counter: number | null;
}

/** Is this code bound to no place? */
export function isUnbound(context: Bytes): boolean {
  return sameBytes(context, CONTEXT_NONE);
}

/** The bytes in `text`, at most 204. Throws `CodeRefusal`. */
export function decodeText(text: string): Bytes {
  if (text.length > TEXT_SIZE_MAX) throw malformed("text too long");
  if (!text.startsWith(TEXT_PREFIX)) throw malformed("unknown prefix");
  try {
    return decode45(text.slice(TEXT_PREFIX.length));
  } catch (error) {
    if (error instanceof Base45Error) throw malformed(`base45: ${error.message}`);
    throw error;
  }
}

/** The facts in `data`. Throws `CodeRefusal` for anything that is not a code in its one form. */
export function present(data: Bytes): Presented {
  switch (data[0]) {
    case 0x11:
      return presentS(data);
    case 0x12:
      return presentD(data);
    case 0x13:
      return presentP(data);
    default:
      throw malformed("unknown version or class");
  }
}

interface Head {
  readonly suite: number;
  readonly issuerId: number;
  readonly kid: number;
  readonly token: Bytes;
}

/** The fields every class begins with. */
function readHead(reader: Reader): Head {
  reader.u8();
  return { suite: reader.u8(), issuerId: reader.u16(), kid: reader.u8(), token: reader.bytes(8) };
}

interface Rights {
  readonly scope: number;
  readonly tariffClass: number;
  readonly purpose: number;
}

function readRights(reader: Reader): Rights {
  const scope = reader.u16();
  if (scope > SCOPE_KNOWN_MAX) throw malformed("reserved scope bit");
  const byte = reader.u8();
  return { scope, tariffClass: byte >> 3, purpose: byte & PURPOSE_MASK };
}

function issuerHex(head: Head): string {
  return head.issuerId.toString(16).padStart(4, "0");
}

function presentS(data: Bytes): Presented {
  if (data.length !== S_SIZE) throw malformed("wrong length for class S");
  const reader = new Reader(data);
  const head = readHead(reader);
  const rights = readRights(reader);
  const issuedAtS = reader.u32();
  const ttlS = reader.u16();
  const capFenTens = reader.u16();
  const domain = reader.u16();
  const jti = reader.bytes(8);
  const context = reader.bytes(4);
  const flags = reader.u8();
  if (reader.u8() !== 0) throw malformed("reserved byte");
  if (!ISSUER_ONLY_SUITES.has(head.suite)) throw malformed("suite not legal for class S");
  if (flags & RESERVED_FLAG) throw malformed("reserved flag");
  if (ttlS === 0) throw malformed("time to live is zero");
  const pays = (rights.purpose & PURPOSE.pay) !== 0;
  if (ttlS > TTL_PAY_UNBOUND_MAX_S && pays && isUnbound(context)) {
    throw malformed("a paying code without context lives at most 30 s");
  }
  return {
    codeClass: "S",
    ...head,
    ...rights,
    capFenTens,
    authorisedAtS: issuedAtS,
    madeAtS: issuedAtS,
    expiresAtS: issuedAtS + ttlS,
    endsAtS: Number.POSITIVE_INFINITY,
    domain,
    context,
    flags,
    statusIndex: null,
    cumulativeCapFenTens: 0,
    usesMax: 0,
    identity: `S${issuerHex(head)}${hex(jti)}`,
    counter: null,
  };
}

function presentD(data: Bytes): Presented {
  const keySize = DEVICE_KEY_SIZE.get(data[1] ?? 0);
  if (keySize === undefined || data.length !== sizeOfD(keySize)) {
    throw malformed("suite not legal for class D, or wrong length");
  }
  const reader = new Reader(data);
  const head = readHead(reader);
  const statusIndex = reader.u32();
  const rights = readRights(reader);
  const authorisedAtS = reader.u32();
  const validityMin = reader.u16();
  const capFenTens = reader.u16();
  const cumulativeCapFenTens = reader.u16();
  const usesMax = reader.u8();
  const ttlS = reader.u8();
  if (validityMin === 0 || validityMin > VALIDITY_MAX_MIN) throw malformed("validity out of range");
  if (ttlS < DYNAMIC_TTL_MIN_S || ttlS > DYNAMIC_TTL_MAX_S) throw malformed("life out of range");
  reader.bytes(keySize + SIGNATURE_SIZE);
  const madeAtS = authorisedAtS + reader.u24();
  const counter = reader.u24();
  const context = reader.bytes(4);
  const flags = reader.u8();
  if (flags & RESERVED_FLAG) throw malformed("reserved flag");
  const counterHex = counter.toString(16).padStart(6, "0");
  return {
    codeClass: "D",
    ...head,
    ...rights,
    capFenTens,
    authorisedAtS,
    madeAtS,
    expiresAtS: madeAtS + ttlS,
    endsAtS: authorisedAtS + MINUTE_S * validityMin,
    domain: 0,
    context,
    flags,
    statusIndex,
    cumulativeCapFenTens,
    usesMax,
    identity: `D${issuerHex(head)}${hex(head.token)}${counterHex}`,
    counter,
  };
}

function sizeOfD(keySize: number): number {
  return D_HEAD_SIZE + keySize + SIGNATURE_SIZE + DYNAMIC_SIZE;
}

function presentP(data: Bytes): Presented {
  if (data.length !== P_SIZE) throw malformed("wrong length for class P");
  const reader = new Reader(data);
  const head = readHead(reader);
  const statusIndex = reader.u32();
  const rights = readRights(reader);
  const issuedAtS = reader.u32();
  const validityDays = reader.u16();
  const capFenTens = reader.u16();
  const flags = reader.u8();
  if (reader.u8() !== 0) throw malformed("reserved byte");
  if (!ISSUER_ONLY_SUITES.has(head.suite)) throw malformed("suite not legal for class P");
  if (validityDays === 0) throw malformed("validity out of range");
  if (flags & ~FLAGS_OF_P) throw malformed("reserved flag");
  return {
    codeClass: "P",
    ...head,
    ...rights,
    capFenTens,
    authorisedAtS: issuedAtS,
    madeAtS: issuedAtS,
    expiresAtS: issuedAtS + DAY_S * validityDays,
    endsAtS: Number.POSITIVE_INFINITY,
    domain: 0,
    context: CONTEXT_NONE,
    flags,
    statusIndex,
    cumulativeCapFenTens: 0,
    usesMax: 0,
    identity: `P${issuerHex(head)}${hex(head.token)}`,
    counter: null,
  };
}
