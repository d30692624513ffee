/**
 * The way to the server: records up, packages down, for ever patient. A batch is sent again until it is
 * answered; the server knows a record by its id, so a reply that was lost costs nothing. Nothing the
 * server says can make a record disappear.
 */

import { base64url } from "../verifier/bytes.ts";
import {
  asArray,
  asInstantS,
  asNumber,
  asObject,
  asText,
  JsonShapeError,
} from "../verifier/json.ts";
import { DocumentRefusal } from "../verifier/refusal.ts";
import { type Database, type KeptRecord, type RecordState, StorageError } from "./database.ts";
import type { Station } from "./enrolment.ts";
import { PackageStore, PartInvalidError } from "./package_store.ts";
import { countOf, forgetEnded, nextBatch, type Settlement, settle } from "./record_queue.ts";
import { ServerAwayError, ServerRefusedError, type TerminalServer } from "./server.ts";

const BATCH_MAX = 200;
const PACKAGE_EVERY_MS = 300_000;
const WAIT_MIN_MS = 1_000;
const WAIT_MAX_MS = 60_000;
/** Statuses that speak of the content: one record of the batch, not the server, is at fault. */
const CONTENT_STATUSES: ReadonlySet<number> = new Set([400, 413, 422]);
const ANSWERED: ReadonlySet<string> = new Set(["booked", "duplicate", "review", "rejected"]);
const LOCK = "gate-uplink";

/** What the screen shows of the way to the server. */
export interface UplinkStatus {
  readonly online: boolean;
  /** Why not, "" = on-line. */
  readonly failing: string;
  readonly waiting: number;
  readonly troubled: number;
  readonly packageVersion: number;
  readonly packageRefused: string;
  readonly clockSkewMs: number;
}

export interface UplinkParts {
  readonly station: Station;
  readonly server: TerminalServer;
  readonly store: PackageStore;
  readonly database: Database;
  readonly nowMs: () => number;
  readonly trust: (instantS: number) => void;
  readonly onStatus: (status: UplinkStatus) => void;
}

/** Empties the queue and keeps the package fresh. */
export class Uplink {
  #batchMax = BATCH_MAX;
  #packageDueMs = 0;
  #waitMs = WAIT_MIN_MS;
  #failing = "";
  #packageRefused = "";
  #clockSkewMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;
  #again = false;
  #hasTried = false;

  constructor(private readonly parts: UplinkParts) {}

  get online(): boolean {
    return this.#failing === "";
  }

  /** Was the server asked at least once since this was opened, with or without an answer? */
  get hasTried(): boolean {
    return this.#hasTried;
  }

  /** A record waits. A pause after a failure is not cut short by it. */
  wake(): void {
    if (this.online) this.#begin();
  }

  /** The network is said to be back, or the terminal has just been opened. */
  reconnected(): void {
    this.#waitMs = WAIT_MIN_MS;
    this.#begin();
  }

  /** Do what is due now, and go on by itself. */
  #begin(): void {
    clearTimeout(this.#timer);
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    void this.#turnAndWait();
  }

  async #turnAndWait(): Promise<void> {
    // One tab at a time speaks for the terminal.
    const waitMs = await navigator.locks.request(LOCK, () => this.#turn());
    this.#running = false;
    this.#hasTried = true;
    await this.#tell();
    if (this.#again) {
      this.#again = false;
      this.#begin();
      return;
    }
    this.#timer = setTimeout(() => this.#begin(), waitMs);
  }

  /** Milliseconds until something is due again. */
  async #turn(): Promise<number> {
    try {
      await this.#pullPackage();
      while (await this.#sendBatch()) await this.#tell();
    } catch (error) {
      return this.#failed(error);
    }
    this.#failing = "";
    this.#waitMs = WAIT_MIN_MS;
    return Math.max(WAIT_MIN_MS, this.#packageDueMs - performance.now());
  }

  #failed(error: unknown): number {
    if (error instanceof ServerAwayError || error instanceof ServerRefusedError) {
      this.#failing = error.reason;
    } else if (error instanceof StorageError) {
      this.#failing = error.reason;
    } else if (error instanceof JsonShapeError) {
      this.#failing = "answer_not_understood";
    } else {
      throw error;
    }
    const atLeastMs = error instanceof ServerAwayError ? 1000 * error.retryAfterS : 0;
    const drawnMs = this.#waitMs * (0.5 + Math.random() / 2);
    this.#waitMs = Math.min(WAIT_MAX_MS, 2 * this.#waitMs);
    return Math.max(atLeastMs, drawnMs);
  }

