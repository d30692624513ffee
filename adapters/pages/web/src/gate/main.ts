/** The gate and counter page: enrols once, then scans, decides, shows. */

import "./page.css";
import { followReleases } from "../dom/release.ts";
import { Camera, type CameraFault } from "./camera.ts";
import { Database } from "./database.ts";
import { enrol, readEnrolment, SceneNotOfflineError } from "./enrolment.ts";
import { openQrReader } from "./qr_reader.ts";
import { Screen } from "./screen.ts";
import { ServerAwayError, ServerRefusedError } from "./server.ts";
import { Sound } from "./sound.ts";
import { Terminal } from "./terminal.ts";
import { refusedOutcome } from "./validator.ts";
import { Wedge } from "./wedge.ts";
import type { Language } from "./words.ts";

const SHOWN_MS = 2_600;
const AMOUNT_MAX_FEN = 99_999_999;
// Refusals that say nothing of the code: a phone that is still held up is judged again.
const OWN_REASONS: ReadonlySet<string> = new Set([
  "package_missing",
  "package_expired",
  "terminal_clock",
  "queue_full",
  "storage_full",
  "storage_failed",
]);

class Page {
  readonly #sound = new Sound();
  readonly #wedge = new Wedge();
  readonly #screen: Screen;
  #terminal: Terminal | null = null;
  #amountFen = 0;
  #isCharging = false;
  #isScanning = false;
  #isWaiting = false;
  #camera: Camera | null = null;
  #cameraFault: CameraFault | null = null;
  #hiding: ReturnType<typeof setTimeout> | undefined;
  #redraw: () => void = () => undefined;

