/**
 * Replay guard and offline uses of one scan: what is asked is read, what is learnt is collected, and
 * all of it is written in the one transaction that also writes the record. Nothing is forgotten by
 * the terminal's own clock: a clock that jumps forward and back would open a door for old codes.
 */

import { CodeRefusal } from "../verifier/refusal.ts";
import {
  type Claim,
  checkUse,
  deviceOf,
  type OfflineUse,
  type OfflineUses,
  type ReplayGuard,
  type Warning,
} from "../verifier/verifier_memory.ts";
import type { Claimed, Database, Device, UsedHere } from "./database.ts";

const DEVICE_KEPT_S = 8 * 86_400;
export const FORGET_MARGIN_S = 86_400;

export class ScanMemory implements ReplayGuard, OfflineUses {
  claimed: Claimed | null = null;
  device: Device | null = null;
  readonly used: UsedHere[] = [];

  constructor(private readonly database: Database) {}

  async claim(claim: Claim): Promise<readonly Warning[]> {
    const { identity, counter, nowS, expiresAtS } = claim;
    if ((await this.database.get("claimed", identity)) !== undefined) {
      throw new CodeRefusal("code_replayed", "claimed before");
    }
    this.claimed = { identity, expiresAtS };
    if (counter === null) return [];
    const device = deviceOf(identity);
    const highest = (await this.database.get("device", device))?.highestCounter ?? -1;
    const highestCounter = Math.max(highest, counter);
    this.device = { device, highestCounter, expiresAtS: nowS + DEVICE_KEPT_S };
    return counter < highest ? ["counter_regression"] : [];
  }

  async add(use: OfflineUse): Promise<void> {
    const before = await this.database.get("used", use.authorisation);
    const usedFen = before?.usedFen ?? 0;
    const usedCount = before?.usedCount ?? 0;
    checkUse(use, usedFen, usedCount);
    this.used.push({
      authorisation: use.authorisation,
      usedFen: usedFen + use.amountFen,
      usedCount: usedCount + 1,
      expiresAtS: use.expiresAtS,
    });
  }
}
