/**
 * Everything a terminal works with, in one signed package: keys, parameters, what the scene adds, and
 * status lists. The issuer signs a manifest that names each part by SHA-256; the parts travel beside
 * it, whole or as changes. Format: `docs/codes.md`.
 */

import { type Bytes, fromUtf8, hex, Reader, sha256 } from "./bytes.ts";
import { asArray, asNumber, asObject, asText, JsonShapeError, parseJson } from "./json.ts";
import { KeyRing, KeyRingError } from "./key_ring.ts";
import { DocumentRefusal, documentMalformed } from "./refusal.ts";
import { DOCUMENT_TYPE, inflateExactly, unseal } from "./signed_document.ts";
import {
  applyChanges,
  ENTRIES_MAX,
  packedSize,
  type StatusHead,
  StatusList,
  type StatusSource,
} from "./status_list.ts";

const MAGIC = "CCPK";
const KEYS_PART = "keys";
const PARTS_MAX = 64;
const PART_SIZE_MAX = 64 * 2 ** 20;
const FORM = { whole: 0, changes: 1 } as const;

/** One line of the manifest; `sha256` in hex, of a status part of its packed bits. */
export interface Part {
  readonly name: string;
  readonly sha256: string;
  readonly size: number;
  readonly status: StatusHead | null;
}

/** What the issuer signs. Instants in Unix seconds; `version` rises. */
export interface Manifest {
  readonly version: number;
  readonly madeAtS: number;
  readonly expiresAtS: number;
  readonly parts: readonly Part[];
}

/** A package that is believed and complete. */
export interface TerminalPackage extends StatusSource {
  readonly manifest: Manifest;
  /** SHA-256 of the signed manifest, hex: what terminals report as theirs. */
  readonly etag: string;
  /** The plain parts by name. */
  readonly blobs: ReadonlyMap<string, Bytes>;
  readonly statusLists: ReadonlyMap<number, StatusList>;
  readonly keys: KeyRing;
  forIssuer(issuerId: number): StatusList | undefined;
}

interface Travelled {
  readonly form: number;
  readonly data: Bytes;
}

/**
 * Believe a container on top of `held`.
 *
 * `ring` are the keys believed now: those of `held`, or those pinned at enrolment. Throws
 * `DocumentRefusal`; the terminal then goes on with `held` and reports the reason.
 */
export async function openPackage(
  container: Bytes,
  ring: KeyRing,
  nowS: number,
  held?: TerminalPackage,
): Promise<TerminalPackage> {
  const { signedManifest, travelled } = split(container);
  const { type, body } = await unseal(signedManifest, ring, nowS);
  if (type !== DOCUMENT_TYPE.terminalPackage) throw documentMalformed("not a package");
  const manifest = readManifest(body);
  checkManifest(manifest, held, nowS);
  const blobs = new Map<string, Bytes>();
  const statusLists = new Map<number, StatusList>();
  for (const [place, part] of manifest.parts.entries()) {
    const data = await partBytes(part, travelled.get(place), held);
    travelled.delete(place);
    if (data.length !== part.size || hex(await sha256(data)) !== part.sha256) {
      throw new DocumentRefusal("document_mismatch", `part ${part.name} is not what was signed`);
    }
    if (part.status === null) blobs.set(part.name, data);
    else statusLists.set(part.status.issuerId, new StatusList(part.status, data));
  }
  if (travelled.size > 0) throw documentMalformed("a part the manifest does not name");
  return {
    manifest,
    etag: hex(await sha256(signedManifest)),
    blobs,
    statusLists,
    keys: readKeys(blobs.get(KEYS_PART)),
    forIssuer: (issuerId) => statusLists.get(issuerId),
  };
}

function checkManifest(manifest: Manifest, held: TerminalPackage | undefined, nowS: number): void {
  if (held !== undefined && manifest.version <= held.manifest.version) {
    throw new DocumentRefusal("document_older", `version ${manifest.version}`);
  }
  if (nowS > manifest.expiresAtS) {
    throw new DocumentRefusal("document_expired", `at ${manifest.expiresAtS}`);
  }
}

