/**
 * The one place that survives a power cut: IndexedDB of this origin. A scan is one transaction with
 * strict durability: the claim of the code, the count of the use, the signed record and the new end
 * of the chain are all there, or none is.
 */

import type { Bytes } from "../verifier/bytes.ts";

const NAME = "gate";
const VERSION = 1;

/** A record in the queue. `state` is the server's word for it, or `queued`, or `held`. */
export interface KeptRecord {
  /** The order here; given by the database. */
  readonly number?: number;
  readonly kid: number;
  readonly sequenceNo: number;
  readonly data: Bytes;
  readonly accepted: boolean;
  readonly occurredAtMs: number;
  readonly state: RecordState;
  readonly reason: string | null;
}

export type RecordState = "queued" | "held" | "booked" | "duplicate" | "review" | "rejected";

/** A code that was accepted; forgotten by the server's time alone. */
export interface Claimed {
  readonly identity: string;
  readonly expiresAtS: number;
}

/** The highest counter seen of a phone's key. */
export interface Device {
  readonly device: string;
  readonly highestCounter: number;
  readonly expiresAtS: number;
}

/** What was used of an authorisation or a pass at this gate. */
export interface UsedHere {
  readonly authorisation: string;
  readonly usedFen: number;
  readonly usedCount: number;
  readonly expiresAtS: number;
}

/** Where the next record under a key continues. */
export interface ChainEnd {
  readonly kid: number;
  readonly sequenceNo: number;
  readonly digest: Bytes;
}

/** Rows by the name of their store. */
export interface Stores {
  fact: { name: string; value: unknown };
  record: KeptRecord;
  chain: ChainEnd;
  claimed: Claimed;
  device: Device;
  used: UsedHere;
}

type StoreName = keyof Stores;
const KEY_OF = {
  fact: "name",
  chain: "kid",
  claimed: "identity",
  device: "device",
  used: "authorisation",
} as const satisfies Partial<Record<StoreName, string>>;

/** Nothing was written: there is no room, or the store is broken. */
export class StorageError extends Error {
  override readonly name = "StorageError";

  constructor(readonly reason: "storage_full" | "storage_failed") {
    super(reason);
  }
}

/** The answer of one request of the database. */
export function answerOf<Value>(request: IDBRequest<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(storageError(request.error));
  });
}

function storageError(error: DOMException | null): StorageError {
  return new StorageError(error?.name === "QuotaExceededError" ? "storage_full" : "storage_failed");
}

/** The open database. */
export class Database {
  private constructor(readonly raw: IDBDatabase) {}

  static async open(name: string = NAME): Promise<Database> {
    const request = indexedDB.open(name, VERSION);
    request.onupgradeneeded = () => makeStores(request.result);
    const raw = await answerOf(request);
    // Another tab with a newer page must not wait for this one.
    raw.onversionchange = () => raw.close();
    return new Database(raw);
  }

  /** One row by its key. */
  get<Name extends StoreName>(store: Name, key: IDBValidKey): Promise<Stores[Name] | undefined> {
    const reading = this.raw.transaction(store, "readonly").objectStore(store);
    return answerOf(reading.get(key) as IDBRequest<Stores[Name] | undefined>);
  }

  /** A remembered single value; the caller knows what it kept under this name. */
  async fact<Value>(name: string): Promise<Value | undefined> {
    return (await this.get("fact", name))?.value as Value | undefined;
  }

  /** Keep single values by name, replacing earlier ones. Throws `StorageError`. */
  remember(facts: Readonly<Record<string, unknown>>): Promise<void> {
    return this.write(["fact"], (stores) => {
      for (const [name, value] of Object.entries(facts)) stores("fact").put({ name, value });
    });
  }

  /**
   * All that `change` does is durable when this resolves, or nothing of it is.
   *
   * Throws `StorageError`.
   */
  write(
    names: readonly StoreName[],
    change: (stores: (name: StoreName) => IDBObjectStore) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.raw.transaction([...names], "readwrite", { durability: "strict" });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(storageError(transaction.error));
      change((name) => transaction.objectStore(name));
    });
  }

  close(): void {
    this.raw.close();
  }
}

function makeStores(raw: IDBDatabase): void {
  for (const [name, keyPath] of Object.entries(KEY_OF)) raw.createObjectStore(name, { keyPath });
  const records = raw.createObjectStore("record", { keyPath: "number", autoIncrement: true });
  records.createIndex("state", "state");
}
