/** What an operator sets for terminals: the part `parameters` of the package, and what is missing. */

import { type Bytes, fromUtf8 } from "./bytes.ts";
import { LIST_AGE_MAX_S, SKEW_MAX_S } from "./fields.ts";
import {
  asArray,
  asBoolean,
  asNumber,
  asObject,
  asText,
  type JsonObject,
  JsonShapeError,
  parseJson,
} from "./json.ts";

export const PARAMETERS_PART = "parameters";
const FORMAT = 1;
const U32_MAX = 0xffff_ffff;
const TARIFF_CLASS_MAX = 31;

/** What a tariff class in a code is called here. */
export interface TariffClass {
  readonly tariffClass: number;
  readonly nameZh: string;
  readonly nameEn: string;
}

/** The parameters, as in `codes/terminal_parameters.py`; `staleCapFen` null: nothing on a stale list. */
export interface TerminalParameters {
  readonly skewS: number;
  readonly listAgeMaxS: number;
  readonly staleCapFen: number | null;
  readonly domain: number;
  readonly contextRequired: boolean;
  readonly userVerifiedRequired: boolean;
  readonly tariffClasses: readonly TariffClass[];
}

/** Read the part; without one, the defaults. Throws `JsonShapeError` for a format not known here. */
export function readParameters(data: Bytes | undefined): TerminalParameters {
  const document: JsonObject =
    data === undefined ? { format: FORMAT } : asObject(parseJson(fromUtf8(data)));
  // A rule that cannot be read might be one that forbids.
  if (document["format"] !== FORMAT) throw new JsonShapeError("a format not known here");
  return {
    skewS: asNumber(document["skew_s"] ?? SKEW_MAX_S, SKEW_MAX_S),
    listAgeMaxS: asNumber(document["list_age_max_s"] ?? LIST_AGE_MAX_S, U32_MAX),
    staleCapFen:
      document["stale_cap_fen"] == null ? null : asNumber(document["stale_cap_fen"], U32_MAX),
    domain: asNumber(document["domain"] ?? 0, 0xffff),
    contextRequired: asBoolean(document["context_required"] ?? false),
    userVerifiedRequired: asBoolean(document["user_verified_required"] ?? false),
    tariffClasses: asArray(document["tariff_classes"] ?? []).map(tariffClass),
  };
}

function tariffClass(value: unknown): TariffClass {
  const entry = asObject(value);
  return {
    tariffClass: asNumber(entry["tariff_class"], TARIFF_CLASS_MAX),
    nameZh: asText(entry["name_zh"]),
    nameEn: asText(entry["name_en"]),
  };
}
