/**
 * The status list: two bits for each authorisation or printed code, signed, versioned, with deltas.
 * Bits are packed as in IETF Token Status List: index 0 in the lowest two bits of byte 0.
 */

import { type Bytes, Reader, sameBytes, sha256 } from "./bytes.ts";
import type { KeyRing } from "./key_ring.ts";
import { DocumentRefusal, documentMalformed } from "./refusal.ts";
import {
  DOCUMENT_TYPE,
  inflate,
  inflateExactly,
  type Unsealed,
  unseal,
} from "./signed_document.ts";

export const STATUS = { valid: 0, revoked: 1, suspended: 2, askOnline: 3 } as const;
export type Status = (typeof STATUS)[keyof typeof STATUS];
const STATUS_OF_BITS = [STATUS.valid, STATUS.revoked, STATUS.suspended, STATUS.askOnline] as const;

const BITS = 2;
export const ENTRIES_MAX = 2 ** 26;
const CHANGE_SIZE_MAX = 5;

/** What the issuer says about a list. */
export interface StatusHead {
  readonly issuerId: number;
  readonly version: number;
  readonly issuedAtS: number;
  readonly expiresAtS: number;
  readonly ttlS: number;
  readonly entryCount: number;
}

/** The list of one issuer, as acceptance asks it. */
export interface IssuerStatus {
  readonly issuedAtS: number;
  readonly expiresAtS: number;
  /** Status of `index`; an index beyond the end of the list is `askOnline`. */
  status(index: number): Status;
}

/** Where acceptance finds the list of a code's issuer: one list, several, or a package. */
export interface StatusSource {
  forIssuer(issuerId: number): IssuerStatus | undefined;
}

/** Bytes that `entryCount` indices take. */
export function packedSize(entryCount: number): number {
  return Math.floor((entryCount + 3) / 4);
}

/** One issuer's list, believed. */
export class StatusList implements IssuerStatus, StatusSource {
  constructor(
    readonly head: StatusHead,
    readonly packed: Bytes,
  ) {}

  get issuedAtS(): number {
    return this.head.issuedAtS;
  }

  get expiresAtS(): number {
    return this.head.expiresAtS;
  }

  forIssuer(issuerId: number): StatusList | undefined {
    return issuerId === this.head.issuerId ? this : undefined;
  }

  status(index: number): Status {
    // One beyond the end was given out after this list was made.
    if (index < 0 || index >= this.head.entryCount) return STATUS.askOnline;
    const byte = this.packed[Math.floor(index / 4)] ?? 0;
    return STATUS_OF_BITS[((byte >> (2 * (index & 3))) & 3) as 0 | 1 | 2 | 3];
  }
}

/** Packed bits of `entryCount` indices after the zlib form of the changes. Throws `DocumentRefusal`. */
export async function applyChanges(
  packed: Bytes,
  changes: Bytes,
  changeCount: number,
  entryCount: number,
): Promise<Bytes> {
  if (changeCount > entryCount) throw documentMalformed("more changes than indices");
  const encoded = await inflate(changes, CHANGE_SIZE_MAX * changeCount);
  const changed = new Uint8Array(packedSize(entryCount));
  changed.set(packed);
  let count = 0;
  for (const [index, status] of decodeChanges(encoded, entryCount)) {
    const place = Math.floor(index / 4);
    const shift = 2 * (index & 3);
    changed[place] = ((changed[place] ?? 0) & ~(3 << shift)) | (status << shift);
    count += 1;
  }
  if (count !== changeCount) throw documentMalformed("another number of changes");
  return changed;
}

/** Varints of (index - previous index - 1) * 4 + status; the first previous index is -1. */
function* decodeChanges(data: Bytes, entryCount: number): Generator<[number, number]> {
  let previous = -1;
  let number = 0;
  let digits = 0;
  for (const byte of data) {
    number += (byte & 0x7f) * 2 ** (7 * digits);
    digits += 1;
    if (byte & 0x80) {
      if (digits === CHANGE_SIZE_MAX) throw documentMalformed("a change is too long");
      continue;
    }
    previous += 1 + Math.floor(number / 4);
    if (previous >= entryCount) throw documentMalformed("a change beyond the end of the list");
    yield [previous, number % 4];
    number = 0;
    digits = 0;
  }
  if (digits > 0) throw documentMalformed("a change is cut off");
}

/** The lists a verifier holds, one for each issuer. A refused document leaves the last good list. */
export class StatusLists implements StatusSource {
  readonly #lists = new Map<number, StatusList>();

  forIssuer(issuerId: number): StatusList | undefined {
    return this.#lists.get(issuerId);
  }

  /** Believe a full list or a delta and hold the result. Throws `DocumentRefusal`. */
  async apply(document: Bytes, ring: KeyRing, nowS: number): Promise<StatusList> {
    const unsealed = await unseal(document, ring, nowS);
    const list = await read(unsealed, this.#lists.get(unsealed.issuerId), nowS);
    this.#lists.set(unsealed.issuerId, list);
    return list;
  }
}

async function read(
  document: Unsealed,
  held: StatusList | undefined,
  nowS: number,
): Promise<StatusList> {
  const reader = new Reader(document.body);
  try {
    const head = readHead(document.issuerId, reader);
    checkHead(head, held, nowS);
    if (document.type === DOCUMENT_TYPE.statusDelta) return await readDelta(head, reader, held);
    if (document.type !== DOCUMENT_TYPE.statusList) throw documentMalformed("not a status list");
    const packed = await inflateExactly(reader.bytes(reader.left), packedSize(head.entryCount));
    return new StatusList(head, packed);
  } catch (error) {
    if (error instanceof RangeError) throw documentMalformed(error.message);
    throw error;
  }
}

function readHead(issuerId: number, reader: Reader): StatusHead {
  if (reader.u8() !== BITS) throw documentMalformed("bits per index");
  return {
    issuerId,
    version: reader.u32(),
    issuedAtS: reader.u32(),
    expiresAtS: reader.u32(),
    ttlS: reader.u32(),
    entryCount: reader.u32(),
  };
}

function checkHead(head: StatusHead, held: StatusList | undefined, nowS: number): void {
  if (head.entryCount > ENTRIES_MAX) throw documentMalformed("number of indices out of range");
  if (held !== undefined && head.version <= held.head.version) {
    throw new DocumentRefusal(
      "document_older",
      `version ${head.version}, held ${held.head.version}`,
    );
  }
  if (nowS > head.expiresAtS)
    throw new DocumentRefusal("document_expired", `at ${head.expiresAtS}`);
}

async function readDelta(
  head: StatusHead,
  reader: Reader,
  held: StatusList | undefined,
): Promise<StatusList> {
  const baseVersion = reader.u32();
  const digest = reader.bytes(32);
  const changeCount = reader.u32();
  if (held?.head.version !== baseVersion || held.head.entryCount > head.entryCount) {
    throw new DocumentRefusal("document_base_missing", `stands on version ${baseVersion}`);
  }
  const changes = reader.bytes(reader.left);
  const packed = await applyChanges(held.packed, changes, changeCount, head.entryCount);
  if (!sameBytes(await sha256(packed), digest)) {
    throw new DocumentRefusal("document_mismatch", "the result is not what the issuer signed");
  }
  return new StatusList(head, packed);
}
