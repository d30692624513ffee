/**
 * What a verifier remembers from one code to the next, as interfaces and as bounded memory.
 *
 * A gate that must survive a power cut implements the interfaces on its own store, in the
 * transaction that also writes its record.
 */

import { type Bytes, hex } from "./bytes.ts";
import { CodeRefusal } from "./refusal.ts";
import type { PublicKey } from "./suites.ts";

const IDENTITIES_MAX = 200_000;
const DEVICES_MAX = 20_000;
const AUTHORISATIONS_MAX = 2048;
const IDENTITY_DEVICE_SIZE = 21;

/** What was noticed about an accepted code. */
export type Warning = "list_stale" | "counter_regression";

/** One code about to be accepted; `identity` is semantic, never the bytes. */
export interface Claim {
  readonly identity: string;
  /** Class D: the counter of the device key. */
  readonly counter: number | null;
  readonly nowS: number;
  /** Until when a code with this identity could be accepted, Unix s. */
  readonly expiresAtS: number;
}

/** Remembers what was accepted. */
export interface ReplayGuard {
  /** Claim once and for all. Throws `CodeRefusal` when claimed before, or when full. */
  claim(claim: Claim): Promise<readonly Warning[]>;
}

/** One offline use about to be counted, with the caps that stand in the code. Amounts in fen. */
export interface OfflineUse {
  /** Issuer and token. */
  readonly authorisation: string;
  readonly amountFen: number;
  readonly cumulativeCapFen: number;
  readonly usesMax: number;
  readonly expiresAtS: number;
}

/** Counts uses of class D authorisations. */
export interface OfflineUses {
  /** Count `use`, or throw what `checkUse` throws and count nothing. */
  add(use: OfflineUse): Promise<void>;
}

/** Refuse when this use on top of earlier ones passes a cap. Throws `CodeRefusal`. */
export function checkUse(use: OfflineUse, usedFen: number, usedCount: number): void {
  if (usedFen + use.amountFen > use.cumulativeCapFen) {
    throw new CodeRefusal("cap_cumulative_exceeded", `${usedFen} + ${use.amountFen} fen`);
  }
  if (usedCount + 1 > use.usesMax) {
    throw new CodeRefusal("cap_count_exceeded", `${use.usesMax} uses reached`);
  }
}

/** The device a class D identity belongs to: class, issuer and token. */
export function deviceOf(identity: string): string {
  return identity.slice(0, IDENTITY_DEVICE_SIZE);
}

/**
 * A guard in memory. Full of identities that still count it refuses and forgets none: forgetting
 * would let somebody flood it and then replay.
 */
export class MemoryReplayGuard implements ReplayGuard {
  readonly #claimed = new Map<string, number>();
  readonly #highest = new Map<string, number>();

  constructor(
    private readonly identitiesMax: number = IDENTITIES_MAX,
    private readonly devicesMax: number = DEVICES_MAX,
  ) {}

  async claim({ identity, counter, nowS, expiresAtS }: Claim): Promise<readonly Warning[]> {
    const before = this.#claimed.get(identity);
    if (before !== undefined && before >= nowS) {
      throw new CodeRefusal("code_replayed", "claimed before");
    }
    if (this.#claimed.size >= this.identitiesMax) this.#forgetEnded(nowS);
    this.#claimed.set(identity, expiresAtS);
    return counter === null ? [] : this.#watchCounter(deviceOf(identity), counter);
  }

  #forgetEnded(nowS: number): void {
    for (const [identity, expiresAtS] of this.#claimed) {
      if (expiresAtS < nowS) this.#claimed.delete(identity);
    }
    if (this.#claimed.size >= this.identitiesMax) {
      throw new CodeRefusal("ask_online", "replay guard is full");
    }
  }

  #watchCounter(device: string, counter: number): readonly Warning[] {
    const highest = this.#highest.get(device) ?? -1;
    this.#highest.delete(device);
    this.#highest.set(device, Math.max(highest, counter));
    // Only a report depends on the highest counter: the device least recently seen goes first.
    for (const [oldest] of this.#highest) {
      if (this.#highest.size <= this.devicesMax) break;
      this.#highest.delete(oldest);
    }
    return counter < highest ? ["counter_regression"] : [];
  }
}

/** Offline uses in memory, for tests and for gates that are mostly online. */
export class MemoryOfflineUses implements OfflineUses {
  readonly #used = new Map<string, { fen: number; count: number }>();

  async add(use: OfflineUse): Promise<void> {
    const used = this.#used.get(use.authorisation) ?? { fen: 0, count: 0 };
    checkUse(use, used.fen, used.count);
    this.#used.set(use.authorisation, { fen: used.fen + use.amountFen, count: used.count + 1 });
  }
}

/**
 * Authorisations already verified, by their exact bytes and the very issuer key they were verified
 * with; least recently used go first. Remembering one saves one of the two signatures of class D.
 */
export class AuthorisationCache {
  readonly #known = new Map<string, PublicKey>();

  constructor(private readonly authorisationsMax: number = AUTHORISATIONS_MAX) {}

  get(authorisation: Bytes, issuerKey: PublicKey): PublicKey | undefined {
    const name = nameOf(authorisation, issuerKey);
    const known = this.#known.get(name);
    if (known !== undefined) {
      this.#known.delete(name);
      this.#known.set(name, known);
    }
    return known;
  }

  add(authorisation: Bytes, issuerKey: PublicKey, deviceKey: PublicKey): void {
    this.#known.set(nameOf(authorisation, issuerKey), deviceKey);
    for (const [oldest] of this.#known) {
      if (this.#known.size <= this.authorisationsMax) break;
      this.#known.delete(oldest);
    }
  }
}

function nameOf(authorisation: Bytes, issuerKey: PublicKey): string {
  return `${hex(issuerKey.raw)}:${hex(authorisation)}`;
}
