/** The code: always fresh, with its seconds left, large and bright where that is wanted. */

import { correction, generate } from "lean-qr";
import { element, fill } from "../dom/element.ts";
import { icon } from "../dom/icon.ts";
import { NoCodeError, type ShownCode } from "./code_source.ts";
import { SCENE_DRAWINGS } from "./drawings.ts";
import { badge, type Page, type View } from "./page.ts";
import { ALL_SCENES, sceneSwitch, scenesOf } from "./scene_switch.ts";
import { brighten, keepAwake } from "./screen_light.ts";
import { SignedOutError } from "./session.ts";

const QUIET_ZONE = 4;
const TICK_MS = 500;
const RETRY_MS = 3_000;

export const codeView: View = {
  title: "code",
  show(page, body, leaving) {
    new CodePanel(page, body, leaving).start();
  },
};

class CodePanel {
  readonly #page: Page;
  readonly #body: HTMLElement;
  readonly #leaving: AbortSignal;
  readonly #canvas = element("canvas", { class: "qr", role: "img" });
  readonly #frame = element("div", { class: "frame", "aria-busy": "true" }, this.#canvas);
  readonly #left = element("p", { class: "left" });
  // The seconds stand beside it in words.
  readonly #life = element("progress", { class: "life", max: 1, value: 1, "aria-hidden": "true" });
  readonly #origin = element("p", { class: "origin", role: "status" });
  #code: ShownCode | null = null;
  #spanMs = 1;
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
        this.#purpose(),
        this.#frame,
        this.#life,
        this.#left,
        this.#origin,
        element(
          "button",
          { type: "button", class: "wide", onclick: () => this.#brighten() },
          page.say("bright"),
        ),
      ),
      // In elder mode there is one thing on each page: what the code is for has a page of its own.
      !page.parts.look().elder && sceneSwitch(page, this.#leaving),
    );
  }

  /** What the code on the screen is for, where it is not for everything. */
  #purpose(): HTMLElement | null {
    const page = this.#page;
    const { sceneMode, scene, place } = page.parts.look();
    if (sceneMode === "fused") return null;
    const at = page.language === "zh-CN" ? place?.nameZh : place?.nameEn;
    const said = page.name("scene", scene);
    return element(
      "p",
      { class: "purpose" },
      icon(SCENE_DRAWINGS[scene]),
      element(
        "span",
        {},
        sceneMode === "bound" && at !== undefined
          ? `${said} · ${page.say("boundTo", { place: at })}`
          : said,
      ),
    );
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
    this.#life.value = Math.max(0, this.#code.refreshAtMs - nowMs) / this.#spanMs;
    if (nowMs >= this.#code.expiresAtMs) this.#hide();
    if (leftS === 0) void this.#renew();
  }

  async #renew(): Promise<void> {
    if (this.#asking > 0) return;
    this.#asking += 1;
    const { codes, look } = this.#page.parts;
    const { sceneMode, scene, place } = look();
    try {
      const code = await codes.next(
        scenesOf(sceneMode, scene),
        sceneMode === "bound" ? (place?.id ?? null) : null,
      );
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
    const page = this.#page;
    if (!this.#frame.isConnected) this.#layout();
    this.#code = code;
    this.#spanMs = Math.max(1, code.refreshAtMs - page.parts.clock.nowMs());
    this.#retryAtMs = 0;
    drawQR(this.#canvas, code.text);
    this.#frame.setAttribute("aria-busy", "false");
    this.#frame.dataset["origin"] = code.origin;
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
