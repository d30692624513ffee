import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Wedge } from "./wedge.ts";

const CODE = "M1:372 .6V5*00$/";

function type(wedge: Wedge, keys: readonly string[], pauseMs: number, startMs = 0) {
  return keys.map((key, place) => wedge.press(key, startMs + pauseMs * place));
}

describe("a scanner that plays a keyboard", () => {
  it("is one scan for a quick burst with Enter, blanks and shifts included", () => {
    const keys = [...CODE].flatMap((key) => (/[A-Z:*$]/.test(key) ? ["Shift", key] : [key]));
    const pressed = type(new Wedge(), [...keys, "Enter"], 4);
    assert.deepEqual(pressed.at(-1), { scan: CODE, taken: true });
    // After the first letter nothing else on the page acts on the keys.
    const letters = pressed.filter((_, place) => keys[place]?.length === 1);
    assert.ok(letters.slice(1).every((one) => one.taken));
  });

  it("is no scan when a person types, or presses Enter alone", () => {
    const wedge = new Wedge();
    const slowly = type(wedge, [..."12345678", "Enter"], 120);
    assert.ok(slowly.every((one) => one.scan === null && !one.taken));
    assert.deepEqual(wedge.press("Enter", 5000), { scan: null, taken: false });
  });

  it("bears a scanner that stalls within one of our codes, and no longer than half a second", () => {
    const keys = [...CODE, "Enter"];
    const stalling = (pauseMs: number) => {
      const wedge = new Wedge();
      const pressed = keys.map((key, place) =>
        wedge.press(key, 4 * place + (place > 5 ? pauseMs : 0)),
      );
      return pressed.at(-1)?.scan;
    };
    assert.equal(stalling(400), CODE);
    assert.notEqual(stalling(600), CODE);
  });

  it("forgets what was typed before the burst, and two bursts are two scans", () => {
    const wedge = new Wedge();
    wedge.press("9", 0);
    const first = type(wedge, [...CODE, "Enter"], 4, 1000);
    const second = type(wedge, [...CODE, "Enter"], 4, 2000);
    assert.deepEqual([first.at(-1)?.scan, second.at(-1)?.scan], [CODE, CODE]);
  });
});
