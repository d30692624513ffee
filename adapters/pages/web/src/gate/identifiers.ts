/** Ids that sort by time, as `cardcore/ids.py` makes them. */

import { type Bytes, bigIntBytes, hex } from "../verifier/bytes.ts";

/** A fresh id of 16 bytes: RFC 9562 version 7, its 16 low bits zero. */
export function newId(atMs: number): Bytes {
  const random = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;
  let value = (BigInt(atMs) & 0xffff_ffff_ffffn) << 80n;
  value |= (0x7n << 76n) | ((random & 0xfffn) << 64n);
  value |= (0b10n << 62n) | (((random >> 12n) & 0x3fff_ffff_ffffn) << 16n);
  return bigIntBytes(value, 16);
}

/** An id in the form people and JSON know: 8-4-4-4-12. */
export function idText(id: Bytes): string {
  return hex(id).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
