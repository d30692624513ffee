/**
 * The validator's signed record: what was shown, what was taken, where, when and by which rules.
 * Every decision of a terminal makes one. Layout: `docs/validator-record.md`.
 */

import { type Bytes, concat, fromUtf8, Reader, sha256, utf8, Writer } from "./bytes.ts";
import { SCOPE_KNOWN_MAX, SIGNATURE_SIZE, TAG } from "./fields.ts";
import { ALGORITHM, type PublicKey } from "./suites.ts";

const FIRST_BYTE = 0x18;
const HEAD_SIZE = 84;
const EVIDENCE_MAX = 1024;
const TEXT_SIZE_MAX = 255;
const U32_MAX = 0xffff_ffff;
export const CHAIN_START: Bytes = new Uint8Array(32);

export const DECISION = { acceptedOnline: 1, acceptedOffline: 2, refused: 3 } as const;
export const EVIDENCE = { code: 1, cardTap: 2 } as const;
export const WARNING_BIT = { list_stale: 1, counter_regression: 2 } as const;
const WARNINGS_KNOWN = WARNING_BIT.list_stale | WARNING_BIT.counter_regression;

/** Not a record in its one form, or a field that does not fit its table. */
export class RecordInvalidError extends Error {
  override readonly name = "RecordInvalidError";
}

/** Where, as the operator of the terminal names it; empty where it has no meaning. */
export interface Place {
  readonly terminalId: string;
  readonly lineId: string;
  readonly stopId: string;
  readonly vehicleId: string;
  readonly gateId: string;
}

/** One record before it is signed. `evidence` is the scanned text in ASCII, or the card tap. */
export interface ValidatorRecord {
  readonly algorithm: number;
  readonly kid: number;
  readonly decision: number;
  /** A UUID, 16 bytes, made when the code was shown. */
  readonly recordId: Bytes;
  /** 1, 2, 3 … under this key, without gaps. */
  readonly sequenceNo: number;
  readonly previousDigest: Bytes;
  /** Unix ms by the terminal's clock. */
  readonly occurredAtMs: number;
  readonly amountFen: number;
  /** One bit of the scope bitmap. */
  readonly scene: number;
  readonly evidenceKind: number;
  readonly evidence: Bytes;
  readonly place: Place;
  /** Empty exactly when the decision is an acceptance. */
  readonly reason: string;
  readonly warnings: number;
  readonly packageVersion: number;
  readonly listVersion: number;
  readonly ruleVersion: number;
}

/** All bytes before the signature. Throws `RecordInvalidError`. */
export function unsignedBytes(record: ValidatorRecord): Bytes {
  check(record);
  const { place } = record;
  const writer = new Writer()
    .u8(FIRST_BYTE)
    .u8(record.algorithm << 4)
    .u8(record.kid)
    .u8(record.decision)
    .bytes(record.recordId)
    .u32(record.sequenceNo)
    .bytes(record.previousDigest)
    .u64(BigInt(record.occurredAtMs))
    .u32(record.amountFen)
    .u16(record.scene)
    .u8(record.evidenceKind)
    .u8(record.warnings)
    .u32(record.packageVersion)
    .u32(record.listVersion)
    .u32(record.ruleVersion);
  const { terminalId, lineId, stopId, vehicleId, gateId } = place;
  for (const text of [terminalId, lineId, stopId, vehicleId, gateId, record.reason]) {
    const data = utf8(text);
    if (data.length > TEXT_SIZE_MAX) throw new RecordInvalidError("text longer than 255 bytes");
    writer.u8(data.length).bytes(data);
  }
  return writer.u16(record.evidence.length).bytes(record.evidence).done();
}

/** The signed record as it is kept and uploaded. `sign` gives the raw 64 bytes. */
export async function signRecord(
  record: ValidatorRecord,
  sign: (message: Bytes) => Promise<Bytes>,
): Promise<Bytes> {
  const unsigned = unsignedBytes(record);
  return concat(unsigned, await sign(concat(utf8(TAG.record), unsigned)));
}

/** SHA-256 of the signed bytes: `previousDigest` of the next record. */
export function recordDigest(signed: Bytes): Promise<Bytes> {
  return sha256(signed);
}

