/**
 * The last good terminal package: believed when it came, kept durably, judged by age at each scan.
 * It is kept with the keys and the instant it was believed by, so that it is believed again after a
 * restart although its keys may have been changed since.
 */

import { ACCESS_PART, AccessBook } from "../verifier/access_book.ts";
import type { Bytes } from "../verifier/bytes.ts";
import { JsonShapeError } from "../verifier/json.ts";
import type { KeyRing } from "../verifier/key_ring.ts";
import { DocumentRefusal } from "../verifier/refusal.ts";
import { openPackage, type TerminalPackage } from "../verifier/terminal_package.ts";
import {
  PARAMETERS_PART,
  readParameters,
  type TerminalParameters,
} from "../verifier/terminal_parameters.ts";
import type { Database } from "./database.ts";

/** A part of the package is in no form known here; the last good package stays. */
export class PartInvalidError extends Error {
  override readonly name = "PartInvalidError";
  readonly reason = "document_part_invalid";
}

/** A believed package with its parts read. */
export interface Instructions {
  readonly package: TerminalPackage;
  readonly parameters: TerminalParameters;
  readonly access: AccessBook | null;
}

/** A step from one package to the next: what travelled, and the instant it was believed at. */
interface KeptStep {
  readonly container: Bytes;
  readonly believedAtS: number;
}

// A chain of deltas is as good as a whole package, and replayed quickly; but not for ever.
const STEPS_MAX = 12;

/** Holds what the terminal works with now. */
export class PackageStore {
  #current: Instructions | null = null;
  #steps: readonly KeptStep[] = [];

  private constructor(
    private readonly database: Database,
    private readonly pinned: KeyRing,
  ) {}

  /** The store with its last good package, if that can still be read. */
  static async open(database: Database, pinned: KeyRing): Promise<PackageStore> {
    const store = new PackageStore(database, pinned);
    const steps = (await database.fact<readonly KeptStep[]>("package")) ?? [];
    try {
      for (const step of steps) {
        store.#current = await store.#read(step);
      }
      store.#steps = steps;
    } catch (error) {
      if (!(error instanceof DocumentRefusal) && !(error instanceof PartInvalidError)) throw error;
      // Damaged: the next pull brings a whole one.
      store.#current = null;
    }
    return store;
  }

  /** The last good package, null before the first. */
  get current(): Instructions | null {
    return this.#current;
  }

  /** Must the whole package be asked for, rather than what changed? */
  get wantsWhole(): boolean {
    return this.#steps.length >= STEPS_MAX;
  }

  /**
   * Believe a container on top of the current package, and keep it durably.
   *
   * Throws `DocumentRefusal`, `PartInvalidError`, `StorageError`; the current package stays.
   */
  async take(container: Bytes, isWhole: boolean, nowS: number): Promise<Instructions> {
    const step = { container, believedAtS: nowS };
    const next = await this.#read(step);
    const steps = isWhole ? [step] : [...this.#steps, step];
    await this.database.remember({ package: steps });
    this.#current = next;
    this.#steps = steps;
    return next;
  }

  async #read(step: KeptStep): Promise<Instructions> {
    const held = this.#current?.package;
    const opened = await openPackage(step.container, this.#believed(), step.believedAtS, held);
    return withParts(opened);
  }

  /** The keys of the held package sign the next one; before that, the pinned ones. */
  #believed(): KeyRing {
    const keys = this.#current?.package.keys;
    return keys?.signsPackages ? keys : this.pinned;
  }
}

function withParts(opened: TerminalPackage): Instructions {
  const access = opened.blobs.get(ACCESS_PART);
  try {
    return {
      package: opened,
      parameters: readParameters(opened.blobs.get(PARAMETERS_PART)),
      access: access === undefined ? null : new AccessBook(access),
    };
  } catch (error) {
    if (error instanceof JsonShapeError || error instanceof TypeError) {
      throw new PartInvalidError(error.message);
    }
    throw error;
  }
}
