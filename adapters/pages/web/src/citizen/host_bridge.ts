/**
 * The app that embeds this page, as the page sees it: `docs/embedding.md` is the contract.
 *
 * A host says who is signed in to it (an opaque account reference), gives a one-time code for that
 * account, and may help with what the web cannot do. It never gets a code, a token or a key of ours.
 * Three hosts: a frame's parent or the window that opened us, by `postMessage` with a strict origin;
 * a native app's injected object; and nobody, in a plain browser.
 */

/** What a host answers when asked who is there. `account` is opaque, stable, and no personal datum. */
export interface HostAccount {
  readonly account: string;
  readonly clientId: string;
}

/** The port. Every call may take as long as the host likes; `HostSilentError` after the deadline. */
export interface HostBridge {
  readonly kind: "window" | "native" | "none";
  /** Who is signed in to the host; null where there is no host or nobody is. Works off-line. */
  account(): Promise<HostAccount | null>;
  /**
   * A one-time code for that account; null where the host gives none. `fresh`: the host asks for PIN or
   * fingerprint first, which takes as long as a person takes.
   */
  hostCode(fresh?: boolean): Promise<string | null>;
  /** Ask for a screen brightness of 0 to 1, or null for the person's own. False: cannot. */
  brightness(level: number | null): Promise<boolean>;
}

/** The host did not answer in time. */
export class HostSilentError extends Error {
  override readonly name = "HostSilentError";
}

export const CONTRACT = 1;
export const ANSWER_WITHIN_MS = 5_000;
/** A person looks for a finger or a PIN. */
export const PROVED_WITHIN_MS = 120_000;

type Ask = "account" | "host_code" | "brightness";
type Answer = Readonly<Record<string, unknown>>;

/** What a native app injects as `window.cardcoreHost`: text in, text (or a promise of it) out. */
export interface NativeHost {
  ask(request: string): string | Promise<string>;
}

abstract class AskingBridge implements HostBridge {
  abstract readonly kind: "window" | "native";
  protected abstract ask(ask: Ask, details?: Answer): Promise<Answer>;

  async account(): Promise<HostAccount | null> {
    const { account, client_id: clientId } = await this.ask("account");
    if (typeof account !== "string" || typeof clientId !== "string") return null;
    return { account, clientId };
  }

  async hostCode(fresh = false): Promise<string | null> {
    const { host_code: code } = await this.ask("host_code", fresh ? { fresh } : {});
    return typeof code === "string" ? code : null;
  }

  async brightness(level: number | null): Promise<boolean> {
    return (await this.ask("brightness", { level }))["done"] === true;
  }
}

/** The window around or behind this page, reached by messages that only known origins may answer. */
export class WindowBridge extends AskingBridge {
  readonly kind = "window";
  readonly #page: Window;
  readonly #host: Window;
  readonly #origins: readonly string[];
  #last = 0;

  constructor(page: Window, host: Window, origins: readonly string[]) {
    super();
    this.#page = page;
    this.#host = host;
    this.#origins = origins;
  }

  protected ask(ask: Ask, details: Answer = {}): Promise<Answer> {
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve, reject) => {
      const stop = () => {
        this.#page.removeEventListener("message", hear);
        clearTimeout(deadline);
      };
      const hear = (event: MessageEvent<unknown>) => {
        if (event.source !== this.#host || !this.#origins.includes(event.origin)) return;
        const said = event.data as Answer | null;
        if (typeof said !== "object" || said === null) return;
        if (said["cardcore"] !== CONTRACT || said["id"] !== id) return;
        stop();
        resolve(said);
      };
      const withinMs = details["fresh"] === true ? PROVED_WITHIN_MS : ANSWER_WITHIN_MS;
      const deadline = setTimeout(() => {
        stop();
        reject(new HostSilentError(`the host did not answer ${ask}`));
      }, withinMs);
      this.#page.addEventListener("message", hear);
      // Sent to each known origin by name: a browser delivers only the one that is true.
      for (const origin of this.#origins) {
        this.#host.postMessage({ ...details, cardcore: CONTRACT, id, ask }, origin);
      }
    });
  }
}

/** A native app, through the object its web view injects. */
export class NativeBridge extends AskingBridge {
  readonly kind = "native";
  readonly #host: NativeHost;

  constructor(host: NativeHost) {
    super();
    this.#host = host;
  }

  protected async ask(ask: Ask, details: Answer = {}): Promise<Answer> {
    const said: unknown = JSON.parse(
      await this.#host.ask(JSON.stringify({ ...details, cardcore: CONTRACT, ask })),
    );
    return typeof said === "object" && said !== null ? (said as Answer) : {};
  }
}

/** A plain browser: a session that is open goes on, and none can be opened from here. */
export class BrowserBridge implements HostBridge {
  readonly kind = "none";

  account(): Promise<null> {
    return Promise.resolve(null);
  }

  hostCode(): Promise<null> {
    return Promise.resolve(null);
  }

  brightness(): Promise<boolean> {
    return Promise.resolve(false);
  }
}

/** The bridge to whatever is around this page; `origins` are the hosts the server names. */
export function bridgeOf(
  page: Window & { readonly cardcoreHost?: NativeHost },
  origins: readonly string[],
): HostBridge {
  if (page.cardcoreHost !== undefined) return new NativeBridge(page.cardcoreHost);
  const around = page.parent !== page ? page.parent : (page.opener as Window | null);
  if (around !== null && origins.length > 0) return new WindowBridge(page, around, origins);
  return new BrowserBridge();
}
