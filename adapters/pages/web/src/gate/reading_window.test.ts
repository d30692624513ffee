import assert from "node:assert/strict";
import { test } from "node:test";
import { readingWindow } from "./reading_window.ts";

test("a small picture is read whole, as it is, each time", () => {
  for (const frameNo of [0, 1, 2]) {
    const whole = { x: 0, y: 0, width: 640, height: 480, readWidth: 640, readHeight: 480 };
    assert.deepEqual(readingWindow(frameNo, 640, 480), whole);
  }
});

test("a large one by turns whole and small, and its middle pixel by pixel", () => {
  const whole = { x: 0, y: 0, width: 1280, height: 720, readWidth: 640, readHeight: 360 };
  assert.deepEqual(readingWindow(0, 1280, 720), whole);
  const middle = { x: 320, y: 40, width: 640, height: 640, readWidth: 640, readHeight: 640 };
  assert.deepEqual(readingWindow(1, 1280, 720), middle);
  assert.deepEqual(readingWindow(2, 1280, 720), whole);
  const nearer = { x: 427, y: 147, width: 427, height: 427, readWidth: 640, readHeight: 640 };
  assert.deepEqual(readingWindow(3, 1280, 720), nearer);
  assert.deepEqual(readingWindow(4, 1280, 720), whole);
});

test("of a tablet held upright, too", () => {
  const middle = { x: 40, y: 320, width: 640, height: 640, readWidth: 640, readHeight: 640 };
  assert.deepEqual(readingWindow(1, 720, 1280), middle);
});
