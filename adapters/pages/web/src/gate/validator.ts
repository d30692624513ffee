/**
 * One scan, judged and written down: the whole work of a gate between reader and screen.
 *
 * Order: form of the text, the terminal's own state (clock, package), then the acceptance rules
 * off-line with replay guard and uses, then the door's grants. Only when claim, use and signed record
 * are durable is there an answer. What is no code at all makes no record; every other refusal does,
 * but for one that is asked on-line next, and the same text refused again within ten seconds.
 */

import { type Accepted, verify } from "../verifier/acceptance.ts";
import { type Bytes, hex, utf8 } from "../verifier/bytes.ts";
import { PHOTO_CHECK, PIN_REQUIRED, PURPOSE } from "../verifier/fields.ts";
import { makePolicy } from "../verifier/policy.ts";
import { decodeText, type Presented, present } from "../verifier/presented.ts";
import { CodeRefusal } from "../verifier/refusal.ts";
import type { TariffClass } from "../verifier/terminal_parameters.ts";
import {
  CHAIN_START,
  DECISION,
  EVIDENCE,
  recordDigest,
  signRecord,
  WARNING_BIT,
} from "../verifier/validator_record.ts";
import { AuthorisationCache, type Warning } from "../verifier/verifier_memory.ts";
import type { ChainEnd, Database } from "./database.ts";
import type { Station } from "./enrolment.ts";
import { newId } from "./identifiers.ts";
import type { Instructions, PackageStore } from "./package_store.ts";
import { queuedCount } from "./record_queue.ts";
import { ScanMemory } from "./scan_memory.ts";
import { signWith, TERMINAL_ALGORITHM } from "./terminal_key.ts";

export const UNSENT_MAX = 20_000;
const REPEATED_MAX_MS = 10_000;
const CLOCK_BEHIND_MAX_S = 90;
const LOCK = "gate-scan";

/** The answer to one scan; `reason` null means accepted. */
export interface Outcome {
  readonly reason: string | null;
  readonly amountFen: number;
  readonly atMs: number;
  readonly online: boolean;
  readonly sequenceNo: number | null;
  readonly holder: TariffClass | null;
  readonly companions: number;
  /** What a guard is to look at: `photo_check`, `pin_required`. */
  readonly demands: readonly string[];
  readonly warnings: readonly Warning[];
}

interface Judged {
  readonly reason: string | null;
  readonly accepted: Accepted | null;
}

/** What one scan knows from its beginning. */
interface Scan {
  readonly text: string;
  readonly shown: Presented;
  readonly amountFen: number;
  readonly nowMs: number;
  readonly instructions: Instructions | null;
}

export interface ValidatorParts {
  readonly station: Station;
  readonly store: PackageStore;
  readonly database: Database;
  readonly nowMs: () => number;
  /** The latest instant somebody trusted has named, Unix s. */
  readonly floorS: () => number;
}

/** Decides. One scan at a time, over all tabs of this terminal. */
export class Validator {
  readonly #authorisations = new AuthorisationCache();
  #lastRefusal = { text: "", reason: "", atMs: 0 };

  constructor(private readonly parts: ValidatorParts) {}

  /**
   * Judge a scanned text. The answer is durable.
   *
   * `mayAskOnline`: a code that only the server can judge is answered `ask_online` without a record,
   * since the caller asks next. Throws `StorageError` when nothing could be written.
   */
  async decide(text: string, amountFen: number, mayAskOnline: boolean): Promise<Outcome> {
    const nowMs = this.parts.nowMs();
    let shown: Presented;
    try {
      shown = present(decodeText(text));
    } catch (error) {
      if (!(error instanceof CodeRefusal)) throw error;
      return refusedOutcome(error.reason, 0, nowMs);
    }
    const instructions = this.parts.store.current;
    const scan = { text, shown, amountFen, nowMs, instructions };
    return navigator.locks.request(LOCK, () => this.#write(scan, mayAskOnline));
  }

  async #write(scan: Scan, mayAskOnline: boolean): Promise<Outcome> {
    const { database, station } = this.parts;
    const waiting = await queuedCount(database);
    if (waiting >= UNSENT_MAX) return refusedOutcome("queue_full", 0, scan.nowMs);
    const memory = new ScanMemory(database);
    const judged = await this.#judge(scan, memory);
    if (judged.reason !== null && this.#needsNoRecord(scan, judged.reason, waiting, mayAskOnline)) {
      return refusedOutcome(judged.reason, scan.amountFen, scan.nowMs);
    }
    const end = (await database.get("chain", station.enrolment.kid)) ?? this.#chainStart();
    const record = await this.#record(scan, judged, end);
    const sequenceNo = end.sequenceNo + 1;
    const digest = await recordDigest(record);
    await database.write(["record", "chain", "claimed", "device", "used"], (stores) => {
      stores("record").add({
        kid: end.kid,
        sequenceNo,
        data: record,
        accepted: judged.accepted !== null,
        occurredAtMs: scan.nowMs,
        state: "queued",
        reason: null,
      });
      stores("chain").put({ kid: end.kid, sequenceNo, digest });
      if (judged.accepted === null) return;
      // `add`, not `put`: a code claimed meanwhile ends the transaction.
      if (memory.claimed !== null) stores("claimed").add(memory.claimed);
      if (memory.device !== null) stores("device").put(memory.device);
      for (const used of memory.used) stores("used").put(used);
    });
    return outcomeOf(scan, judged, sequenceNo);
  }

