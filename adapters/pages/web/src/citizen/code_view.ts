/** The code: always fresh, with its seconds left, large and bright where that is wanted. */

import { correction, generate } from "lean-qr";
import { element, fill } from "../dom/element.ts";
import { SCENES } from "../verifier/fields.ts";
import { NoCodeError, type ShownCode } from "./code_source.ts";
import type { SceneMode } from "./look.ts";
import { badge, type Page, type View } from "./page.ts";
import { brighten, keepAwake } from "./screen_light.ts";
import { SignedOutError } from "./session.ts";

export const ALL_SCENES = Object.keys(SCENES);
const MODES: readonly SceneMode[] = ["fused", "bound", "switched"];
const QUIET_ZONE = 4;
const TICK_MS = 500;
const RETRY_MS = 3_000;

export const codeView: View = {
  title: "code",
  show(page, body, leaving) {
    new CodePanel(page, body, leaving).start();
  },
};

/** The scenes the code is for: one fused code for all, or the one that is bound or switched to. */
export function scenesOf(mode: SceneMode, scene: string): readonly string[] {
  return mode === "fused" ? ALL_SCENES : [scene];
}

class CodePanel {
  readonly #page: Page;
  readonly #body: HTMLElement;
  readonly #leaving: AbortSignal;
  readonly #canvas = element("canvas", { class: "qr", role: "img" });
  readonly #frame = element("div", { class: "frame", "aria-busy": "true" }, this.#canvas);
  readonly #left = element("p", { class: "left" });
  readonly #origin = element("p", { class: "origin", role: "status" });
  #code: ShownCode | null = null;
  #asking = 0;
  #retryAtMs = 0;

  constructor(page: Page, body: HTMLElement, leaving: AbortSignal) {
    this.#page = page;
    this.#body = body;
    this.#leaving = leaving;
  }