  constructor(
    root: Element,
    private readonly database: Database,
  ) {
    this.#screen = new Screen(root, {
      onLanguage: () => this.#changeLanguage(),
      onSound: () => {
        this.#sound.muted = !this.#sound.muted;
        this.#sound.play(true);
        this.#screen.showSound(this.#sound.muted);
      },
      onEnrol: (terminalId, code) => void this.#enrol(terminalId, code),
      onDigits: (digits) => this.#setAmount(Number(`${this.#amountFen}${digits}`)),
      onErase: () => this.#setAmount(Math.floor(this.#amountFen / 10)),
      onClear: () => this.#setAmount(0),
      onCharge: () => {
        this.#isCharging = this.#amountFen > 0;
        this.#showPrompt();
      },
    });
  }

  async open(): Promise<void> {
    const chinese = navigator.language.toLowerCase().startsWith("zh");
    const kept = await this.database.fact<Language>("language");
    this.#screen.language = kept ?? (chinese ? "zh" : "en");
    addEventListener("keydown", (event) => this.#press(event), { capture: true });
    addEventListener("pointerdown", () => this.#sound.unlock());
    addEventListener("online", () => this.#terminal?.reconnected());
    document.addEventListener("visibilitychange", () => void stayAwake());
    const enrolment = await readEnrolment(this.database);
    if (enrolment === undefined) this.#showEnrolment(null, false);
    else await this.#begin();
  }

  /** Is nobody served, and would the camera come back without a question? */
  async isAtRest(): Promise<boolean> {
    if (this.#isScanning || this.#amountFen > 0 || this.#screen.isInUse) return false;
    if (this.#camera === null || this.#cameraFault !== null) return true;
    const asked = navigator.permissions.query({ name: "camera" });
    return (await asked.catch(() => null))?.state === "granted";
  }

  #showEnrolment(fault: string | null, isBusy: boolean): void {
    this.#redraw = () => this.#screen.showEnrolment(fault, isBusy);
    this.#redraw();
  }

  async #enrol(terminalId: string, activationCode: string): Promise<void> {
    this.#sound.unlock();
    this.#showEnrolment(null, true);
    try {
      await enrol(this.database, terminalId, activationCode);
      // Without it a browser short of room may take key and records away.
      await navigator.storage.persist();
      await this.#begin();
    } catch (error) {
      if (error instanceof ServerRefusedError) this.#showEnrolment(error.reason, false);
      else if (error instanceof ServerAwayError) this.#showEnrolment("server_away", false);
      else throw error;
    }
  }

  async #begin(): Promise<void> {
    const enrolment = await readEnrolment(this.database);
    if (enrolment === undefined) return;
    try {
      this.#terminal = await Terminal.open({
        database: this.database,
        enrolment,
        nowMs: () => Date.now(),
        onStatus: (status) => {
          this.#screen.showStatus(status);
          if (this.#isWaiting) this.#showPrompt();
          this.#redraw = () => {
            this.#showWork();
            this.#screen.showStatus(status);
          };
        },
        onAsking: () => this.#screen.showAsking(),
      });
    } catch (error) {
      if (!(error instanceof SceneNotOfflineError)) throw error;
      this.#showEnrolment("scene_not_offline", false);
      return;
    }
    this.#redraw = () => this.#showWork();
    this.#redraw();
    void stayAwake();
    await this.#openCamera();
  }

  #showWork(): void {
    if (this.#terminal === null) return;
    this.#screen.showWork(this.#terminal.station);
    this.#screen.showSound(this.#sound.muted);
    if (this.#cameraFault !== null) this.#screen.showCameraFault(this.#cameraFault);
    this.#showPrompt();
  }

  #showPrompt(): void {
    this.#isWaiting = this.#terminal?.isReady !== true;
    if (this.#isWaiting) return this.#screen.showLoading();
    const pays = this.#terminal?.station.pays ?? false;
    this.#screen.showPrompt(this.#amountFen, this.#isCharging, pays);
  }

  async #openCamera(): Promise<void> {
    const { video } = this.#screen;
    const camera = new Camera({
      video,
      read: await openQrReader(),
      onScan: (text, seenAtMs) => this.#terminal?.isReady === true && this.#takeUp(text, seenAtMs),
      onFrameRate: (rate) => this.#screen.showFrameRate(rate),
    });
    this.#camera = camera;
    this.#cameraFault = await camera.start();
    if (this.#cameraFault === null) return;
    this.#screen.showCameraFault(this.#cameraFault);
    this.#showPrompt();
  }

  #press(event: KeyboardEvent): void {
    this.#sound.unlock();
    const { scan, taken } = this.#wedge.press(event.key, event.timeStamp);
    if (this.#terminal === null) return;
    // A scanner's blank or Enter must not press the button that has the focus.
    if (taken) event.preventDefault();
    if (scan !== null) this.#takeUp(scan, event.timeStamp);
  }

  #setAmount(amountFen: number): void {
    if (amountFen > AMOUNT_MAX_FEN) return;
    this.#amountFen = amountFen;
    this.#isCharging = false;
    this.#showPrompt();
  }

  /** One scan at a time, and at a counter none before an amount stands there; false for neither. */
  #takeUp(text: string, seenAtMs: number): boolean {
    const terminal = this.#terminal;
    if (terminal === null || this.#isScanning) return false;
    if (terminal.station.pays && !this.#isCharging) return false;
    void this.#scan(terminal, text, seenAtMs);
    return true;
  }

  async #scan(terminal: Terminal, text: string, seenAtMs: number): Promise<void> {
    this.#isScanning = true;
    clearTimeout(this.#hiding);
    let isOurs = false;
    try {
      const outcome = await terminal.scan(text, this.#amountFen);
      performance.measure("scan-to-decision", { start: seenAtMs, end: performance.now() });
      this.#screen.showOutcome(outcome);
      this.#sound.play(outcome.reason === null);
      if (outcome.reason === null) this.#setAmount(0);
      if (OWN_REASONS.has(outcome.reason ?? "")) isOurs = true;
    } catch (error) {
      this.#screen.showOutcome(refusedOutcome("fault", this.#amountFen, Date.now()));
      throw error;
    } finally {
      this.#isScanning = false;
      this.#hiding = setTimeout(() => {
        this.#screen.hideOutcome();
        if (isOurs) this.#camera?.again();
      }, SHOWN_MS);
    }
  }

  #changeLanguage(): void {
    this.#screen.language = this.#screen.language === "zh" ? "en" : "zh";
    void this.database.remember({ language: this.#screen.language });
    this.#redraw();
  }
}

/** A gate whose screen has gone dark lets nobody in. */
async function stayAwake(): Promise<void> {
  if (document.visibilityState !== "visible" || !("wakeLock" in navigator)) return;
  // Refused where the battery is low; then the guard touches the screen.
  await navigator.wakeLock.request("screen").catch(() => undefined);
}

const root = document.getElementById("page");
if (root !== null) {
  const page = new Page(root, await Database.open());
  void page.open();
  void followReleases("/gate/worker.js", () => page.isAtRest());
}
