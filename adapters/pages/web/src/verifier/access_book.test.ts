import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AccessBook, localMoment } from "./access_book.ts";
import { fromHex, utf8 } from "./bytes.ts";

const ALIAS = fromHex("0123456789abcdef");
const STRANGER = fromHex("ffffffffffffffff");
const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];

function grant(over: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    door_group: "north",
    relation: "visitor",
    valid_from: "2026-06-01",
    valid_to: "2026-06-02",
    weekdays: EVERY_DAY,
    starts: null,
    ends: null,
    ...over,
  };
}

function book(grants: readonly unknown[], format = 1): AccessBook {
  const document = {
    format,
    doors: { "gate-1": ["north"], "gate-2": ["south"] },
    grants,
    holders: { "0123456789abcdef": grants.map((_, place) => place) },
  };
  return new AccessBook(utf8(JSON.stringify(document)));
}

function at(local: string): number {
  return Date.parse(`${local}+08:00`) / 1000;
}

describe("the access book of a gate", () => {
  const night = { starts: "22:00:00", ends: "06:00:00", weekdays: [0] }; // Monday's night
  const cases: readonly [string, Readonly<Record<string, unknown>>, string, string, string][] = [
    ["inside the days", {}, "gate-1", "2026-06-02T23:59:59", "open"],
    ["the day before, by the city's clock", {}, "gate-1", "2026-05-31T23:59:59", "not_yet_valid"],
    ["the day after", {}, "gate-1", "2026-06-03T00:00:00", "expired"],
    ["another door", {}, "gate-2", "2026-06-01T12:00:00", "no_relation"],
    ["no such door", {}, "gate-9", "2026-06-01T12:00:00", "door_unknown"],
    [
      "start of the hours",
      { starts: "08:00:00", ends: "18:00:00" },
      "gate-1",
      "2026-06-01T08:00:00",
      "open",
    ],
    [
      "end of the hours",
      { starts: "08:00:00", ends: "18:00:00" },
      "gate-1",
      "2026-06-01T18:00:00",
      "outside_hours",
    ],
    ["another weekday", { weekdays: [6] }, "gate-1", "2026-06-01T12:00:00", "outside_hours"],
    ["a night, before midnight", night, "gate-1", "2026-06-01T23:00:00", "open"],
    ["a night, after midnight", night, "gate-1", "2026-06-02T05:59:59", "open"],
    ["the next night", night, "gate-1", "2026-06-02T22:00:00", "outside_hours"],
  ];
  for (const [name, over, door, local, answer] of cases) {
    it(`${name}: ${answer}`, () => {
      assert.equal(book([grant(over)]).decide(ALIAS, door, at(local)), answer);
    });
  }

  it("gives the most favourable answer of several grants, and none to a stranger", () => {
    const two = book([grant({ valid_to: "2026-06-01" }), grant({ weekdays: [1] })]);
    assert.equal(two.decide(ALIAS, "gate-1", at("2026-06-02T10:00:00")), "open");
    assert.equal(two.decide(STRANGER, "gate-1", at("2026-06-02T10:00:00")), "no_relation");
    assert.deepEqual(two.doors, ["gate-1", "gate-2"]);
  });

  it("knows how often a visitor's pass was used, and closes when no use is left", () => {
    const uses = (used: number) => {
      const document = {
        format: 2,
        doors: { "gate-1": ["north"] },
        grants: [grant()],
        holders: { "0123456789abcdef": [0] },
        uses: { "0123456789abcdef": [2, used] },
      };
      return new AccessBook(utf8(JSON.stringify(document)));
    };
    const noon = at("2026-06-01T12:00:00");
    assert.equal(uses(1).decide(ALIAS, "gate-1", noon), "open");
    assert.equal(uses(2).decide(ALIAS, "gate-1", noon), "pass_used_up");
    assert.equal(uses(2).decide(ALIAS, "gate-1", at("2026-06-09T12:00:00")), "expired");
    assert.deepEqual([uses(0).usesMax(ALIAS), uses(0).usesMax(STRANGER)], [2, null]);
  });

  it("is refused when it is of another format or names a grant that is not there", () => {
    assert.throws(() => book([grant()], 3), { name: "JsonShapeError" });
    assert.throws(() => book([grant({ valid_from: "yesterday" })]), { name: "JsonShapeError" });
    const dangling = '{"format":1,"doors":{},"grants":[],"holders":{"00":[0]}}';
    assert.throws(() => new AccessBook(utf8(dangling)), { name: "JsonShapeError" });
  });

  it("reckons in the city's time whatever the machine is set to", () => {
    assert.deepEqual(localMoment(at("2026-06-01T00:00:00")), {
      date: "2026-06-01",
      weekday: 0,
      secondOfDay: 0,
    });
  });
});