  start(): void {
    this.#canvas.setAttribute("aria-label", this.#page.say("codeLabel"));
    this.#layout();
    keepAwake(this.#leaving);
    const ticking = setInterval(() => this.#tick(), TICK_MS);
    this.#leaving.addEventListener("abort", () => clearInterval(ticking));
    // Timers sleep while the page is hidden: whoever comes back must not see a code that has ended.
    const still = { signal: this.#leaving };
    document.addEventListener("visibilitychange", () => this.#tick(), still);
    addEventListener("online", () => void this.#renew(), still);
    void this.#renew();
  }

  #layout(): void {
    const page = this.#page;
    fill(
      this.#body,
      element(
        "section",
        { class: "card code" },
        this.#frame,
        this.#left,
        this.#origin,
        element(
          "button",
          { type: "button", class: "wide", onclick: () => this.#brighten() },
          page.say("bright"),
        ),
      ),
      this.#sceneSwitch(),
    );
  }

  #sceneSwitch(): HTMLElement {
    const page = this.#page;
    const { sceneMode, scene } = page.parts.look();
    const modes = MODES.map((mode) =>
      element(
        "button",
        {
          type: "button",
          "aria-pressed": String(mode === sceneMode),
          onclick: () => this.#choose(mode, scene),
        },
        page.say(mode),
      ),
    );
    const scenes = ALL_SCENES.map((one) =>
      element(
        "button",
        {
          type: "button",
          "aria-pressed": String(one === scene),
          onclick: () => this.#choose(sceneMode, one),
        },
        page.name("scene", one),
      ),
    );
    const hint = { fused: "fusedHint", bound: "boundHint", switched: "switchedHint" } as const;
    return element(
      "section",
      { class: "card scenes", "aria-label": page.say("chooseScene") },
      element("div", { class: "segments", role: "group" }, ...modes),
      element("p", { class: "quiet" }, page.say(hint[sceneMode])),
      sceneMode !== "fused" &&
        element(
          "div",
          { class: "chips", role: "group", "aria-label": page.say("chooseScene") },
          ...scenes,
        ),
    );
  }

  #choose(sceneMode: SceneMode, scene: string): void {
    this.#page.parts.change({ sceneMode, scene });
  }

  #tick(): void {
    if (document.visibilityState !== "visible") return;
    const nowMs = this.#page.parts.clock.nowMs();
    if (this.#code === null) {
      if (this.#retryAtMs > 0 && nowMs >= this.#retryAtMs) void this.#renew();
      return;
    }
    const leftS = Math.max(0, Math.ceil((this.#code.refreshAtMs - nowMs) / 1000));
    fill(this.#left, this.#page.say(leftS > 0 ? "secondsLeft" : "refreshing", { n: leftS }));
    if (nowMs >= this.#code.expiresAtMs) this.#hide();
    if (leftS === 0) void this.#renew();
  }

  async #renew(): Promise<void> {
    if (this.#asking > 0) return;
    this.#asking += 1;
    const { codes, look } = this.#page.parts;
    const { sceneMode, scene } = look();
    try {
      const code = await codes.next(scenesOf(sceneMode, scene));
      if (this.#leaving.aborted) return;
      this.#show(code);
      if (code.origin === "server") await codes.prepare(ALL_SCENES);
    } catch (fault) {
      if (!this.#leaving.aborted) this.#tell(fault);
    } finally {
      this.#asking -= 1;
    }
  }

  #show(code: ShownCode): void {
    if (!this.#frame.isConnected) this.#layout();
    this.#code = code;
    this.#retryAtMs = 0;
    drawQR(this.#canvas, code.text);
    this.#frame.setAttribute("aria-busy", "false");
    this.#frame.dataset["origin"] = code.origin;
    const page = this.#page;
    fill(
      this.#origin,
      code.origin === "page" && badge(page.say("offlineCode"), "warn"),
      code.origin === "page" && element("span", { class: "quiet" }, page.say("offlineHint")),
    );
    this.#tick();
  }

  /** A code that has ended is not shown: it would only be refused at the gate. */
  #hide(): void {
    this.#code = null;
    this.#retryAtMs = this.#page.parts.clock.nowMs();
    this.#frame.setAttribute("aria-busy", "true");
  }

  #tell(fault: unknown): void {
    this.#retryAtMs = this.#page.parts.clock.nowMs() + RETRY_MS;
    if (this.#code !== null) return; // the one on the screen is still good
    const page = this.#page;
    const again = () => void this.#renew();
    if (!(fault instanceof NoCodeError)) {
      // Only a person can end this state; asking the host again and again would not.
      if (fault instanceof SignedOutError) this.#retryAtMs = 0;
      fill(this.#body, page.fault(fault, again));
      return;
    }
    fill(
      this.#body,
      element(
        "section",
        { class: "notice", role: "alert" },
        element("h2", {}, page.say("noCode")),
        element("p", {}, page.say("noCodeHint")),
        element("button", { type: "button", class: "primary", onclick: again }, page.say("retry")),
      ),
    );
  }

  /** White to the edges and as large as the screen: what a scanner in the sun needs. */
  #brighten(): void {
    const page = this.#page;
    const closing = new AbortController();
    const dialog = element("dialog", { class: "bright", "aria-label": page.say("bright") });
    const hint = element("p", {}, page.say("brightHint"));
    const canvas = this.#canvas;
    const close = () => {
      closing.abort();
      this.#frame.append(canvas);
      dialog.close();
      dialog.remove();
    };
    dialog.addEventListener("cancel", close);
    this.#leaving.addEventListener("abort", close, { signal: closing.signal });
    fill(
      dialog,
      canvas,
      hint,
      element("button", { type: "button", class: "wide", onclick: close }, page.say("close")),
    );
    document.body.append(dialog);
    dialog.showModal();
    void brighten(page.parts.bridge, closing.signal).then((done) => {
      if (done) fill(hint, page.say("brightDone"));
    });
  }
}

/** Draws a QR symbol, error correction M, one canvas pixel per module; CSS makes it large. */
export function drawQR(canvas: HTMLCanvasElement, text: string): void {
  const level = { minCorrectionLevel: correction.M, maxCorrectionLevel: correction.M };
  generate(text, level).toCanvas(canvas, {
    on: [0, 0, 0, 255],
    off: [255, 255, 255, 255],
    pad: QUIET_ZONE,
  });
}
