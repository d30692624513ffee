import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryOfflineUses, MemoryReplayGuard } from "./verifier_memory.ts";

const DEVICE = "D3704aaaaaaaaaaaaaaaa";
const NOW_S = 1_790_000_000;

function claim(counter: number, nowS = NOW_S, expiresAtS = NOW_S + 60) {
  const identity = DEVICE + counter.toString(16).padStart(6, "0");
  return { identity, counter, nowS, expiresAtS };
}

describe("the replay guard in memory", () => {
  it("accepts a code once until it has ended", async () => {
    const guard = new MemoryReplayGuard();
    assert.deepEqual(await guard.claim(claim(1)), []);
    await assert.rejects(guard.claim(claim(1)), { reason: "code_replayed" });
    await assert.rejects(guard.claim(claim(1, NOW_S + 60)), { reason: "code_replayed" });
  });

  it("reports a counter that goes back, the sign of two copies of one key", async () => {
    const guard = new MemoryReplayGuard();
    await guard.claim(claim(5));
    assert.deepEqual(await guard.claim(claim(4)), ["counter_regression"]);
    assert.deepEqual(await guard.claim(claim(6)), []);
  });

  it("refuses when full of codes that still count, and forgets only those that ended", async () => {
    const guard = new MemoryReplayGuard(2);
    await guard.claim(claim(1));
    await guard.claim(claim(2));
    await assert.rejects(guard.claim(claim(3)), { reason: "ask_online" });
    assert.deepEqual(await guard.claim(claim(3, NOW_S + 61, NOW_S + 120)), []);
  });
});

describe("the offline uses in memory", () => {
  const use = {
    authorisation: "14084:aa",
    amountFen: 200,
    cumulativeCapFen: 500,
    usesMax: 3,
    expiresAtS: NOW_S,
  };

  it("stop at the cumulative cap and count nothing that was refused", async () => {
    const uses = new MemoryOfflineUses();
    await uses.add(use);
    await uses.add(use);
    await assert.rejects(uses.add(use), { reason: "cap_cumulative_exceeded" });
    await uses.add({ ...use, amountFen: 100 });
    await assert.rejects(uses.add({ ...use, amountFen: 0 }), { reason: "cap_count_exceeded" });
  });
});