/** The record in `data`, its form checked, its signature not. Throws `RecordInvalidError`. */
export function readRecord(data: Bytes): ValidatorRecord {
  try {
    const record = parse(new Reader(data), data.length);
    check(record);
    return record;
  } catch (error) {
    // RangeError: cut off. TypeError: no UTF-8.
    if (error instanceof RangeError || error instanceof TypeError) {
      throw new RecordInvalidError(error.message);
    }
    throw error;
  }
}

/** The record in `data`, signed by this terminal. Throws `RecordInvalidError`. */
export async function verifyRecord(data: Bytes, terminalKey: PublicKey): Promise<ValidatorRecord> {
  const record = readRecord(data);
  if (record.algorithm !== terminalKey.algorithm) throw new RecordInvalidError("another algorithm");
  const message = concat(utf8(TAG.record), data.slice(0, -SIGNATURE_SIZE));
  if (!(await terminalKey.fits(data.slice(-SIGNATURE_SIZE), message))) {
    throw new RecordInvalidError("not this terminal's signature");
  }
  return record;
}

function parse(reader: Reader, size: number): ValidatorRecord {
  if (size < HEAD_SIZE + SIGNATURE_SIZE || reader.u8() !== FIRST_BYTE) {
    throw new RecordInvalidError("unknown version or too short");
  }
  const suite = reader.u8();
  if (suite & 0x0f) throw new RecordInvalidError("the low half of the suite is 0");
  const head = {
    algorithm: suite >> 4,
    kid: reader.u8(),
    decision: reader.u8(),
    recordId: reader.bytes(16),
    sequenceNo: reader.u32(),
    previousDigest: reader.bytes(32),
    occurredAtMs: Number(reader.u64()),
    amountFen: reader.u32(),
    scene: reader.u16(),
    evidenceKind: reader.u8(),
    warnings: reader.u8(),
    packageVersion: reader.u32(),
    listVersion: reader.u32(),
    ruleVersion: reader.u32(),
  };
  const text = (): string => fromUtf8(reader.bytes(reader.u8()));
  const place = {
    terminalId: text(),
    lineId: text(),
    stopId: text(),
    vehicleId: text(),
    gateId: text(),
  };
  const reason = text();
  const evidence = reader.bytes(reader.u16());
  if (reader.left !== SIGNATURE_SIZE) throw new RecordInvalidError("wrong length");
  return { ...head, place, reason, evidence };
}

function check(record: ValidatorRecord): void {
  const { algorithm, decision, scene, warnings } = record;
  demand(algorithm >= ALGORITHM.ed25519 && algorithm <= ALGORITHM.es256, "unknown algorithm");
  demand(decision >= DECISION.acceptedOnline && decision <= DECISION.refused, "unknown decision");
  demand(record.recordId.length === 16 && record.previousDigest.length === 32, "sizes");
  const numbers = [record.amountFen, record.packageVersion, record.listVersion, record.ruleVersion];
  demand([...numbers, record.sequenceNo - 1].every(isU32), "number out of range");
  demand(isU32(record.sequenceNo) && isWithin(record.kid, 0xff), "number out of range");
  demand(isWithin(record.occurredAtMs, Number.MAX_SAFE_INTEGER), "instant out of range");
  const isOneBit = scene > 0 && scene <= SCOPE_KNOWN_MAX && (scene & (scene - 1)) === 0;
  demand(isOneBit, "one known scene");
  const kind = record.evidenceKind;
  demand(kind === EVIDENCE.code || kind === EVIDENCE.cardTap, "unknown evidence");
  demand(isWithin(warnings, WARNINGS_KNOWN), "unknown warning");
  demand(record.evidence.length > 0 && record.evidence.length <= EVIDENCE_MAX, "evidence size");
  demand(record.place.terminalId !== "", "a record names its terminal");
  const isRefused = decision === DECISION.refused;
  demand(isRefused === (record.reason !== ""), "a refusal has a reason, an acceptance has none");
}

function demand(holds: boolean, otherwise: string): void {
  if (!holds) throw new RecordInvalidError(otherwise);
}

function isU32(value: number): boolean {
  return isWithin(value, U32_MAX);
}

function isWithin(value: number, largest: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= largest;
}
