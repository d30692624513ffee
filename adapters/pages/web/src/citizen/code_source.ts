/**
 * Where the code on the screen comes from: the server while it answers, this page while it does not.
 *
 * Beside it, the page keeps itself able to go on alone: it enrols its key and renews its authorisation
 * while there is a network, and enrols anew where the browser has thrown its storage away.
 */

import { base64url, fromBase64url } from "../verifier/bytes.ts";
import { type Api, NetworkAwayError, Refusal } from "./api.ts";
import { readAuthorisation } from "./authorisation.ts";
import { makeDevice, signer, suiteOf } from "./device_key.ts";
import { offlineCode, PHONE_OFFLINE } from "./offline_code.ts";
import type { PhoneClock } from "./phone_clock.ts";
import type { Session } from "./session.ts";
import type { Device, KeptAuthorisation, Store } from "./store.ts";

/** The network is away, and this page has no authorisation to make a code of its own. */
export class NoCodeError extends Error {
  override readonly name = "NoCodeError";
}

export interface ShownCode {
  readonly text: string;
  readonly origin: "server" | "page";
  /** By the corrected clock, Unix milliseconds. */
  readonly expiresAtMs: number;
  readonly refreshAtMs: number;
}

interface IssuedCode {
  readonly text: string;
  readonly issued_at: string;
  readonly expires_at: string;
  readonly refresh_after_s: number;
}

interface AuthorisationReply {
  readonly authorisation: string;
  readonly issued_at: string;
  readonly ends_at: string;
  readonly renew_after: string;
}

/** At a gate nobody waits longer for the server than this, if the page can help itself. */
export const PATIENCE_MS = 2_500;
/** A new code is asked for this long before the old one ends. */
export const AHEAD_MS = 5_000;

export interface CodeParts {
  readonly api: Api;
  readonly session: Session;
  readonly store: Store;
  readonly clock: PhoneClock;
  readonly subtle: SubtleCrypto;
  readonly online: () => boolean;
}

export class CodeSource {
  readonly #parts: CodeParts;
  #preparing: Promise<void> | null = null;
  #refused: string | null = null;

  constructor(parts: CodeParts) {
    this.#parts = parts;
  }

