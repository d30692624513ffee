/** `/v1` as this page asks it: JSON, the session's cookie, its token against forged requests. */

/** A refusal of the server (RFC 9457), in the language that was asked for. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: string;
  readonly status: number;

  constructor(status: number, code: string, title: string) {
    super(title);
    this.status = status;
    this.code = code;
  }
}

/** The network, or the server behind it, is away. */
export class NetworkAwayError extends Error {
  override readonly name = "NetworkAwayError";
}

export const ANSWER_WITHIN_MS = 6_000;

export class Api {
  csrfToken = "";
  language: "zh-CN" | "en" = "zh-CN";
  readonly #fetch: typeof fetch;

  constructor(fetcher: typeof fetch) {
    this.#fetch = fetcher;
  }

  get<Reply>(path: string): Promise<Reply> {
    return this.#ask<Reply>("GET", path);
  }

  /** `key`: the idempotency key, the same for every try of one act. */
  post<Reply>(path: string, body?: object, key?: string): Promise<Reply> {
    return this.#ask<Reply>("POST", path, body, key);
  }

  delete(path: string): Promise<unknown> {
    return this.#ask("DELETE", path);
  }

  async #ask<Reply>(method: string, path: string, body?: object, key?: string): Promise<Reply> {
    const headers: Record<string, string> = { "Accept-Language": this.language };
    if (method !== "GET") headers["X-CSRF-Token"] = this.csrfToken;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key !== undefined) headers["Idempotency-Key"] = key;
    let answer: Response;
    try {
      answer = await this.#fetch(path, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        cache: "no-store",
        credentials: "same-origin",
        redirect: "error",
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
    } catch {
      throw new NetworkAwayError(path);
    }
    if (answer.ok) return (await answer.json()) as Reply;
    const problem = (await answer.json().catch(() => ({}))) as { code?: string; title?: string };
    if (answer.status >= 500 && problem.code === undefined) throw new NetworkAwayError(path);
    throw new Refusal(answer.status, problem.code ?? "unknown", problem.title ?? "");
  }
}
