// Clock, words, money, look: the small rules of the page.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keepLook, readLook } from "./look.ts";
import { PhoneClock } from "./phone_clock.ts";
import { boundBy } from "./scene_switch.ts";
import { instant, nameOf, say, yuan } from "./words.ts";

class FakeStorage implements Pick<Storage, "getItem" | "setItem"> {
  readonly kept = new Map<string, string>();

  getItem(key: string): string | null {
    return this.kept.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.kept.set(key, value);
  }
}

describe("the phone's clock", () => {
  it("follows the server, to half a round trip", () => {
    for (const wrongMs of [-3_600_000, 0, 86_400_000]) {
      for (const tripMs of [0, 80, 4_000]) {
        const trueMs = 1_800_000_000_000;
        const clock = new PhoneClock(() => trueMs + wrongMs + tripMs);
        // The server's stamp lies anywhere between sending and receiving.
        for (const stampMs of [trueMs, trueMs + tripMs / 2, trueMs + tripMs]) {
          clock.learn(trueMs + wrongMs, trueMs + wrongMs + tripMs, stampMs);
          assert.ok(Math.abs(clock.nowMs() - (trueMs + tripMs)) <= tripMs / 2);
        }
      }
    }
  });

  it("keeps what it has learned", () => {
    const clock = new PhoneClock(() => 1_000);
    clock.recall(-400);
    assert.equal(clock.nowMs(), 600);
    assert.equal(clock.offsetMs, -400);
    assert.equal(clock.phoneMs(), 1_000);
  });
});

describe("words", () => {
  it("fills in what stands in braces", () => {
    assert.equal(say("en", "secondsLeft", { n: 7 }), "Renewed in 7 s");
    assert.equal(say("zh-CN", "secondsLeft", { n: 7 }), "7 秒后自动更新");
    assert.equal(say("en", "secondsLeft"), "Renewed in  s");
  });

  it("names codes, and shows a new one as it is", () => {
    assert.equal(nameOf("zh-CN", "scene", "bus"), "公交");
    assert.equal(nameOf("en", "scene", "bus"), "Bus");
    assert.equal(nameOf("en", "scene", "harbour"), "harbour");
  });

  it("loses no fen and no sign", () => {
    const told = [0, 1, 99, 100, 123_456, -5, -1_234].map(yuan);
    const right = ["¥0.00", "¥0.01", "¥0.99", "¥1.00", "¥1234.56", "-¥0.05", "-¥12.34"];
    assert.deepEqual(told, right);
  });

  it("tells instants in the city's zone, wherever the phone believes to be", () => {
    assert.match(instant("zh-CN", "2026-06-01T02:00:00Z"), /2026.*06.*01.*10:00/);
    assert.match(instant("en", Date.UTC(2026, 5, 1, 2)), /1 Jun 2026.*10:00/);
  });
});

describe("the look", () => {
  it("is that of the browser's language until somebody chooses", () => {
    const storage = new FakeStorage() as unknown as Storage;
    assert.equal(readLook(storage, ["en-GB"]).language, "en");
    assert.equal(readLook(storage, ["zh-TW"]).language, "zh-CN");
    assert.equal(readLook(storage, []).language, "zh-CN");
    const place = { id: "school-1", nameZh: "一中", nameEn: "No. 1 School" };
    const chosen = {
      language: "en",
      elder: true,
      sceneMode: "bound",
      scene: "school",
      place,
    } as const;
    keepLook(storage, chosen);
    assert.deepEqual(readLook(storage, ["zh-CN"]), chosen);
  });

  it("survives a storage that is broken or refuses", () => {
    const storage = new FakeStorage();
    storage.setItem("cardcore.look", "{");
    assert.equal(readLook(storage as unknown as Storage, ["zh"]).elder, false);
    const refusing = {
      getItem: () => null,
      setItem: () => {
        throw new DOMException("full", "QuotaExceededError");
      },
    } as unknown as Storage;
    keepLook(refusing, readLook(refusing, []));
  });
});

describe("a link to a place", () => {
  it("binds the code to the line, door or terminal it names, in words of both languages", () => {
    const bound = (hash: string) => {
      const { sceneMode, scene, place } = boundBy(hash) ?? {};
      return [sceneMode, scene, place?.id, place?.nameZh, place?.nameEn];
    };
    assert.deepEqual(bound("#at/bus/K1"), ["bound", "bus", "K1", "K1 路", "line K1"]);
    assert.deepEqual(bound("#at/community/N01"), [
      "bound",
      "community",
      "N01",
      "N01 门",
      "door N01",
    ]);
    assert.deepEqual(bound("#at/retail/%E5%BA%971"), ["bound", "retail", "店1", "店1", "店1"]);
  });

  it("binds nothing where it names no scene or no place", () => {
    const others = [
      "",
      "#code",
      "#at/bus",
      "#at/bus/",
      "#at/moon/K1",
      "#at/bus/K1/2",
      "#at/bus/%E5",
    ];
    for (const other of [...others, `#at/bus/${"K".repeat(65)}`]) {
      assert.equal(boundBy(other), null, other);
    }
  });
});