  async #tell(): Promise<void> {
    const { database, store, onStatus } = this.parts;
    const troubled = ["review", "rejected", "held"] as const;
    const counts = await Promise.all(troubled.map((state) => countOf(database, state)));
    onStatus({
      online: this.online,
      failing: this.#failing,
      waiting: await countOf(database, "queued"),
      troubled: counts.reduce((sum, count) => sum + count, 0),
      packageVersion: store.current?.package.manifest.version ?? 0,
      packageRefused: this.#packageRefused,
      clockSkewMs: this.#clockSkewMs,
    });
  }

  // Packages

  async #pullPackage(): Promise<void> {
    if (performance.now() < this.#packageDueMs) return;
    const { store } = this.parts;
    const heldEtag = store.wantsWhole ? null : (store.current?.package.etag ?? null);
    try {
      await this.#takePackage(heldEtag);
      this.#packageRefused = "";
    } catch (error) {
      if (!(error instanceof DocumentRefusal || error instanceof PartInvalidError)) throw error;
      this.#packageRefused = error.reason;
      const misfits = ["document_base_missing", "document_mismatch"];
      // Changes that do not fit what is held: ask for the whole.
      if (heldEtag !== null && misfits.includes(error.reason)) await this.#takeWhole();
    }
    this.#packageDueMs = performance.now() + PACKAGE_EVERY_MS;
  }

  async #takeWhole(): Promise<void> {
    try {
      await this.#takePackage(null);
      this.#packageRefused = "";
    } catch (error) {
      if (!(error instanceof DocumentRefusal || error instanceof PartInvalidError)) throw error;
      this.#packageRefused = error.reason;
    }
  }

  async #takePackage(heldEtag: string | null): Promise<void> {
    const { server, store, nowMs, trust } = this.parts;
    const container = await server.package(heldEtag);
    if (container === null) return;
    const nowS = Math.floor(nowMs() / 1000);
    const isWhole = container.isWhole;
    const taken = await store.take(container.data, isWhole, nowS);
    trust(taken.package.manifest.madeAtS);
  }

  // Records

  /** Send the oldest records; whether more may wait. */
  async #sendBatch(): Promise<boolean> {
    const { database, server, nowMs } = this.parts;
    const batch = await nextBatch(database, this.#batchMax);
    if (batch.length === 0) return false;
    const sentAtMs = nowMs();
    let answer: Answer;
    try {
      answer = readAnswer(await server.upload(this.#body(batch, sentAtMs)), batch);
    } catch (error) {
      if (!(error instanceof ServerRefusedError) || !CONTENT_STATUSES.has(error.status))
        throw error;
      await this.#narrow(batch, error.reason);
      return true;
    }
    await settle(database, answer.settlements);
    this.#batchMax = Math.min(BATCH_MAX, 2 * this.#batchMax);
    this.#clockSkewMs = Math.round((sentAtMs + nowMs()) / 2 - 1000 * answer.serverTimeS);
    this.parts.trust(answer.serverTimeS);
    await forgetEnded(database, answer.serverTimeS);
    return true;
  }

  #body(batch: readonly KeptRecord[], atMs: number): unknown {
    const list = this.parts.store.current?.package.forIssuer(this.parts.station.enrolment.issuerId);
    return {
      records: batch.map((record) => base64url(record.data)),
      list_version: list?.head.version ?? 0,
      list_age_s: list ? Math.max(0, Math.floor(atMs / 1000) - list.issuedAtS) : 0,
      clock: new Date(atMs).toISOString(),
    };
  }

  /** The server refused the batch as a whole: find the record it cannot take. */
  async #narrow(batch: readonly KeptRecord[], reason: string): Promise<void> {
    const [record, second] = batch;
    if (second !== undefined) this.#batchMax = Math.max(1, Math.floor(batch.length / 2));
    else if (record) await settle(this.parts.database, [{ record, state: "held", reason }]);
  }
}

interface Answer {
  readonly settlements: readonly Settlement[];
  readonly serverTimeS: number;
}

/** The answer, about exactly these records in this order. Throws `JsonShapeError`. */
function readAnswer(value: unknown, batch: readonly KeptRecord[]): Answer {
  const answer = asObject(value);
  const results = asArray(answer["results"]).map(asObject);
  if (results.length !== batch.length) throw new JsonShapeError("answer of another batch");
  const settlements = batch.map((record, place) => {
    const result = results[place] ?? {};
    if (asNumber(result["index"]) !== place) throw new JsonShapeError("answer of another batch");
    const state = asText(result["state"]);
    if (!ANSWERED.has(state)) throw new JsonShapeError("unknown state");
    const reason = result["reason"];
    return {
      record,
      state: state as RecordState,
      reason: typeof reason === "string" ? reason : null,
    };
  });
  return { settlements, serverTimeS: asInstantS(answer["server_time"]) };
}
