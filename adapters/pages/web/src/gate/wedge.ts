/**
 * A scanner that plays a keyboard: a burst of keys far faster than a person types, ended by Enter.
 * Pure but for the clock in each key: `press` says what a key means and whether the page may see it.
 */

import { TEXT_PREFIX } from "../verifier/presented.ts";

const PAUSE_MAX_MS = 60;
// A scanner on the air may stall; nobody types what our codes begin with.
const PAUSE_IN_CODE_MAX_MS = 500;
const BURST_MIN = 6;

/** What became of one key. */
export interface Pressed {
  /** The text of a finished burst. */
  readonly scan: string | null;
  /** Is the key part of a burst, so that nothing else on the page may act on it? */
  readonly taken: boolean;
}

const NOTHING: Pressed = { scan: null, taken: false };

/** Tells a scanner from a person. */
export class Wedge {
  #text = "";
  #lastMs = Number.NEGATIVE_INFINITY;

  /** `key` as in `KeyboardEvent.key`, `atMs` when it went down. */
  press(key: string, atMs: number): Pressed {
    const isCode = this.#text.startsWith(TEXT_PREFIX);
    const isQuick = atMs - this.#lastMs <= (isCode ? PAUSE_IN_CODE_MAX_MS : PAUSE_MAX_MS);
    this.#lastMs = atMs;
    if (!isQuick) this.#text = "";
    if (key === "Enter") return this.#end();
    // Shift and the like come between the letters of a scanner, too.
    if (key.length !== 1) return NOTHING;
    this.#text += key;
    return { scan: null, taken: this.#text.length > 1 };
  }

  #end(): Pressed {
    const text = this.#text;
    this.#text = "";
    return text.length >= BURST_MIN ? { scan: text, taken: true } : NOTHING;
  }
}
