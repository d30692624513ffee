/** What stands on the screen: built once for each view and language, then only changed in places. */

import { type Child, element, fill } from "../dom/element.ts";
import type { Station } from "./enrolment.ts";
import { sentenceOf } from "./reasons.ts";
import type { UplinkStatus } from "./uplink.ts";
import type { Outcome } from "./validator.ts";
import { DEMANDS, type Language, SAID, type Words, yuan } from "./words.ts";

const SVG = "http://www.w3.org/2000/svg";
const TICK = "M14 34 28 48 52 18";
const CROSS = "M18 18 46 46M46 18 18 46";
const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "00", "0"] as const;

/** What the page does when somebody touches it. */
export interface Touched {
  readonly onLanguage: () => void;
  readonly onSound: () => void;
  readonly onEnrol: (terminalId: string, activationCode: string) => void;
  readonly onDigits: (digits: string) => void;
  readonly onErase: () => void;
  readonly onClear: () => void;
  readonly onCharge: () => void;
}

/** The page's own elements that change. */
export class Screen {
  readonly video = element("video", { muted: true, playsinline: true, "aria-hidden": "true" });
  language: Language = "zh";
  readonly #root: Element;
  readonly #touched: Touched;
  readonly #chips = element("div", { class: "chips" });
  // A touch takes it away: the next customer need not wait for it.
  readonly #result = element("div", {
    class: "result",
    hidden: true,
    onclick: () => this.hideOutcome(),
  });
  readonly #prompt = element("div", { class: "prompt" });
  readonly #notice = element("p", { class: "notice", role: "status" });
  readonly #amount = element("output", { class: "amount", "aria-live": "polite" });
  readonly #frames = element("span", { class: "frames" });
  readonly #blind = element("p", { class: "blind" });
  #seesNothing = false;
  readonly #soundButton: HTMLButtonElement;
  // Told aloud: the panel itself is rebuilt each time and would be read twice.
  readonly #spoken = element("div", { class: "spoken", role: "alert" });

  constructor(root: Element, touched: Touched) {
    this.#root = root;
    this.#touched = touched;
    this.#soundButton = element("button", { type: "button", onclick: touched.onSound });
  }

  /** `what` in the language of the screen. */
  say(what: Words): string {
    return what[this.language];
  }

  /** A stable reason as a sentence. */
  reason(code: string): string {
    return sentenceOf(code, this.language);
  }

  /** The form a technician fills in once. `fault` is a stable reason, or none yet. */
  showEnrolment(fault: string | null, isBusy: boolean): void {
    this.#begin();
    const terminal = element("input", {
      id: "terminal-id",
      required: true,
      maxlength: 64,
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
    });
    const code = element("input", {
      id: "activation-code",
      required: true,
      maxlength: 40,
      autocomplete: "off",
      autocapitalize: "characters",
      spellcheck: "false",
      placeholder: "XXXXX-XXXXX-XXXXX-XXXXX",
    });
    const submit = (event: Event): void => {
      event.preventDefault();
      this.#touched.onEnrol(terminal.value.trim(), code.value);
    };
    fill(
      this.#root,
      this.#header(null),
      element(
        "main",
        { class: "enrol" },
        element("h1", {}, this.say(SAID.enrolTitle)),
        element("p", {}, this.say(SAID.enrolHint)),
        element(
          "form",
          { onsubmit: submit },
          element("label", { for: "terminal-id" }, this.say(SAID.terminalId)),
          terminal,
          element("label", { for: "activation-code" }, this.say(SAID.activationCode)),
          code,
          element(
            "button",
            { type: "submit", class: "main", disabled: isBusy },
            this.say(isBusy ? SAID.enrolling : SAID.enrol),
          ),
        ),
        fault !== null && element("p", { class: "fault", role: "alert" }, this.reason(fault)),
      ),
    );
    terminal.focus();
  }

  /** The screen at work: camera, prompt, and a keypad where money is taken. */
  showWork(station: Station): void {
    this.#begin();
    fill(
      this.#root,
      this.#header(station),
      element(
        "main",
        { class: station.pays ? "work counter" : "work" },
        element("h1", { class: "spoken" }, this.say(SAID.title)),
        element("div", { class: "camera" }, this.video, this.#blind, this.#frames),
        element(
          "div",
          { class: "side" },
          this.#prompt,
          station.pays && this.#keypad(),
          this.#notice,
        ),
      ),
      this.#result,
      this.#spoken,
    );
  }

  /** What the passenger is asked to do now. */
  showPrompt(amountFen: number, isCharging: boolean, pays: boolean): void {
    fill(this.#amount, `¥ ${yuan(amountFen)}`);
    if (!pays) {
      fill(
        this.#prompt,
        element("p", { class: "large" }, this.say(SAID.ready)),
        element("p", {}, this.say(this.#seesNothing ? SAID.scannerHint : SAID.readyHint)),
      );
      return;
    }
    const told = isCharging ? SAID.showToPay : SAID.enterAmount;
    fill(this.#prompt, element("p", { class: "large" }, this.say(told)), this.#amount);
  }

  /** Nothing to judge by has come yet. */
  showLoading(): void {
    fill(
      this.#prompt,
      element("p", { class: "large" }, this.say(SAID.loading)),
      element("p", {}, this.say(SAID.loadingHint)),
    );
  }

  /** Why there is no picture; the scanner still works. */
  showCameraFault(reason: string): void {
    this.#seesNothing = true;
    fill(this.#blind, this.reason(reason));
  }

  showSound(isMuted: boolean): void {
    fill(this.#soundButton, this.say(isMuted ? SAID.soundOff : SAID.soundOn));
    this.#soundButton.setAttribute("aria-pressed", String(!isMuted));
  }

  showStatus(status: UplinkStatus): void {
    const chip = (kind: string, ...said: Child[]): HTMLElement =>
      element("span", { class: `chip ${kind}` }, ...said);
    const { waiting, troubled, packageVersion } = status;
    fill(
      this.#chips,
      status.online
        ? chip("online", this.say(SAID.online))
        : chip("offline", this.say(SAID.offline)),
      waiting > 0 && chip("waiting", this.say(SAID.waiting), " ", waiting),
      troubled > 0 && chip("troubled", this.say(SAID.troubled), " ", troubled),
      chip("version", this.say(SAID.version), " ", packageVersion),
    );
    const notice = noticeOf(status);
    fill(this.#notice, notice === null ? null : this.reason(notice));
  }

  showFrameRate(framesPerS: number): void {
    fill(this.#frames, Math.round(framesPerS), " ", this.say(SAID.frames));
  }

  /** The server is being asked about the code just shown. */
  showAsking(): void {
    this.#panel("asking", element("p", { class: "verdict" }, this.say(SAID.asking)));
  }

  /** Colour, icon and words; stays until `hideOutcome`. */
  showOutcome(outcome: Outcome): void {
    const { reason, amountFen, holder, companions } = outcome;
    const isPass = reason === null;
    const paid = isPass && amountFen > 0;
    const verdict = this.say(isPass ? (paid ? SAID.paid : SAID.accepted) : SAID.refused);
    const why = reason === null ? null : this.reason(reason);
    const loud = why ?? (paid ? `¥ ${yuan(amountFen)}` : null);
    const lines = [
      holder === null ? null : this.language === "zh" ? holder.nameZh : holder.nameEn,
      companions > 0 ? `${this.say(SAID.companions)} ${companions}` : null,
      ...[...outcome.demands, ...outcome.warnings].map((one) => this.#demand(one)),
    ].filter((line) => line !== null);
    this.#panel(
      isPass ? "pass" : "refusal",
      icon(isPass ? TICK : CROSS),
      element("p", { class: "verdict" }, verdict),
      loud !== null && element("p", { class: "why" }, loud),
      lines.map((line) => element("p", { class: "line" }, line)),
      reason !== null && element("p", { class: "code" }, reason),
    );
    this.#result.dataset["reason"] = reason ?? "";
    this.#result.dataset["record"] = String(outcome.sequenceNo ?? "");
    fill(this.#spoken, [verdict, loud, ...lines].filter((one) => one !== null).join("。"));
  }

  /** Does an answer stand here, or something typed? */
  get isInUse(): boolean {
    const typed = [...this.#root.querySelectorAll("input")].some((one) => one.value !== "");
    return typed || !this.#result.hidden;
  }

  hideOutcome(): void {
    this.#result.hidden = true;
    fill(this.#spoken);
  }

  #demand(name: string): string | null {
    const said = DEMANDS[name];
    return said === undefined ? null : this.say(said);
  }

  #panel(kind: string, ...children: Child[]): void {
    this.#result.className = `result ${kind}`;
    this.#result.dataset["reason"] = "";
    fill(this.#result, children);
    this.#result.hidden = false;
  }

  #begin(): void {
    document.documentElement.lang = this.language === "zh" ? "zh-CN" : "en";
    document.title = this.say(SAID.title);
    this.hideOutcome();
  }

  #header(station: Station | null): HTMLElement {
    const { onLanguage } = this.#touched;
    return element(
      "header",
      {},
      element("strong", {}, [this.say(SAID.title), ...this.#standsAt(station)].join(" · ")),
      this.#chips,
      element(
        "div",
        { class: "settings" },
        station && this.#soundButton,
        element("button", { type: "button", onclick: onLanguage }, this.say(SAID.language)),
      ),
    );
  }

  /** Whose terminal it is and which door; its number only where no name of either is known. */
  #standsAt(station: Station | null): readonly string[] {
    if (station === null) return [];
    const { gateId, terminalId } = station.place;
    const { merchantName } = station.enrolment;
    const known = [merchantName === undefined ? "" : this.say(merchantName), gateId];
    const said = known.filter((one) => one !== "");
    return said.length > 0 ? said : [terminalId];
  }

  #keypad(): HTMLElement {
    const { onDigits, onErase, onClear, onCharge } = this.#touched;
    const key = (name: string, onclick: () => void, kind = ""): HTMLElement =>
      element("button", { type: "button", class: kind, onclick }, name);
    return element(
      "div",
      { class: "keypad", role: "group", "aria-label": this.say(SAID.amount) },
      KEYS.map((digits) => key(digits, () => onDigits(digits))),
      key(this.say(SAID.erase), onErase),
      key(this.say(SAID.clear), onClear),
      key(this.say(SAID.charge), onCharge, "main wide"),
    );
  }
}

function noticeOf(status: UplinkStatus): string | null {
  if (status.failing === "invalid_client") return status.failing;
  return status.packageVersion === 0 ? "package_missing" : null;
}

function icon(path: string): SVGElement {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", "0 0 64 64");
  drawing.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  drawing.append(line);
  return drawing;
}
