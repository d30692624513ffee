/**
 * Which symbols stand before the camera, told by the frames that were read. Pure.
 *
 * A symbol that stays is one scan. It counts anew once enough frames over enough time were without it:
 * time alone proves nothing, for a tablet at its limits looks at no frame for seconds.
 */

export const AWAY_MS = 1_500;
export const AWAY_FRAMES = 5;

interface Held {
  seenAtMs: number;
  missed: number;
}

export class SymbolsInView {
  readonly #held = new Map<string, Held>();

  /** One frame was read: `text` is what was in it, null for nothing. Is that symbol a new one? */
  frame(text: string | null, atMs: number): boolean {
    for (const [held, since] of this.#held) {
      if (held === text) continue;
      since.missed += 1;
      const isAway = since.missed >= AWAY_FRAMES && atMs - since.seenAtMs >= AWAY_MS;
      if (isAway) this.#held.delete(held);
    }
    if (text === null) return false;
    const held = this.#held.get(text);
    if (held === undefined) return true;
    const wasAway = held.missed >= AWAY_FRAMES && atMs - held.seenAtMs >= AWAY_MS;
    if (wasAway) this.#held.delete(text);
    else this.#held.set(text, { seenAtMs: atMs, missed: 0 });
    return wasAway;
  }

  /** This symbol was taken up: while it stays it is not new. */
  hold(text: string, atMs: number): void {
    this.#held.set(text, { seenAtMs: atMs, missed: 0 });
  }

  /** Take up again what is in view, as if it had just come. */
  forget(): void {
    this.#held.clear();
  }
}
