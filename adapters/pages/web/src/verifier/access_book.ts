/**
 * Who may pass which door when: the part `access` of a community's package, and the rule itself.
 *
 * A gate off-line knows a code's alias and nothing of the person. The same rule as
 * `scenes/community/access.py`; local time is that of the city, whatever the tablet is set to.
 */

import { type Bytes, fromUtf8, hex } from "./bytes.ts";
import {
  asArray,
  asNumber,
  asObject,
  asText,
  type JsonObject,
  JsonShapeError,
  parseJson,
} from "./json.ts";

export const ACCESS_PART = "access";
/** Format 2 counts the uses of visitors' passes. */
const FORMATS: ReadonlySet<unknown> = new Set([1, 2]);
const DAYS = 7;

/** The gate's answer: open, or the one reason why not. The later, the nearer to open. */
const NEARNESS = ["no_relation", "expired", "not_yet_valid", "outside_hours", "open"] as const;
export type AccessAnswer = (typeof NEARNESS)[number] | "door_unknown" | "pass_used_up";

/** A local moment: date as `YYYY-MM-DD`, weekday 0 = Monday, seconds since local midnight. */
export interface LocalMoment {
  readonly date: string;
  readonly weekday: number;
  readonly secondOfDay: number;
}

interface Grant {
  readonly doorGroup: string;
  readonly relation: string;
  readonly validFrom: string;
  readonly validTo: string;
  readonly weekdays: ReadonlySet<number>;
  /** Seconds since midnight; null = the whole day. `starts` after `ends` runs over midnight. */
  readonly hours: { readonly starts: number; readonly ends: number } | null;
}

const CLOCK = new Intl.DateTimeFormat("en-CA", {
  timeZone: "Asia/Shanghai",
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** Local date and time of an instant in Unix seconds. */
export function localMoment(atS: number): LocalMoment {
  const parts = new Map(CLOCK.formatToParts(atS * 1000).map((part) => [part.type, part.value]));
  const number = (name: Intl.DateTimeFormatPartTypes): number => Number(parts.get(name));
  const date = `${parts.get("year")}-${parts.get("month")}-${parts.get("day")}`;
  return {
    date,
    weekday: (new Date(`${date}T00:00:00Z`).getUTCDay() + DAYS - 1) % DAYS,
    secondOfDay: 60 * (60 * number("hour") + number("minute")) + number("second"),
  };
}

/** Doors and grants as a gate knows them. */
export class AccessBook {
  readonly #doors: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #grantsOf: ReadonlyMap<string, readonly Grant[]>;
  readonly #usesOf: ReadonlyMap<string, readonly number[]>;

  /** Read the part. Throws `JsonShapeError` for anything that is not a book of this format. */
  constructor(data: Bytes) {
    const document = asObject(parseJson(fromUtf8(data)));
    if (!FORMATS.has(document["format"])) throw new JsonShapeError("a format not known here");
    const grants = asArray(document["grants"]).map(readGrant);
    this.#doors = new Map(
      Object.entries(asObject(document["doors"])).map(
        ([door, groups]) => [door, new Set(asArray(groups).map(asText))] as const,
      ),
    );
    this.#grantsOf = new Map(
      Object.entries(asObject(document["holders"])).map(
        ([alias, places]) =>
          [alias, asArray(places).map((place) => grantAt(grants, asNumber(place)))] as const,
      ),
    );
    this.#usesOf = new Map(
      Object.entries(asObject(document["uses"] ?? {})).map(
        ([alias, uses]) => [alias, asArray(uses).map((one) => asNumber(one))] as const,
      ),
    );
  }

  /** How often a visitor's pass may be used; null = no pass, or one without a number. */
  usesMax(alias: Bytes): number | null {
    return this.#usesOf.get(hex(alias))?.[0] ?? null;
  }

  /** The doors kept here. */
  get doors(): readonly string[] {
    return [...this.#doors.keys()];
  }

  /** Whether the holder of a code's alias may pass a door at an instant, Unix seconds. */
  decide(alias: Bytes, door: string, atS: number): AccessAnswer {
    const groups = this.#doors.get(door);
    if (groups === undefined) return "door_unknown";
    const moment = localMoment(atS);
    const nearest = (this.#grantsOf.get(hex(alias)) ?? [])
      .filter((grant) => groups.has(grant.doorGroup))
      .map((grant) => NEARNESS.indexOf(answer(grant, moment)));
    const found = NEARNESS[Math.max(0, ...nearest)] ?? "no_relation";
    const [most = Number.POSITIVE_INFINITY, used = 0] = this.#usesOf.get(hex(alias)) ?? [];
    return found === "open" && used >= most ? "pass_used_up" : found;
  }
}

function grantAt(grants: readonly Grant[], place: number): Grant {
  const grant = grants[place];
  if (grant === undefined) throw new JsonShapeError("a holder of no grant");
  return grant;
}

function answer(grant: Grant, moment: LocalMoment): (typeof NEARNESS)[number] {
  if (moment.date < grant.validFrom) return "not_yet_valid";
  if (moment.date > grant.validTo) return "expired";
  return hoursAllow(grant, moment) ? "open" : "outside_hours";
}

function hoursAllow({ weekdays, hours }: Grant, { weekday, secondOfDay }: LocalMoment): boolean {
  if (hours === null) return weekdays.has(weekday);
  const { starts, ends } = hours;
  if (starts <= ends) return weekdays.has(weekday) && starts <= secondOfDay && secondOfDay < ends;
  if (secondOfDay >= starts) return weekdays.has(weekday);
  // After midnight a night belongs to the day it began.
  return weekdays.has((weekday + DAYS - 1) % DAYS) && secondOfDay < ends;
}

function readGrant(value: unknown): Grant {
  const entry = asObject(value);
  return {
    doorGroup: asText(entry["door_group"]),
    relation: asText(entry["relation"]),
    validFrom: readDate(entry["valid_from"]),
    validTo: readDate(entry["valid_to"]),
    weekdays: new Set(asArray(entry["weekdays"]).map((day) => asNumber(day, DAYS - 1))),
    hours: readHours(entry),
  };
}

function readDate(value: unknown): string {
  const text = asText(value);
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) throw new JsonShapeError("not a date");
  return text;
}

function readHours(entry: JsonObject): Grant["hours"] {
  if (entry["starts"] === null && entry["ends"] === null) return null;
  return { starts: readTime(entry["starts"]), ends: readTime(entry["ends"]) };
}

function readTime(value: unknown): number {
  const found = /^(\d\d):(\d\d)(?::(\d\d))?(?:\.\d+)?$/.exec(asText(value));
  if (found === null) throw new JsonShapeError("not a time of day");
  const [hours = 0, minutes = 0, seconds = 0] = found.slice(1).map((digits) => Number(digits ?? 0));
  return 60 * (60 * hours + minutes) + seconds;
}