function readKeys(data: Bytes | undefined): KeyRing {
  if (data === undefined) throw documentMalformed("a package without keys");
  try {
    return KeyRing.fromJson(fromUtf8(data));
  } catch (error) {
    if (error instanceof KeyRingError || error instanceof TypeError) {
      throw documentMalformed(`keys: ${error.message}`);
    }
    throw error;
  }
}

function split(container: Bytes): { signedManifest: Bytes; travelled: Map<number, Travelled> } {
  const reader = new Reader(container);
  try {
    if (String.fromCharCode(...reader.bytes(4)) !== MAGIC) throw documentMalformed("not a package");
    const signedManifest = reader.bytes(reader.u32());
    const travelled = new Map<number, Travelled>();
    while (reader.left > 0) {
      const place = reader.u8();
      const form = reader.u8();
      if (travelled.has(place)) throw documentMalformed("a part comes twice");
      travelled.set(place, { form, data: reader.bytes(reader.u32()) });
    }
    return { signedManifest, travelled };
  } catch (error) {
    if (error instanceof RangeError) throw documentMalformed("a part is cut off");
    throw error;
  }
}

function readManifest(body: Bytes): Manifest {
  try {
    const document = asObject(parseJson(fromUtf8(body)));
    const parts = asArray(document["parts"]).map(readPart);
    if (parts.length > PARTS_MAX || new Set(parts.map((part) => part.name)).size !== parts.length) {
      throw documentMalformed("too many parts, or two of one name");
    }
    return {
      version: asNumber(document["version"]),
      madeAtS: asNumber(document["made_at_s"]),
      expiresAtS: asNumber(document["expires_at_s"]),
      parts,
    };
  } catch (error) {
    if (error instanceof JsonShapeError || error instanceof TypeError) {
      throw documentMalformed(`manifest: ${error.message}`);
    }
    throw error;
  }
}

function readPart(value: unknown): Part {
  const entry = asObject(value);
  const size = asNumber(entry["size"], PART_SIZE_MAX);
  const status = entry["status"] === null ? null : readStatusHead(entry["status"]);
  if (status !== null && size !== packedSize(status.entryCount)) {
    throw new JsonShapeError("status part has another size");
  }
  return { name: asText(entry["name"]), sha256: asText(entry["sha256"]), size, status };
}

function readStatusHead(value: unknown): StatusHead {
  const entry = asObject(value);
  return {
    issuerId: asNumber(entry["issuer_id"], 0xffff),
    version: asNumber(entry["version"]),
    issuedAtS: asNumber(entry["issued_at_s"]),
    expiresAtS: asNumber(entry["expires_at_s"]),
    ttlS: asNumber(entry["ttl_s"]),
    entryCount: asNumber(entry["entry_count"], ENTRIES_MAX),
  };
}

/** Bytes of a part, not yet compared with the manifest's digest. */
async function partBytes(
  part: Part,
  travelled: Travelled | undefined,
  held: TerminalPackage | undefined,
): Promise<Bytes> {
  if (travelled === undefined) return heldBytes(part, held);
  if (part.status === null) {
    if (travelled.form !== FORM.whole) throw documentMalformed("only lists travel as changes");
    return travelled.data;
  }
  if (travelled.form === FORM.whole) return inflateExactly(travelled.data, part.size);
  if (travelled.form !== FORM.changes || travelled.data.length < 8) {
    throw documentMalformed("unknown form of a status list");
  }
  const reader = new Reader(travelled.data);
  const baseVersion = reader.u32();
  const changeCount = reader.u32();
  const base = held?.forIssuer(part.status.issuerId);
  if (base?.head.version !== baseVersion || base.head.entryCount > part.status.entryCount) {
    throw new DocumentRefusal("document_base_missing", `changes stand on version ${baseVersion}`);
  }
  const changes = reader.bytes(reader.left);
  return applyChanges(base.packed, changes, changeCount, part.status.entryCount);
}

function heldBytes(part: Part, held: TerminalPackage | undefined): Bytes {
  const before = held?.manifest.parts.find(
    (one) => one.name === part.name && one.sha256 === part.sha256,
  );
  const data =
    before?.status == null
      ? held?.blobs.get(part.name)
      : held?.forIssuer(before.status.issuerId)?.packed;
  if (before === undefined || data === undefined) {
    throw new DocumentRefusal("document_base_missing", `part ${part.name} is not held`);
  }
  return data;
}
