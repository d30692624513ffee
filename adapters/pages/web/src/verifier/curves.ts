/**
 * Points of the two curves with cofactor 1 and a = p - 3 that codes use: P-256 (FIPS 186-5) and SM2
 * (GB/T 32918.5). Only public data passes through here, so nothing needs to take constant time.
 */

import { type Bytes, bigInt, bigIntBytes, concat } from "./bytes.ts";

export const POINT_SIZE = 33;
const COORDINATE_SIZE = 32;

/** A curve y² = x³ - 3x + b over p, with base point and order n. */
export interface Curve {
  readonly p: bigint;
  readonly b: bigint;
  readonly n: bigint;
  readonly base: Point;
}

/** An affine point; never the point at infinity. */
export interface Point {
  readonly x: bigint;
  readonly y: bigint;
}

interface Jacobian {
  readonly x: bigint;
  readonly y: bigint;
  readonly z: bigint;
}

export const P256: Curve = {
  p: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
  b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  base: {
    x: 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
    y: 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
  },
};

export const SM2: Curve = {
  p: 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn,
  b: 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n,
  n: 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n,
  base: {
    x: 0x32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7n,
    y: 0xbc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0n,
  },
};

/** The bytes are not a point in its one accepted form. */
export class PointError extends Error {
  override readonly name = "PointError";
}

/** A compressed point of 33 bytes. Throws `PointError` when it is off the curve or not canonical. */
export function decompress(curve: Curve, raw: Bytes): Point {
  const sign = raw[0];
  if (raw.length !== POINT_SIZE || (sign !== 2 && sign !== 3))
    throw new PointError("not compressed");
  const x = bigInt(raw.slice(1));
  if (x >= curve.p) throw new PointError("x is not below the prime");
  const square = mod(x * x * x - 3n * x + curve.b, curve.p);
  // Both primes are 3 modulo 4, where a root is a power.
  const root = power(square, (curve.p + 1n) / 4n, curve.p);
  if (mod(root * root, curve.p) !== square) throw new PointError("not on the curve");
  return { x, y: (root & 1n) === BigInt(sign & 1) ? root : curve.p - root };
}

/** 0x04, x, y: 65 bytes. */
export function uncompressed(point: Point): Bytes {
  return concat(Uint8Array.of(4), coordinate(point.x), coordinate(point.y));
}

/** A coordinate in 32 bytes. */
export function coordinate(value: bigint): Bytes {
  return bigIntBytes(value, COORDINATE_SIZE);
}

/** The compressed form of 0x04, x, y. */
export function compressed(raw: Bytes): Bytes {
  return concat(Uint8Array.of(2 + ((raw[raw.length - 1] ?? 0) & 1)), raw.slice(1, POINT_SIZE));
}

/** x of `s` times the base point plus `t` times `point`; null at infinity. */
export function combinedX(curve: Curve, s: bigint, t: bigint, point: Point): bigint | null {
  const both = add(curve, lifted(curve.base), point);
  let sum: Jacobian = INFINITY;
  for (let bit = 255n; bit >= 0n; bit -= 1n) {
    sum = double(curve, sum);
    const inS = (s >> bit) & 1n;
    const inT = (t >> bit) & 1n;
    // The sum of both is kept in Jacobian form: one general addition costs less than an inverse.
    if (inS && inT) sum = addGeneral(curve, sum, both);
    else if (inS) sum = add(curve, sum, curve.base);
    else if (inT) sum = add(curve, sum, point);
  }
  if (sum.z === 0n) return null;
  const inverse = power(sum.z, curve.p - 2n, curve.p);
  return mod(sum.x * inverse * inverse, curve.p);
}

const INFINITY: Jacobian = { x: 1n, y: 1n, z: 0n };

function lifted(point: Point): Jacobian {
  return { ...point, z: 1n };
}

function double(curve: Curve, point: Jacobian): Jacobian {
  if (point.z === 0n) return point;
  const { p } = curve;
  const delta = (point.z * point.z) % p;
  const gamma = (point.y * point.y) % p;
  const beta = (point.x * gamma) % p;
  const alpha = (3n * (point.x - delta) * (point.x + delta)) % p;
  const x = mod(alpha * alpha - 8n * beta, p);
  const z = mod((point.y + point.z) ** 2n - gamma - delta, p);
  return { x, y: mod(alpha * (4n * beta - x) - 8n * gamma * gamma, p), z };
}

function add(curve: Curve, left: Jacobian, right: Point): Jacobian {
  return addGeneral(curve, left, lifted(right));
}

function addGeneral(curve: Curve, left: Jacobian, right: Jacobian): Jacobian {
  if (left.z === 0n) return right;
  if (right.z === 0n) return left;
  const { p } = curve;
  const leftZ2 = (left.z * left.z) % p;
  const rightZ2 = (right.z * right.z) % p;
  const u1 = (left.x * rightZ2) % p;
  const s1 = (((left.y * rightZ2) % p) * right.z) % p;
  const h = mod(right.x * leftZ2 - u1, p);
  const r = mod(((right.y * leftZ2) % p) * left.z - s1, p);
  if (h === 0n) return r === 0n ? double(curve, left) : INFINITY;
  const h2 = (h * h) % p;
  const h3 = (h2 * h) % p;
  const v = (u1 * h2) % p;
  const x = mod(r * r - h3 - 2n * v, p);
  return { x, y: mod(r * (v - x) - s1 * h3, p), z: (((left.z * right.z) % p) * h) % p };
}

/** The least non-negative residue. */
export function mod(value: bigint, modulus: bigint): bigint {
  const residue = value % modulus;
  return residue < 0n ? residue + modulus : residue;
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base;
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}