  #chainStart(): ChainEnd {
    return { kid: this.parts.station.enrolment.kid, sequenceNo: 0, digest: CHAIN_START };
  }

  #needsNoRecord(scan: Scan, reason: string, waiting: number, mayAskOnline: boolean): boolean {
    if (mayAskOnline && reason === "ask_online") return true;
    const before = this.#lastRefusal;
    const ageMs = scan.nowMs - before.atMs;
    const isSame = before.text === scan.text && before.reason === reason;
    if (isSame && ageMs >= 0 && ageMs < REPEATED_MAX_MS) return true;
    this.#lastRefusal = { text: scan.text, reason, atMs: scan.nowMs };
    // Room is kept for acceptances.
    return waiting >= UNSENT_MAX / 2;
  }

  async #judge(scan: Scan, memory: ScanMemory): Promise<Judged> {
    const nowS = Math.floor(scan.nowMs / 1000);
    const { instructions } = scan;
    const unfit = this.#unfit(instructions, nowS);
    if (unfit !== null || instructions === null) return { reason: unfit, accepted: null };
    const { station } = this.parts;
    const { parameters } = instructions;
    try {
      const accepted = await verify(scan.text, {
        keys: instructions.package.keys,
        statusLists: instructions.package,
        policy: await makePolicy({
          ...parameters,
          scope: station.scene,
          needs: station.pays ? PURPOSE.pay : PURPOSE.identity,
          placeIds: station.placeIds,
        }),
        nowS,
        amountFen: scan.amountFen,
        replay: memory,
        offlineUses: memory,
        authorisations: this.#authorisations,
      });
      const reason = await this.#barred(scan, instructions, memory, nowS);
      return { reason, accepted: reason === null ? accepted : null };
    } catch (error) {
      if (!(error instanceof CodeRefusal)) throw error;
      return { reason: error.reason, accepted: null };
    }
  }

  /** Why this terminal may not judge anything now. */
  #unfit(instructions: Instructions | null, nowS: number): string | null {
    if (nowS < this.parts.floorS() - CLOCK_BEHIND_MAX_S) return "terminal_clock";
    if (instructions === null) return "package_missing";
    return nowS > instructions.package.manifest.expiresAtS ? "package_expired" : null;
  }

  /** Why the holder of an accepted code may not pass here; null = no door, or it opens. */
  async #barred(
    { shown }: Scan,
    { access }: Instructions,
    memory: ScanMemory,
    nowS: number,
  ): Promise<string | null> {
    if (access === null) return null;
    const answer = access.decide(shown.token, this.parts.station.place.gateId, nowS);
    if (answer === "open") return usedUp(shown, access.usesMax(shown.token), memory);
    // A class S code is a minute old: no package can know its alias, the server can.
    return answer === "no_relation" && shown.codeClass === "S" ? "ask_online" : answer;
  }

  #record(scan: Scan, judged: Judged, end: ChainEnd): Promise<Bytes> {
    const { station } = this.parts;
    const held = scan.instructions?.package;
    const warnings = judged.accepted?.warnings ?? [];
    const isAccepted = judged.accepted !== null;
    const unsigned = {
      algorithm: TERMINAL_ALGORITHM,
      kid: end.kid,
      decision: isAccepted ? DECISION.acceptedOffline : DECISION.refused,
      recordId: newId(scan.nowMs),
      sequenceNo: end.sequenceNo + 1,
      previousDigest: end.digest,
      occurredAtMs: scan.nowMs,
      amountFen: scan.amountFen,
      scene: station.scene,
      evidenceKind: EVIDENCE.code,
      evidence: utf8(scan.text),
      place: station.place,
      reason: judged.reason ?? "",
      warnings: warnings.reduce((bits, warning) => bits | WARNING_BIT[warning], 0),
      packageVersion: held?.manifest.version ?? 0,
      listVersion: held?.forIssuer(station.enrolment.issuerId)?.head.version ?? 0,
      ruleVersion: 0,
    };
    return signRecord(unsigned, (message) => signWith(station.enrolment.pair, message));
  }
}

/** Count a use of a visitor's pass here; the reason when none is left. */
async function usedUp(
  shown: Presented,
  usesMax: number | null,
  memory: ScanMemory,
): Promise<string | null> {
  if (usesMax === null) return null;
  try {
    await memory.add({
      authorisation: `${shown.issuerId}:${hex(shown.token)}`,
      amountFen: 0,
      cumulativeCapFen: 0,
      usesMax,
      expiresAtS: shown.expiresAtS,
    });
    return null;
  } catch (error) {
    if (error instanceof CodeRefusal && error.reason === "cap_count_exceeded")
      return "pass_used_up";
    throw error;
  }
}

/** A refusal without a record. */
export function refusedOutcome(reason: string, amountFen: number, atMs: number): Outcome {
  return {
    reason,
    amountFen,
    atMs,
    online: false,
    sequenceNo: null,
    holder: null,
    companions: 0,
    demands: [],
    warnings: [],
  };
}

function demandsOf(flags: number): readonly string[] {
  const asked = [flags & PHOTO_CHECK && "photo_check", flags & PIN_REQUIRED && "pin_required"];
  return asked.filter((one) => typeof one === "string");
}

function outcomeOf(scan: Scan, judged: Judged, sequenceNo: number): Outcome {
  const { accepted } = judged;
  const { codeClass, flags, tariffClass } = scan.shown;
  const classes = scan.instructions?.parameters.tariffClasses ?? [];
  const isPrinted = accepted !== null && codeClass === "P";
  const demands = isPrinted ? demandsOf(flags) : [];
  return {
    ...refusedOutcome(judged.reason ?? "", scan.amountFen, scan.nowMs),
    reason: judged.reason,
    sequenceNo,
    holder:
      accepted === null ? null : (classes.find((one) => one.tariffClass === tariffClass) ?? null),
    companions: accepted?.companions ?? 0,
    demands,
    warnings: accepted?.warnings ?? [],
  };
}
