/**
 * The records of this terminal in order: written when decided, sent in batches, settled by answer. A
 * record keeps its bytes until long after the server has answered.
 */

import { answerOf, type Database, type KeptRecord, type RecordState } from "./database.ts";
import { FORGET_MARGIN_S } from "./scan_memory.ts";

const SETTLED_KEPT = 2_000;
const ENDING = ["claimed", "device", "used"] as const;

/** What the server said of one record. */
export interface Settlement {
  readonly record: KeptRecord;
  readonly state: RecordState;
  readonly reason: string | null;
}

/** How many records wait. */
export function queuedCount(database: Database): Promise<number> {
  return countOf(database, "queued");
}

/** How many records are in a state. */
export function countOf(database: Database, state: RecordState): Promise<number> {
  return answerOf(byState(database).count(state));
}

/** The oldest records that wait, in order. */
export function nextBatch(database: Database, countMax: number): Promise<readonly KeptRecord[]> {
  return answerOf(byState(database).getAll("queued", countMax) as IDBRequest<KeptRecord[]>);
}

function byState(database: Database): IDBIndex {
  return database.raw.transaction("record", "readonly").objectStore("record").index("state");
}

/** Keep the server's answers, all or none. Throws `StorageError`. */
export function settle(database: Database, settlements: readonly Settlement[]): Promise<void> {
  return database.write(["record"], (stores) => {
    for (const { record, state, reason } of settlements) {
      stores("record").put({ ...record, state, reason });
    }
  });
}

/** Give held records another chance. */
export async function requeueHeld(database: Database): Promise<void> {
  const held = await answerOf(byState(database).getAll("held") as IDBRequest<KeptRecord[]>);
  await settle(
    database,
    held.map((record) => ({ record, state: "queued", reason: null })),
  );
}

/**
 * Let go of what had ended a day before the server's time, and of answered records but the latest.
 * A record that waits or is held always stays.
 */
export function forgetEnded(database: Database, serverTimeS: number): Promise<void> {
  return database.write(["record", ...ENDING], (stores) => {
    for (const name of ENDING) {
      eachRow(stores(name).openCursor(), (cursor) => {
        const row = cursor.value as { readonly expiresAtS: number };
        if (row.expiresAtS < serverTimeS - FORGET_MARGIN_S) cursor.delete();
      });
    }
    const latest = stores("record").openKeyCursor(null, "prev");
    latest.onsuccess = () => {
      const number = Number(latest.result?.key ?? 0) - SETTLED_KEPT;
      if (number <= 0) return;
      const old = stores("record").openCursor(IDBKeyRange.upperBound(number));
      eachRow(old, (cursor) => {
        const { state } = cursor.value as KeptRecord;
        if (state !== "queued" && state !== "held") cursor.delete();
      });
    };
  });
}

function eachRow(
  request: IDBRequest<IDBCursorWithValue | null>,
  visit: (cursor: IDBCursorWithValue) => void,
): void {
  request.onsuccess = () => {
    const cursor = request.result;
    if (cursor === null) return;
    visit(cursor);
    cursor.continue();
  };
}
