/** A terminal at work: scans in, decisions out, the uplink beside it. */

import type { Database } from "./database.ts";
import { StorageError } from "./database.ts";
import { type Enrolment, pinnedRing, type Station, stationOf } from "./enrolment.ts";
import { askServer } from "./orders.ts";
import { PackageStore } from "./package_store.ts";
import { requeueHeld } from "./record_queue.ts";
import { TerminalServer } from "./server.ts";
import { Uplink, type UplinkStatus } from "./uplink.ts";
import { type Outcome, refusedOutcome, Validator } from "./validator.ts";

export interface TerminalParts {
  readonly database: Database;
  readonly enrolment: Enrolment;
  readonly nowMs: () => number;
  readonly onStatus: (status: UplinkStatus) => void;
  /** The server is being asked, which takes a moment. */
  readonly onAsking: () => void;
}

export class Terminal {
  readonly #validator: Validator;
  readonly #uplink: Uplink;
  readonly #server: TerminalServer;

  private constructor(
    readonly station: Station,
    private readonly parts: TerminalParts,
    private readonly store: PackageStore,
    private floorS: number,
  ) {
    const { database, enrolment, nowMs, onStatus } = parts;
    this.#server = new TerminalServer(enrolment, nowMs);
    this.#validator = new Validator({
      station,
      store,
      database,
      nowMs,
      floorS: () => this.floorS,
    });
    this.#uplink = new Uplink({
      station,
      server: this.#server,
      store,
      database,
      nowMs,
      trust: (instantS) => this.#trust(instantS),
      onStatus,
    });
  }

  /** Everything built, the last state taken up. Throws `SceneNotOfflineError`. */
  static async open(parts: TerminalParts): Promise<Terminal> {
    const { database, enrolment } = parts;
    const station = stationOf(enrolment);
    const store = await PackageStore.open(database, pinnedRing(enrolment));
    const floorS = (await database.fact<number>("floorS")) ?? 0;
    await requeueHeld(database);
    const terminal = new Terminal(station, parts, store, floorS);
    terminal.reconnected();
    return terminal;
  }

  /** Is there anything to judge by, or was it asked for in vain? Until then a phone need only wait. */
  get isReady(): boolean {
    return this.store.current !== null || this.#uplink.hasTried;
  }

  /** The network is said to be back. */
  reconnected(): void {
    this.#uplink.reconnected();
  }

  /** Judge a scanned text; what comes back is durable here or booked at the server. */
  async scan(text: string, amountFen: number): Promise<Outcome> {
    try {
      const outcome = await this.#decide(text, amountFen);
      if (outcome.sequenceNo !== null) this.#uplink.wake();
      return outcome;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return refusedOutcome(error.reason, amountFen, this.parts.nowMs());
    }
  }

  async #decide(text: string, amountFen: number): Promise<Outcome> {
    // Money is asked for on-line where there is a server: it knows the balance, a code does not.
    if (amountFen > 0 && this.#uplink.online) {
      const asked = await this.#ask(text, amountFen);
      return asked ?? this.#validator.decide(text, amountFen, false);
    }
    const outcome = await this.#validator.decide(text, amountFen, this.#uplink.online);
    if (outcome.reason !== "ask_online" || outcome.sequenceNo !== null) return outcome;
    const asked = await this.#ask(text, amountFen);
    return asked ?? this.#validator.decide(text, amountFen, false);
  }

  /** The server's answer, null where there was none. */
  async #ask(text: string, amountFen: number): Promise<Outcome | null> {
    this.parts.onAsking();
    const atMs = this.parts.nowMs();
    const answer = await askServer(this.#server, this.station, text, amountFen, atMs);
    if (!answer.answered) {
      // The uplink finds out by itself whether there is a network.
      this.#uplink.wake();
      return null;
    }
    return { ...refusedOutcome("", amountFen, atMs), reason: answer.reason, online: true };
  }

  #trust(instantS: number): void {
    if (instantS <= this.floorS) return;
    this.floorS = instantS;
    void this.parts.database.remember({ floorS: instantS });
  }
}