  /**
   * The next code for these scenes, at one place where one is named. Throws `NoCodeError`,
   * `SignedOutError`, `Refusal`.
   */
  async next(scenes: readonly string[], placeId: string | null = null): Promise<ShownCode> {
    if (!this.#parts.online()) return this.fromPage(placeId);
    const asked = this.#fromServer(scenes, placeId);
    const late = Symbol("late");
    const first = await Promise.race([asked, after(PATIENCE_MS, late)]).catch((fault: unknown) => {
      if (fault instanceof NetworkAwayError) return late;
      throw fault;
    });
    if (first !== late) return first as ShownCode;
    return this.fromPage(placeId).catch(() =>
      asked.catch((fault: unknown) => {
        throw fault instanceof NetworkAwayError ? new NoCodeError() : fault;
      }),
    );
  }

  /** A class D code. Throws `NoCodeError`. */
  async fromPage(placeId: string | null = null): Promise<ShownCode> {
    const start = performance.now();
    const { store, session, clock, subtle } = this.#parts;
    const [offsetMs, device, kept, own] = await Promise.all([
      store.get("clockOffsetMs"),
      store.get("device"),
      store.get("authorisation"),
      session.isOwn(),
    ]);
    clock.recall(offsetMs ?? clock.offsetMs);
    const nowMs = clock.nowMs();
    if (device === undefined || kept === undefined || !own || nowMs >= kept.endsAtMs) {
      throw new NoCodeError();
    }
    const authorisation = readAuthorisation(kept.bytes);
    const madeAtS = Math.floor(nowMs / 1000);
    const context = placeId === null ? new Uint8Array(4) : await contextOf(subtle, placeId);
    const dynamic = { madeAtS, counter: await store.next(), context, flags: PHONE_OFFLINE };
    const expiresAtMs = (madeAtS + authorisation.dynamicTtlS) * 1000;
    const text = await offlineCode(authorisation, dynamic, signer(subtle, device));
    performance.measure("offline code", { start });
    return { text, origin: "page", expiresAtMs, refreshAtMs: expiresAtMs - AHEAD_MS };
  }

  /**
   * Be able to go on alone: a key, and an authorisation that is not due for renewal.
   *
   * What goes wrong is no fault of the code on the screen; `refused` says what the server said.
   */
  prepare(scenes: readonly string[]): Promise<void> {
    this.#preparing ??= this.#prepare(scenes)
      .then(
        () => {
          this.#refused = null;
        },
        (fault: unknown) => {
          this.#refused = fault instanceof Refusal ? fault.message : null;
        },
      )
      .finally(() => {
        this.#preparing = null;
      });
    return this.#preparing;
  }

  /** Why the server does not authorise this phone, such as too many phones; null where it does. */
  get refused(): string | null {
    return this.#refused;
  }

  /** Until when codes can be made without a network; null where they cannot. */
  async offlineUntilMs(): Promise<number | null> {
    const kept = await this.#parts.store.get("authorisation");
    return kept !== undefined && kept.endsAtMs > this.#parts.clock.nowMs() ? kept.endsAtMs : null;
  }

  async #fromServer(scenes: readonly string[], placeId: string | null): Promise<ShownCode> {
    const { api, session } = this.#parts;
    const { reply, sentMs } = await this.#timed(() =>
      session.within(() => api.post<IssuedCode>("/v1/me/codes", { scenes, context: placeId })),
    );
    await this.#learn(sentMs, reply.issued_at);
    const expiresAtMs = Date.parse(reply.expires_at);
    const refreshAtMs = Date.parse(reply.issued_at) + reply.refresh_after_s * 1000;
    return {
      text: reply.text,
      origin: "server",
      expiresAtMs,
      refreshAtMs: Math.min(refreshAtMs, expiresAtMs - AHEAD_MS),
    };
  }

  async #prepare(scenes: readonly string[]): Promise<void> {
    const { store, subtle, clock } = this.#parts;
    const device = await store.get("device");
    const kept = await store.get("authorisation");
    if (device !== undefined && kept !== undefined && clock.nowMs() < kept.renewAfterMs) return;
    const used = device ?? (await makeDevice(subtle));
    // Kept before it is authorised: a page killed in between asks again for the same key.
    if (device === undefined) await store.put("device", used);
    await store.put("authorisation", await this.#authorised(used, scenes));
  }

  async #authorised(device: Device, scenes: readonly string[]): Promise<KeptAuthorisation> {
    const { api, session } = this.#parts;
    const body = {
      device_public_key: base64url(device.publicKey as Uint8Array<ArrayBuffer>),
      suite: suiteOf(device),
      scenes,
    };
    const { reply, sentMs } = await this.#timed(() =>
      session.within(() => api.post<AuthorisationReply>("/v1/me/authorisations", body)),
    );
    await this.#learn(sentMs, reply.issued_at);
    return {
      bytes: fromBase64url(reply.authorisation),
      renewAfterMs: Date.parse(reply.renew_after),
      endsAtMs: Date.parse(reply.ends_at),
    };
  }

  /** Signing in on the way would stretch the measure: the clock starts with the last request. */
  async #timed<Reply>(ask: () => Promise<Reply>): Promise<{ reply: Reply; sentMs: number }> {
    if (this.#parts.api.csrfToken === "") await this.#parts.session.open();
    const sentMs = this.#parts.clock.phoneMs();
    return { reply: await ask(), sentMs };
  }

  async #learn(sentMs: number, serverInstant: string): Promise<void> {
    const { clock, store } = this.#parts;
    clock.learn(sentMs, clock.phoneMs(), Date.parse(serverInstant));
    await store.put("clockOffsetMs", clock.offsetMs);
  }
}

function after<Value>(ms: number, value: Value): Promise<Value> {
  return new Promise((resolve) => setTimeout(resolve, ms, value));
}

/** What binds a code to a place: the start of the digest of its id (docs/codes.md). */
async function contextOf(subtle: SubtleCrypto, placeId: string): Promise<Uint8Array> {
  const digest = await subtle.digest("SHA-256", new TextEncoder().encode(placeId));
  return new Uint8Array(digest).slice(0, 4);
}
