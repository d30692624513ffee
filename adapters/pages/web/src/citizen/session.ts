/**
 * The session: opened with a one-time code of the host, found again after a reload, renewed when it
 * has ended. Its token is in a cookie no script reads; what is kept here is the token against forged
 * requests, in memory.
 */

import { type Api, Refusal } from "./api.ts";
import type { HostBridge } from "./host_bridge.ts";
import type { Store } from "./store.ts";

/** Nobody is signed in, and the host does not sign anybody in. */
export class SignedOutError extends Error {
  override readonly name = "SignedOutError";
}

/** The act needs a person who has just proved who they are, and the host did not say so. */
export class NotProvedError extends Error {
  override readonly name = "NotProvedError";
}

export interface Me {
  readonly user_id: string;
  readonly level: string;
  readonly name_masked: string | null;
  readonly concessions: readonly string[];
  readonly funds: readonly Fund[];
}

export interface Fund {
  readonly fund: string;
  readonly regime: string;
  readonly balance_fen: number;
  readonly held_fen: number;
  readonly available_fen: number;
  readonly nature: string;
  readonly credit_limit_fen: number;
  readonly valid_to: string | null;
}

interface SessionView {
  readonly csrf_token: string;
}

export class Session {
  readonly #api: Api;
  readonly #bridge: HostBridge;
  readonly #store: Store;
  #opening: Promise<void> | null = null;

  constructor(api: Api, bridge: HostBridge, store: Store) {
    this.#api = api;
    this.#bridge = bridge;
    this.#store = store;
  }

  /** Be signed in as whoever the host says is there. One opening at a time serves all who wait. */
  open(): Promise<void> {
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  /** Do `act`; where the session has ended meanwhile, sign in once more and do it again. */
  async within<Result>(act: () => Promise<Result>): Promise<Result> {
    if (this.#api.csrfToken === "") await this.open();
    try {
      return await act();
    } catch (fault) {
      if (!(fault instanceof Refusal) || !ENDED.has(fault.code)) throw fault;
      this.#api.csrfToken = "";
      await this.open();
      return act();
    }
  }

  /**
   * Open a session whose person has just proved who they are to the host.
   *
   * Throws `NotProvedError` where there is no host, or the person did not.
   */
  async prove(): Promise<void> {
    const found = await this.#bridge.account();
    const owner = await this.#store.get("owner");
    const same = owner !== undefined && owner.account === (found?.account ?? null);
    const code = found === null || !same ? null : await this.#bridge.hostCode(true);
    if (found === null || code === null) throw new NotProvedError();
    await this.#exchanged(code, found.clientId);
  }

  /** May what is kept here be used by whoever is signed in to the host, without asking the server? */
  async isOwn(): Promise<boolean> {
    const owner = await this.#store.get("owner");
    if (owner === undefined) return false;
    const found = await this.#bridge.account().catch(() => null);
    return owner.account === (found?.account ?? null);
  }

  async close(): Promise<void> {
    await this.#api.delete("/v1/citizen-session").catch(() => undefined);
    this.#api.csrfToken = "";
    await this.#store.clear();
  }

  async #open(): Promise<void> {
    const found = await this.#bridge.account();
    const owner = await this.#store.get("owner");
    const same = owner !== undefined && owner.account === (found?.account ?? null);
    // In a host a running session counts only where it was opened for the account that is there now.
    if ((found === null || same) && (await this.#resumed())) {
      if (!same) await this.#own(null);
      return;
    }
    const code = found === null ? null : await this.#bridge.hostCode();
    if (found === null || code === null) throw new SignedOutError();
    await this.#exchanged(code, found.clientId);
    if (!same) await this.#own(found.account);
  }

  async #exchanged(hostCode: string, clientId: string): Promise<void> {
    const body = { host_code: hostCode, client_id: clientId };
    const view = await this.#api.post<SessionView>("/v1/citizen-session", body);
    this.#api.csrfToken = view.csrf_token;
  }

  async #resumed(): Promise<boolean> {
    try {
      this.#api.csrfToken = (await this.#api.get<SessionView>("/v1/citizen-session")).csrf_token;
      return true;
    } catch (fault) {
      if (fault instanceof Refusal) return false;
      throw fault;
    }
  }

  /** Keys and authorisations are one person's: another one begins with nothing. */
  async #own(account: string | null): Promise<void> {
    const { user_id: userId } = await this.#api.get<Me>("/v1/me");
    const owner = await this.#store.get("owner");
    if (owner?.userId !== userId) await this.#store.clear();
    await this.#store.put("owner", { account, userId });
  }
}

const ENDED = new Set(["session_invalid", "csrf_refused"]);
