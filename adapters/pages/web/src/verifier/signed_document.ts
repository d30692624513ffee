/**
 * What the issuer signs for terminals besides codes: status lists and packages. All begin with type,
 * suite, issuer id and key id and end with a raw signature over a tag and all bytes before it.
 */

import { type Bytes, concat, Reader, utf8 } from "./bytes.ts";
import { SIGNATURE_SIZE, TAG } from "./fields.ts";
import { isCurrent, type KeyRing, type KeyUse } from "./key_ring.ts";
import { DocumentRefusal, documentMalformed } from "./refusal.ts";
import { SuiteUnsupportedError } from "./suites.ts";

export const DOCUMENT_TYPE = {
  statusList: 0x14,
  statusDelta: 0x15,
  terminalPackage: 0x17,
} as const;
export type DocumentType = (typeof DOCUMENT_TYPE)[keyof typeof DOCUMENT_TYPE];
const HEAD_SIZE = 5;

interface Meaning {
  readonly tag: string;
  readonly use: KeyUse;
}

const MEANING: ReadonlyMap<number, Meaning> = new Map([
  [DOCUMENT_TYPE.statusList, { tag: TAG.list, use: "lists" }],
  [DOCUMENT_TYPE.statusDelta, { tag: TAG.list, use: "lists" }],
  [DOCUMENT_TYPE.terminalPackage, { tag: TAG.package, use: "packages" }],
]);

/** A document whose signature holds. */
export interface Unsealed {
  readonly type: number;
  readonly issuerId: number;
  readonly body: Bytes;
}

/** Check the signature. Throws `DocumentRefusal`. */
export async function unseal(data: Bytes, ring: KeyRing, nowS: number): Promise<Unsealed> {
  const meaning = MEANING.get(data[0] ?? 0);
  if (meaning === undefined) throw documentMalformed("unknown type of document");
  if (data.length < HEAD_SIZE + SIGNATURE_SIZE) throw documentMalformed("too short");
  const reader = new Reader(data);
  const type = reader.u8();
  const suite = reader.u8();
  const issuerId = reader.u16();
  const key = ring.get(issuerId, reader.u8());
  if (key === undefined || !isCurrent(key, nowS)) throw forged("key unknown or not current");
  if (!key.uses.has(meaning.use) || suite !== key.key.algorithm << 4)
    throw forged("key is not for this");
  const signed = data.slice(0, -SIGNATURE_SIZE);
  const message = concat(utf8(meaning.tag), signed);
  if (!(await holds(() => key.key.fits(data.slice(-SIGNATURE_SIZE), message))))
    throw forged("signature");
  return { type, issuerId, body: signed.slice(HEAD_SIZE) };
}

async function holds(fits: () => Promise<boolean>): Promise<boolean> {
  try {
    return await fits();
  } catch (error) {
    if (!(error instanceof SuiteUnsupportedError)) throw error;
    throw new DocumentRefusal("document_suite_unsupported", error.message);
  }
}

function forged(detail: string): DocumentRefusal {
  return new DocumentRefusal("document_forged", detail);
}

/**
 * At most `sizeMax` bytes out of a zlib stream, which must end where `compressed` ends.
 *
 * Bounded: a stream that holds more is refused before it is unpacked. Throws `DocumentRefusal`.
 */
export async function inflate(compressed: Bytes, sizeMax: number): Promise<Bytes> {
  const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = stream.getReader();
  const parts: Bytes[] = [];
  let size = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      size += part.value.length;
      if (size > sizeMax) break;
      parts.push(new Uint8Array(part.value));
    }
  } catch (error) {
    throw documentMalformed(`zlib: ${error instanceof Error ? error.message : "broken"}`);
  }
  if (size > sizeMax) {
    await reader.cancel();
    throw documentMalformed("zlib stream holds more than it says");
  }
  return concat(...parts);
}

/** As `inflate`, of exactly `size` bytes. */
export async function inflateExactly(compressed: Bytes, size: number): Promise<Bytes> {
  const data = await inflate(compressed, size);
  if (data.length !== size) throw documentMalformed("zlib stream has another size");
  return data;
}
