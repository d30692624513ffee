/** Who this terminal is: enrolling with an activation code, and what is kept of it. */

import { base64url, concat, fromBase64url, utf8 } from "../verifier/bytes.ts";
import { SCENES, TAG } from "../verifier/fields.ts";
import { asArray, asNumber, asObject, asText } from "../verifier/json.ts";
import { KeyRing } from "../verifier/key_ring.ts";
import { ALGORITHM, type Algorithm, loadPublicKey } from "../verifier/suites.ts";
import type { Place } from "../verifier/validator_record.ts";
import type { Database } from "./database.ts";
import { enrolAt } from "./server.ts";
import { makeTerminalKey, publicJwk, signWith } from "./terminal_key.ts";
import type { Words } from "./words.ts";

const CODE_GROUP = 5;
const ALGORITHM_OF: ReadonlyMap<string, Algorithm> = new Map([
  ["ed25519", ALGORITHM.ed25519],
  ["es256", ALGORITHM.es256],
  ["p256", ALGORITHM.es256],
  ["sm2-sm3", ALGORITHM.sm2],
  ["sm2", ALGORITHM.sm2],
]);
/** Scenes where a person is let in and nothing is paid. */
const IDENTITY_SCENES: ReadonlySet<string> = new Set(["community"]);

interface PackageKey {
  readonly kid: number;
  readonly algorithm: string;
  readonly publicKey: string;
}

/** What the terminal keeps of the server's answer, with its key pair. */
export interface Enrolment {
  readonly clientId: string;
  readonly terminalId: string;
  readonly merchantId: string;
  /** Absent in what was kept before the server told it. */
  readonly merchantName?: Words;
  readonly scene: string;
  readonly place: Readonly<Record<string, string>>;
  readonly kid: number;
  readonly tokenUrl: string;
  readonly issuerId: number;
  readonly packageKeys: readonly PackageKey[];
  readonly pair: CryptoKeyPair;
}

/** Codes have no bit for the terminal's scene; such a terminal works online only. */
export class SceneNotOfflineError extends Error {
  override readonly name = "SceneNotOfflineError";
}

/**
 * An activation code as the server prints it, whatever a person made of it: Crockford's base32, case
 * and separators do not count, O is 0, I and L are 1.
 */
export function canonicalCode(typed: string): string {
  const letters = typed
    .replace(/[\s-]+/g, "")
    .toUpperCase()
    .replaceAll("O", "0")
    .replace(/[IL]/g, "1");
  const groups = letters.match(new RegExp(`.{1,${CODE_GROUP}}`, "g"));
  return (groups ?? []).join("-");
}

/** Make a key, enrol with it, keep both. The earlier enrolment stands until the new one does. */
export async function enrol(
  database: Database,
  terminalId: string,
  activationCode: string,
): Promise<Enrolment> {
  const code = canonicalCode(activationCode);
  const pair = await makeTerminalKey();
  const message = concat(utf8(TAG.enrolment), utf8(terminalId), Uint8Array.of(0), utf8(code));
  const answer = await enrolAt({
    terminal_id: terminalId,
    activation_code: code,
    public_key: await publicJwk(pair),
    proof: base64url(await signWith(pair, message)),
  });
  const enrolment = { ...granted(answer), pair };
  pinnedRing(enrolment);
  await database.remember({ enrolment, package: undefined });
  return enrolment;
}

/** The enrolment of this browser, if any. */
export function readEnrolment(database: Database): Promise<Enrolment | undefined> {
  return database.fact<Enrolment>("enrolment");
}

function granted(value: unknown): Omit<Enrolment, "pair"> {
  const answer = asObject(value);
  const place = Object.entries(asObject(answer["place"])).map(
    ([name, one]) => [name, String(one)] as const,
  );
  return {
    clientId: asText(answer["client_id"]),
    terminalId: asText(answer["terminal_id"]),
    merchantId: asText(answer["merchant_id"]),
    merchantName: {
      zh: asText(answer["merchant_name_zh"]),
      en: asText(answer["merchant_name_en"]),
    },
    scene: asText(answer["scene"]),
    place: Object.fromEntries(place),
    kid: asNumber(answer["kid"], 0xff),
    tokenUrl: asText(answer["token_url"]),
    issuerId: asNumber(answer["issuer_id"], 0xffff),
    packageKeys: asArray(answer["package_keys"]).map((one) => {
      const key = asObject(one);
      return {
        kid: asNumber(key["kid"], 0xff),
        algorithm: asText(key["algorithm"]).toLowerCase(),
        publicKey: asText(key["public_key"]),
      };
    }),
  };
}

/** The package keys of the enrolment, believed until a package brings the next. */
export function pinnedRing(enrolment: Enrolment): KeyRing {
  return new KeyRing(
    enrolment.packageKeys.map((key) => ({
      issuerId: enrolment.issuerId,
      kid: key.kid,
      key: loadPublicKey(ALGORITHM_OF.get(key.algorithm) ?? 0, fromBase64url(key.publicKey)),
      notBeforeS: 0,
      notAfterS: Number.MAX_SAFE_INTEGER,
      uses: new Set(["packages"] as const),
    })),
  );
}

/** Where the terminal stands and what it is for. */
export interface Station {
  readonly enrolment: Enrolment;
  readonly place: Place;
  /** One bit of the scope bitmap. */
  readonly scene: number;
  /** Is money asked for here, or only who somebody is? */
  readonly pays: boolean;
  /** The ids a code's context may name. */
  readonly placeIds: readonly string[];
}

/** The station of an enrolment. Throws `SceneNotOfflineError`. */
export function stationOf(enrolment: Enrolment): Station {
  const scene = (SCENES as Readonly<Record<string, number>>)[enrolment.scene];
  if (scene === undefined) throw new SceneNotOfflineError(enrolment.scene);
  const { place } = enrolment;
  const at = {
    terminalId: enrolment.terminalId,
    lineId: place["line"] ?? "",
    stopId: place["stop"] ?? "",
    vehicleId: place["vehicle"] ?? "",
    gateId: place["gate"] ?? place["door"] ?? "",
  };
  return {
    enrolment,
    place: at,
    scene,
    pays: !IDENTITY_SCENES.has(enrolment.scene),
    placeIds: [at.terminalId, at.lineId, at.gateId, enrolment.merchantId].filter(
      (one) => one !== "",
    ),
  };
}
