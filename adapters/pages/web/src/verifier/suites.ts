/**
 * Signature algorithms: Ed25519 (RFC 8032) and P-256 with SHA-256 by WebCrypto, SM2 with SM3
 * (GB/T 32918.2, user id `1234567812345678`) by own arithmetic, since no browser has it. Signatures
 * are raw 64 bytes, elliptic points compressed; a key or signature has one accepted form.
 */

import { type Bytes, bigInt, bigIntBytes, concat, hex, utf8 } from "./bytes.ts";
import {
  type Curve,
  combinedX,
  coordinate,
  decompress,
  mod,
  P256,
  type Point,
  PointError,
  SM2,
  uncompressed,
} from "./curves.ts";
import { SIGNATURE_SIZE } from "./fields.ts";
import { sm3 } from "./sm3.ts";

/** The nibble in the suite byte. */
export const ALGORITHM = { none: 0, ed25519: 1, sm2: 2, es256: 3 } as const;
export type Algorithm = (typeof ALGORITHM)[keyof typeof ALGORITHM];

const ED25519_SIZE = 32;
const ED25519_PRIME = 2n ** 255n - 19n;
// y of the points whose order divides 8: a signature under such a key, or with such a commitment,
// says nothing about who made it (RFC 8032, 8.9).
const SMALL_ORDER_Y = [
  0n,
  1n,
  ED25519_PRIME - 1n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
] as const;
const SM2_USER_ID = utf8("1234567812345678");

/** The bytes are not a public key of the algorithm in its one accepted form. */
export class KeyFormError extends Error {
  override readonly name = "KeyFormError";
}

/** This browser cannot compute with the algorithm: somebody who can must be asked. */
export class SuiteUnsupportedError extends Error {
  override readonly name = "SuiteUnsupportedError";
}

/** A parsed public key. */
export interface PublicKey {
  readonly algorithm: Algorithm;
  /** Ed25519: 32 bytes; P-256 and SM2: compressed point, 33 bytes. */
  readonly raw: Bytes;
  /** Does the raw 64-byte signature fit? Throws `SuiteUnsupportedError`. */
  fits(signature: Bytes, message: Bytes): Promise<boolean>;
}

/** Parse strictly. Throws `KeyFormError`. */
export function loadPublicKey(algorithm: number, raw: Bytes): PublicKey {
  switch (algorithm) {
    case ALGORITHM.ed25519:
      return new Ed25519Public(raw);
    case ALGORITHM.es256:
      return new P256Public(raw);
    case ALGORITHM.sm2:
      return new SM2Public(raw);
    default:
      throw new KeyFormError("no public key without an algorithm");
  }
}

class Ed25519Public implements PublicKey {
  readonly algorithm = ALGORITHM.ed25519;
  #key: Promise<CryptoKey> | undefined;

  constructor(readonly raw: Bytes) {
    if (raw.length !== ED25519_SIZE) throw new KeyFormError("an Ed25519 key is 32 bytes");
    if (encodedY(raw) >= ED25519_PRIME) throw new KeyFormError("not canonical");
    if (SMALL_ORDER.has(hex(raw))) throw new KeyFormError("small order");
  }

  async fits(signature: Bytes, message: Bytes): Promise<boolean> {
    if (signature.length !== SIGNATURE_SIZE || SMALL_ORDER.has(hex(signature.slice(0, 32)))) {
      return false;
    }
    this.#key ??= importOrRefuse(this.raw, { name: "Ed25519" });
    return crypto.subtle.verify("Ed25519", await this.#key, signature, message);
  }
}

class P256Public implements PublicKey {
  readonly algorithm = ALGORITHM.es256;
  readonly #point: Point;
  #key: Promise<CryptoKey> | undefined;

  constructor(readonly raw: Bytes) {
    this.#point = pointOf(P256, raw);
  }

  async fits(signature: Bytes, message: Bytes): Promise<boolean> {
    if (!inRange(P256, signature)) return false;
    // WebCrypto promises to take uncompressed points only.
    const ecdsa = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    this.#key ??= importOrRefuse(uncompressed(this.#point), ecdsa);
    return crypto.subtle.verify(ecdsa, await this.#key, signature, message);
  }
}

class SM2Public implements PublicKey {
  readonly algorithm = ALGORITHM.sm2;
  readonly #point: Point;
  readonly #identityDigest: Bytes;

  constructor(readonly raw: Bytes) {
    this.#point = pointOf(SM2, raw);
    const numbers = [SM2.p - 3n, SM2.b, SM2.base.x, SM2.base.y, this.#point.x, this.#point.y];
    const bits = bigIntBytes(8n * BigInt(SM2_USER_ID.length), 2);
    this.#identityDigest = sm3(concat(bits, SM2_USER_ID, ...numbers.map(coordinate)));
  }

  fits(signature: Bytes, message: Bytes): Promise<boolean> {
    return Promise.resolve(this.#fits(signature, message));
  }

  #fits(signature: Bytes, message: Bytes): boolean {
    if (!inRange(SM2, signature)) return false;
    const r = bigInt(signature.slice(0, 32));
    const s = bigInt(signature.slice(32));
    const t = mod(r + s, SM2.n);
    if (t === 0n) return false;
    const x = combinedX(SM2, s, t, this.#point);
    const e = bigInt(sm3(concat(this.#identityDigest, message)));
    return x !== null && mod(e + x, SM2.n) === r;
  }
}

function pointOf(curve: Curve, raw: Bytes): Point {
  try {
    return decompress(curve, raw);
  } catch (error) {
    if (error instanceof PointError) throw new KeyFormError(error.message);
    throw error;
  }
}

/** 64 bytes with r and s from 1 to n - 1. */
function inRange(curve: Curve, signature: Bytes): boolean {
  if (signature.length !== SIGNATURE_SIZE) return false;
  const numbers = [bigInt(signature.slice(0, 32)), bigInt(signature.slice(32))];
  return numbers.every((number) => number > 0n && number < curve.n);
}

async function importOrRefuse(
  raw: Bytes,
  algorithm: { readonly name: string; readonly namedCurve?: string },
): Promise<CryptoKey> {
  try {
    return await crypto.subtle.importKey("raw", raw, algorithm, false, ["verify"]);
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotSupportedError") {
      throw new SuiteUnsupportedError(algorithm.name);
    }
    throw error;
  }
}

function encodedY(raw: Bytes): bigint {
  return bigInt(raw.slice().reverse()) & (2n ** 255n - 1n);
}

/** All encodings of the points of small order, canonical or not, with either sign bit. */
function smallOrderEncodings(): ReadonlySet<string> {
  const encodings = new Set<string>();
  for (const y of SMALL_ORDER_Y) {
    for (const value of [y, y + ED25519_PRIME]) {
      if (value >= 2n ** 255n) continue;
      for (const sign of [0n, 2n ** 255n]) {
        encodings.add(hex(bigIntBytes(value | sign, ED25519_SIZE).reverse()));
      }
    }
  }
  return encodings;
}

const SMALL_ORDER = smallOrderEncodings();
