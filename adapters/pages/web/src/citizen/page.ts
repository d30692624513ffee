/** What every view works with, and how a view is put on the page. */

import { type Child, element, fill } from "../dom/element.ts";
import { type Api, NetworkAwayError, Refusal } from "./api.ts";
import type { CodeSource } from "./code_source.ts";
import type { HostBridge } from "./host_bridge.ts";
import type { Look } from "./look.ts";
import type { PhoneClock } from "./phone_clock.ts";
import { NotProvedError, type Session, SignedOutError } from "./session.ts";
import { day, instant, NAMES, nameOf, say, type Word, yuan } from "./words.ts";

/** A view: its title, its content, and what must stop when it leaves the screen. */
export interface View {
  readonly title: Word;
  /** The view one goes back to; none for the places of the bottom bar. */
  readonly back?: string;
  show(page: Page, body: HTMLElement, leaving: AbortSignal): Promise<void> | void;
}

export interface PageParts {
  readonly api: Api;
  readonly session: Session;
  readonly codes: CodeSource;
  readonly clock: PhoneClock;
  readonly bridge: HostBridge;
  readonly look: () => Look;
  readonly change: (look: Partial<Look>) => void;
}

export class Page {
  readonly parts: PageParts;

  constructor(parts: PageParts) {
    this.parts = parts;
  }

  get language() {
    return this.parts.look().language;
  }

  say(word: Word, filled?: Readonly<Record<string, string | number>>): string {
    return say(this.language, word, filled);
  }

  name(kind: keyof typeof NAMES, code: string): string {
    return nameOf(this.language, kind, code);
  }

  instant(when: string | number): string {
    return instant(this.language, when);
  }

  day(when: string | number): string {
    return day(this.language, when);
  }

  /** What the server answers, asked within the session. */
  read<Reply>(path: string): Promise<Reply> {
    return this.parts.session.within(() => this.parts.api.get<Reply>(path));
  }

  /** One act, repeated under the same key if the session must be opened on the way. */
  act<Reply>(path: string, body?: object): Promise<Reply> {
    const key = crypto.randomUUID();
    return this.parts.session.within(() => this.parts.api.post<Reply>(path, body, key));
  }

  /** An act that binds money: the host asks for PIN or fingerprint where it has not just done so. */
  async actProved<Reply>(path: string, body: object): Promise<Reply> {
    const key = crypto.randomUUID();
    const { api, session } = this.parts;
    const once = () => session.within(() => api.post<Reply>(path, body, key));
    try {
      return await once();
    } catch (fault) {
      if (!(fault instanceof Refusal) || fault.code !== "authentication_stale") throw fault;
      await session.prove();
      return once();
    }
  }

  /** A fault as a person reads it, with a way on. */
  fault(fault: unknown, retry: () => void): HTMLElement {
    const [title, hint] = this.#told(fault);
    return element(
      "section",
      { class: "notice", role: "alert" },
      element("h2", {}, title),
      hint !== "" && element("p", {}, hint),
      element("button", { type: "button", class: "primary", onclick: retry }, this.say("retry")),
    );
  }

  #told(fault: unknown): readonly [string, string] {
    if (fault instanceof SignedOutError) return [this.say("signedOut"), this.say("signedOutHint")];
    if (fault instanceof NotProvedError) return [this.say("notProved"), this.say("notProvedHint")];
    if (fault instanceof NetworkAwayError) return [this.say("away"), this.say("awayHint")];
    if (fault instanceof Refusal) return [fault.message || this.say("failed"), ""];
    return [this.say("failed"), ""];
  }
}

/** Reads, then shows; meanwhile says that it is under way, afterwards what went wrong. */
export async function loaded<Reply>(
  page: Page,
  body: HTMLElement,
  leaving: AbortSignal,
  read: () => Promise<Reply>,
  shown: (reply: Reply) => Child,
): Promise<void> {
  fill(body, element("p", { class: "quiet", role: "status" }, page.say("loading")));
  try {
    const reply = await read();
    if (!leaving.aborted) fill(body, shown(reply));
  } catch (fault) {
    if (leaving.aborted) return;
    const again = () => void loaded(page, body, leaving, read, shown);
    fill(body, page.fault(fault, again));
  }
}

/** Does one act and shows the view again; what went wrong is said in its place. */
export async function acted(
  page: Page,
  body: HTMLElement,
  path: string,
  again: () => void,
): Promise<void> {
  try {
    await page.act(path);
    again();
  } catch (fault) {
    fill(body, page.fault(fault, again));
  }
}

export function list(entries: readonly Child[], empty: string): HTMLElement {
  if (entries.length === 0) return element("p", { class: "quiet" }, empty);
  return element("ul", { class: "entries" }, ...entries.map((one) => element("li", {}, one)));
}

export function pairs(...rows: readonly (readonly [string, Child] | false)[]): HTMLElement {
  return element(
    "dl",
    { class: "pairs" },
    ...rows.flatMap((row) =>
      row === false ? [] : [element("dt", {}, row[0]), element("dd", {}, row[1])],
    ),
  );
}

export function badge(text: string, tone: "good" | "warn" | "plain"): HTMLElement {
  return element("span", { class: `badge ${tone}` }, text);
}

/** Asks before something is done; true where the person says so. */
export function asked(page: Page, question: string): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = element("dialog", { "aria-label": question });
    const answer = (yes: boolean) => () => {
      resolve(yes);
      dialog.close();
      dialog.remove();
    };
    dialog.addEventListener("cancel", answer(false));
    fill(
      dialog,
      element("p", {}, question),
      element(
        "div",
        { class: "choices" },
        element("button", { type: "button", onclick: answer(false) }, page.say("cancel")),
        element(
          "button",
          { type: "button", class: "danger", onclick: answer(true) },
          page.say("confirm"),
        ),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}

export { yuan };
