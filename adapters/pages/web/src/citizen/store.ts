/**
 * What the page keeps on the device: one object store of IndexedDB, one transaction per act.
 *
 * Tabs share it, so whatever must rise or be made once is changed inside one transaction.
 */

const NAME = "cardcore-citizen";
const KEPT = "kept";

/** Keys and what stands under them. */
export interface Kept {
  readonly owner: Owner;
  readonly device: Device;
  readonly authorisation: KeptAuthorisation;
  readonly counter: number;
  readonly clockOffsetMs: number;
}

/** Whose page this is: the account in the host (null in a plain browser) and our user. */
export interface Owner {
  readonly account: string | null;
  readonly userId: string;
}

/** The key of this browser; its private half cannot be exported. */
export interface Device {
  readonly algorithm: "P-256" | "Ed25519";
  readonly privateKey: CryptoKey;
  readonly publicKey: Uint8Array;
}

export interface KeptAuthorisation {
  readonly bytes: Uint8Array;
  readonly renewAfterMs: number;
  readonly endsAtMs: number;
}

/** Keeps what it is given; in memory alone where the browser gives no database (private windows). */
export class Store {
  readonly #database: Promise<IDBDatabase | null>;
  readonly #memory = new Map<keyof Kept, unknown>();

  constructor(factory: IDBFactory) {
    this.#database = opened(factory).catch(() => null);
  }

  async get<Key extends keyof Kept>(key: Key): Promise<Kept[Key] | undefined> {
    const database = await this.#database;
    if (database === null) return this.#memory.get(key) as Kept[Key] | undefined;
    return acted(database, "readonly", (kept) => kept.get(key) as IDBRequest<Kept[Key]>);
  }

  async put<Key extends keyof Kept>(key: Key, value: Kept[Key]): Promise<void> {
    const database = await this.#database;
    if (database === null) this.#memory.set(key, value);
    else await acted(database, "readwrite", (kept) => kept.put(value, key));
  }

  /** The next number of the counter: no two callers, in any tab, get the same one. */
  async next(): Promise<number> {
    const database = await this.#database;
    if (database === null) {
      const number = ((this.#memory.get("counter") as number | undefined) ?? 0) + 1;
      this.#memory.set("counter", number);
      return number;
    }
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(KEPT, "readwrite", { durability: "strict" });
      const kept = transaction.objectStore(KEPT);
      const read = kept.get("counter") as IDBRequest<number | undefined>;
      let number = 1;
      read.onsuccess = () => {
        number = (read.result ?? 0) + 1;
        kept.put(number, "counter");
      };
      // Resolved once it is on disk: a page killed now must not count the same number again.
      transaction.oncomplete = () => resolve(number);
      transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
    });
  }

  /** Forget everything: another person, or somebody who signs out. */
  async clear(): Promise<void> {
    this.#memory.clear();
    const database = await this.#database;
    if (database !== null) await acted(database, "readwrite", (kept) => kept.clear());
  }
}

function acted<Result>(
  database: IDBDatabase,
  mode: IDBTransactionMode,
  act: (kept: IDBObjectStore) => IDBRequest<Result>,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(KEPT, mode);
    const request = act(transaction.objectStore(KEPT));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
  });
}

function opened(factory: IDBFactory): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = factory.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(KEPT);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB is not to be had"));
  });
}
