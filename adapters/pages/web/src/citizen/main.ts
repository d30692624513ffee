/** The citizen's page: put together here, one view at a time, chosen by the hash of the address. */

import "./page.css";
import { element, fill } from "../dom/element.ts";
import { icon } from "../dom/icon.ts";
import { followReleases } from "../dom/release.ts";
import { Api } from "./api.ts";
import { CodeSource } from "./code_source.ts";
import { codeView } from "./code_view.ts";
import { PLACE_DRAWINGS } from "./drawings.ts";
import { familyStepView, familyView } from "./family_view.ts";
import { guidanceView } from "./guidance_view.ts";
import { bridgeOf, type NativeHost } from "./host_bridge.ts";
import { keepLook, type Look, readLook } from "./look.ts";
import { disputesView, disputeView, fundsView, ordersView, orderView } from "./money_views.ts";
import { Page, type View } from "./page.ts";
import { accessesView, cardsView, moreView, settingsView } from "./person_views.ts";
import { PhoneClock } from "./phone_clock.ts";
import { boundBy, scenesView } from "./scene_switch.ts";
import { Session } from "./session.ts";
import { Store } from "./store.ts";
import { visitorsView } from "./visitor_view.ts";
import type { Word } from "./words.ts";

const VIEWS: Readonly<Record<string, View>> = {
  code: codeView,
  funds: fundsView,
  orders: ordersView,
  more: moreView,
  scenes: scenesView,
  cards: cardsView,
  disputes: disputesView,
  family: familyView,
  visitors: visitorsView,
  guidance: guidanceView,
  accesses: accessesView,
  settings: settingsView,
};
const BAR: readonly (readonly [string, Word])[] = [
  ["code", "code"],
  ["funds", "funds"],
  ["orders", "orders"],
  ["more", "more"],
];

class Citizen {
  readonly #root: HTMLElement;
  readonly #page: Page;
  readonly #api: Api;
  #look: Look;
  #leaving = new AbortController();

  constructor(root: HTMLElement, origins: readonly string[]) {
    this.#root = root;
    this.#look = readLook(localStorage, navigator.languages);
    this.#api = new Api(fetch.bind(window));
    const store = new Store(indexedDB);
    const bridge = bridgeOf(window as Window & { cardcoreHost?: NativeHost }, origins);
    const session = new Session(this.#api, bridge, store);
    const clock = new PhoneClock(() => Date.now());
    const codes = new CodeSource({
      api: this.#api,
      session,
      store,
      clock,
      subtle: crypto.subtle,
      online: () => navigator.onLine,
    });
    this.#page = new Page({
      api: this.#api,
      session,
      codes,
      clock,
      bridge,
      look: () => this.#look,
      change: (change) => this.#change(change),
    });
  }

  start(): void {
    addEventListener("hashchange", () => this.#render(true));
    this.#render(false);
  }

  #change(change: Partial<Look>): void {
    this.#look = { ...this.#look, ...change };
    keepLook(localStorage, this.#look);
    this.#render(false);
  }

  #render(moved: boolean): void {
    const bound = boundBy(location.hash);
    if (bound !== null) {
      // Once: whoever goes back comes to where they were, and is not bound again.
      history.replaceState(null, "", "#code");
      return this.#change(bound);
    }
    this.#leaving.abort();
    this.#leaving = new AbortController();
    const { elder, language } = this.#look;
    this.#api.language = language;
    document.documentElement.lang = language;
    document.documentElement.classList.toggle("elder", elder);
    const [name = "code", id = ""] = (location.hash.slice(1) || "code").split("/");
    const view = viewOf(name, id);
    document.title = `${this.#page.say(view.title)} · ${this.#page.say("title")}`;
    const body = element("main", { id: "main", tabindex: -1 });
    fill(this.#root, this.#header(view, name), body, !elder && this.#bar(name));
    if (elder && name === "code") this.#root.append(this.#onward());
    if (moved) {
      // Whoever reads with ears is told of the new page, and everybody sees its beginning.
      body.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    void view.show(this.#page, body, this.#leaving.signal);
  }

  #header(view: View, name: string): HTMLElement {
    const elderBack = this.#look.elder && name !== "code";
    const home = name === "more" ? "code" : "more";
    const back = view.back ?? (elderBack ? home : null);
    return element(
      "header",
      {},
      back !== null && element("a", { class: "back", href: `#${back}` }, this.#page.say("back")),
      element("h1", {}, this.#page.say(view.title)),
    );
  }

  #bar(name: string): HTMLElement {
    return element(
      "nav",
      { class: "bar", "aria-label": this.#page.say("title") },
      ...BAR.map(([hash, word]) =>
        element(
          "a",
          { href: `#${hash}`, "aria-current": hash === name ? "page" : undefined },
          icon(PLACE_DRAWINGS[hash]),
          element("span", {}, this.#page.say(word)),
        ),
      ),
    );
  }

  /** Elder mode has one thing on each page, and one way on. */
  #onward(): HTMLElement {
    return element(
      "nav",
      { class: "onward", "aria-label": this.#page.say("moreServices") },
      element("a", { class: "button wide", href: "#more" }, this.#page.say("moreServices")),
    );
  }
}

function viewOf(name: string, id: string): View {
  if (name === "order" && id !== "") return orderView(id);
  if (name === "family" && id !== "") return familyStepView(id);
  if (name === "dispute" && id !== "") return disputeView(id);
  return VIEWS[name] ?? codeView;
}

/** The hosts that may embed the page, as the server names them; asked for only where there is one. */
async function hosts(): Promise<readonly string[]> {
  if (window.parent === window && window.opener === null) return [];
  const answer = await fetch("/citizen/embedding.json").catch(() => null);
  if (answer === null || !answer.ok) return [];
  return ((await answer.json()) as { readonly hosts: readonly string[] }).hosts;
}

const root = document.getElementById("page");
if (root !== null) new Citizen(root, await hosts()).start();
// After the code is under way: what works without a network can wait for what does not.
const follow = () => void followReleases("/citizen/worker.js", isAtRest);
if (document.readyState === "complete") follow();
else addEventListener("load", follow);
void navigator.storage?.persist?.().catch(() => false);

/** Is there neither a question on the screen, nor the bright view, nor a form that may be begun? */
function isAtRest(): boolean {
  return document.querySelector("dialog[open], form") === null;
}
