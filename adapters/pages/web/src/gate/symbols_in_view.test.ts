import assert from "node:assert/strict";
import { test } from "node:test";
import { AWAY_FRAMES, AWAY_MS, SymbolsInView } from "./symbols_in_view.ts";

/** Frames 50 ms apart from `fromMs` on; how often each text was new. */
function film(view: SymbolsInView, texts: readonly (string | null)[], fromMs = 0): string[] {
  return texts.filter((text, at) => {
    const atMs = fromMs + 50 * at;
    const isNew = view.frame(text, atMs);
    if (isNew && text !== null) view.hold(text, atMs);
    return isNew;
  }) as string[];
}

test("a symbol that stays is one scan, misread frames between or not", () => {
  const texts = Array.from({ length: 200 }, (_, at) => (at % 7 < 4 ? "A" : null));
  assert.deepEqual(film(new SymbolsInView(), texts), ["A"]);
});

test("it counts anew once it was away", () => {
  const away = Array.from({ length: AWAY_MS / 50 + 1 }, () => null);
  assert.deepEqual(film(new SymbolsInView(), ["A", ...away, "A"]), ["A", "A"]);
});

test("a tablet that looked at nothing for seconds has seen nobody go", () => {
  const view = new SymbolsInView();
  film(view, ["A", "A"]);
  assert.equal(view.frame(null, 60_000), false);
  assert.equal(view.frame("A", 60_050), false);
});

test("it was away too where the frame that shows it again is the next after enough empty ones", () => {
  const view = new SymbolsInView();
  film(view, ["A", ...Array.from({ length: AWAY_FRAMES }, () => null)]);
  assert.equal(view.frame("A", AWAY_MS + 400), true);
});

test("two phones before one camera are two scans, however the reader chooses between them", () => {
  const texts = Array.from({ length: 100 }, (_, at) => (at % 2 === 0 ? "A" : "B"));
  assert.deepEqual(film(new SymbolsInView(), texts), ["A", "B"]);
});

test("what nobody could take up yet is offered again", () => {
  const view = new SymbolsInView();
  assert.equal(view.frame("A", 0), true);
  assert.equal(view.frame("A", 50), true);
});

test("what is forgotten comes anew", () => {
  const view = new SymbolsInView();
  film(view, ["A", "A"]);
  view.forget();
  assert.equal(view.frame("A", 200), true);
});
