/** What one verification costs in this browser: `cardcore bench gate` runs it inside a page. */

import { verify } from "./acceptance.ts";
import { KeyRing } from "./key_ring.ts";
import { makePolicy } from "./policy.ts";
import { STATUS, type StatusSource } from "./status_list.ts";

// A browser's clock has steps of 0.1 ms: several verifications are timed together.
const GROUP = 10;

/** One code to be accepted, and the instant and scene it is good at. */
interface Subject {
  readonly name: string;
  readonly text: string;
  readonly nowS: number;
  readonly scope: number;
}

const ALL_VALID: StatusSource = {
  forIssuer: () => ({
    issuedAtS: 0,
    expiresAtS: Number.MAX_SAFE_INTEGER,
    status: () => STATUS.valid,
  }),
};

/** Median microseconds of each subject, over groups; nothing is remembered from one round to the next. */
async function measure(
  ringJson: string,
  subjects: readonly Subject[],
  rounds: number,
): Promise<Readonly<Record<string, number>>> {
  const keys = KeyRing.fromJson(ringJson);
  const medians: Record<string, number> = {};
  for (const { name, text, nowS, scope } of subjects) {
    const policy = await makePolicy({ scope, needs: 1, listAgeMaxS: Number.MAX_SAFE_INTEGER });
    const given = { keys, statusLists: ALL_VALID, policy, nowS, amountFen: 0, replay: null };
    const times: number[] = [];
    for (let group = 0; group < rounds / GROUP; group += 1) {
      const startedMs = performance.now();
      for (let round = 0; round < GROUP; round += 1) await verify(text, given);
      times.push((1000 * (performance.now() - startedMs)) / GROUP);
    }
    times.sort((left, right) => left - right);
    medians[name] = times[Math.floor(times.length / 2)] ?? 0;
  }
  return medians;
}

Object.assign(globalThis, { measureVerifier: measure });
