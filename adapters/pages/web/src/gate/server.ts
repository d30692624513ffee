/**
 * The server as the terminal sees it: a token, and two kinds of no.
 *
 * `ServerAwayError`: nobody knows whether it was heard; the same request is sent again later.
 * `ServerRefusedError`: heard and refused; the same request again would be refused again.
 */

import type { Bytes } from "../verifier/bytes.ts";
import { asObject, asText, parseJson, JsonShapeError } from "../verifier/json.ts";
import type { Enrolment } from "./enrolment.ts";
import { clientAssertion } from "./terminal_key.ts";

const TIMEOUT_MS = 10_000;
const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/** A clock further off than this cannot sign proofs the server believes. */
const ASSERTION_SKEW_MS = 30_000;
const LATER: ReadonlySet<number> = new Set([408, 429]);

export class ServerAwayError extends Error {
  override readonly name = "ServerAwayError";

  constructor(
    readonly reason: string,
    readonly retryAfterS: number = 0,
  ) {
    super(reason);
  }
}

export class ServerRefusedError extends Error {
  override readonly name = "ServerRefusedError";

  constructor(
    readonly status: number,
    readonly reason: string,
    /** The server's own time as the answer had it, Unix ms. */
    readonly serverTimeMs: number | null,
    /** What the refusal told beside its name, such as why a door stays shut. */
    readonly facts: Readonly<Record<string, unknown>>,
  ) {
    super(`${status} ${reason}`);
  }
}

/** A container, and whether it holds all of the package or changes to the one held. */
export interface TravelledPackage {
  readonly data: Bytes;
  readonly isWhole: boolean;
}

/** Enrol; needs no token: the code is the proof. */
export async function enrolAt(body: unknown): Promise<unknown> {
  const answer = await exchange("/v1/enrolments", jsonRequest("POST", body));
  return parseJson(await answer.text());
}

/** Requests of an enrolled terminal; a token is fetched when needed and kept while it is good. */
export class TerminalServer {
  #token = "";

  constructor(
    private readonly enrolment: Enrolment,
    private readonly nowMs: () => number,
  ) {}

  /** The newest package, whole or as changes to the held one; null = none newer. */
  async package(heldEtag: string | null): Promise<TravelledPackage | null> {
    const query = heldEtag === null ? "" : `?held=${heldEtag}`;
    const answer = await this.#withToken(`/v1/terminal-package${query}`, {
      // Ours are the bytes we hold; a cache between us knows nothing of them.
      cache: "no-store",
      headers: heldEtag === null ? {} : { "If-None-Match": `"${heldEtag}"` },
    });
    if (answer.status === 304) return null;
    return {
      data: new Uint8Array(await answer.arrayBuffer()),
      isWhole: answer.headers.get("Package-Form") !== "delta",
    };
  }

  /** Send records. */
  async upload(body: unknown): Promise<unknown> {
    const answer = await this.#withToken("/v1/records", jsonRequest("POST", body));
    return parseJson(await answer.text());
  }

  /** Place an order under the caller's key: the same key is the same order. */
  async order(body: unknown, idempotencyKey: string): Promise<unknown> {
    const request = jsonRequest("POST", body);
    const headers = { ...request.headers, "Idempotency-Key": idempotencyKey };
    const answer = await this.#withToken("/v1/orders", { ...request, headers });
    return parseJson(await answer.text());
  }

  async #withToken(path: string, request: Sent): Promise<Response> {
    if (this.#token !== "") {
      try {
        return await exchange(path, this.#bearing(request));
      } catch (error) {
        if (!(error instanceof ServerRefusedError) || error.status !== 401) throw error;
      }
    }
    await this.#signIn();
    return exchange(path, this.#bearing(request));
  }

  #bearing(request: Sent): Sent {
    return { ...request, headers: { ...request.headers, Authorization: `Bearer ${this.#token}` } };
  }

  /** Fetch a token; a clock that is off is made up for, or it could never report itself. */
  async #signIn(): Promise<void> {
    this.#token = "";
    try {
      this.#token = await this.#fetchToken(this.nowMs());
    } catch (error) {
      if (!(error instanceof ServerRefusedError) || error.serverTimeMs === null) throw error;
      if (Math.abs(this.nowMs() - error.serverTimeMs) <= ASSERTION_SKEW_MS) throw error;
      this.#token = await this.#fetchToken(error.serverTimeMs);
    }
  }

  async #fetchToken(atMs: number): Promise<string> {
    const { clientId, pair, tokenUrl } = this.enrolment;
    const nowS = Math.floor(atMs / 1000);
    const form = new URLSearchParams({
      grant_type: "client_credentials",
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: await clientAssertion(pair, clientId, tokenUrl, nowS),
    });
    // The page's own origin, whatever name the service has for itself.
    const path = new URL(tokenUrl).pathname;
    const answer = await exchange(path, { method: "POST", body: form });
    return asText(asObject(parseJson(await answer.text()))["access_token"]);
  }
}

type Sent = Omit<RequestInit, "headers"> & {
  readonly headers?: Readonly<Record<string, string>>;
};

function jsonRequest(method: string, body: unknown): Sent {
  return {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
}

/** An answer with a status below 400. */
async function exchange(path: string, request: Sent): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      ...request,
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new ServerAwayError("no_answer");
  }
  if (answer.status < 400) return answer;
  throw await refusalOf(answer);
}

async function refusalOf(answer: Response): Promise<ServerAwayError | ServerRefusedError> {
  const problem = await readProblem(answer);
  const reason = String(problem["code"] ?? problem["error"] ?? answer.status);
  if (answer.status >= 500 || LATER.has(answer.status) || problem["retryable"] === true) {
    return new ServerAwayError(reason, Number(answer.headers.get("Retry-After") ?? 0) || 0);
  }
  const date = Date.parse(answer.headers.get("Date") ?? "");
  const facts = problem["facts"];
  const told = typeof facts === "object" && facts !== null ? facts : {};
  return new ServerRefusedError(
    answer.status,
    reason,
    Number.isNaN(date) ? null : date,
    told as Readonly<Record<string, unknown>>,
  );
}

async function readProblem(answer: Response): Promise<Readonly<Record<string, unknown>>> {
  try {
    return asObject(parseJson(await answer.text()));
  } catch (error) {
    if (error instanceof JsonShapeError) return {};
    throw new ServerAwayError("no_answer");
  }
}
