/** Reading JSON that others wrote: each value is asked what it is before it is used. */

/** A value is not what its format says. */
export class JsonShapeError extends Error {
  override readonly name = "JsonShapeError";
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** JSON text as a value of unknown shape. Throws `JsonShapeError`. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new JsonShapeError("not JSON");
  }
}

export function asObject(value: unknown): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new JsonShapeError("not an object");
  }
  return value as JsonObject;
}

export function asArray(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new JsonShapeError("not a list");
  return value;
}

export function asText(value: unknown): string {
  if (typeof value !== "string") throw new JsonShapeError("not a text");
  return value;
}

export function asBoolean(value: unknown): boolean {
  if (typeof value !== "boolean") throw new JsonShapeError("neither true nor false");
  return value;
}

/** A whole number from 0 to `largest`. */
export function asNumber(value: unknown, largest: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0 || value > largest) {
    throw new JsonShapeError(`not a whole number from 0 to ${largest}`);
  }
  return value;
}

/** RFC 3339 with its zone, as Unix seconds. */
export function asInstantS(value: unknown): number {
  const text = asText(value);
  const milliseconds = /(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(milliseconds)) throw new JsonShapeError("not an instant with its zone");
  return Math.floor(milliseconds / 1000);
}
