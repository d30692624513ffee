/** The public keys a verifier trusts: issuer id and key id to algorithm, key and window. */

import { fromHex } from "./bytes.ts";
import { asArray, asInstantS, asNumber, asObject, asText, parseJson } from "./json.ts";
import { ALGORITHM, type Algorithm, loadPublicKey, type PublicKey } from "./suites.ts";

const KEYS_MAX = 4096;
const ALGORITHM_OF_NAME: ReadonlyMap<string, Algorithm> = new Map([
  ["ed25519", ALGORITHM.ed25519],
  ["sm2-sm3", ALGORITHM.sm2],
  ["es256", ALGORITHM.es256],
]);

/** What a key's signatures are believed for. */
export type KeyUse = "codes" | "lists" | "packages";
const USES: ReadonlySet<string> = new Set<KeyUse>(["codes", "lists", "packages"]);

/** The text is not a ring, or two keys share one name. */
export class KeyRingError extends Error {
  override readonly name = "KeyRingError";
}

/** One public key of one issuer, believed while `notBeforeS <= now < notAfterS` (Unix s). */
export interface IssuerKey {
  readonly issuerId: number;
  readonly kid: number;
  readonly key: PublicKey;
  readonly notBeforeS: number;
  readonly notAfterS: number;
  readonly uses: ReadonlySet<KeyUse>;
}

/** Is `nowS` inside the key's window? */
export function isCurrent(key: IssuerKey, nowS: number): boolean {
  return key.notBeforeS <= nowS && nowS < key.notAfterS;
}

/** Keys by issuer id and key id. Immutable. */
export class KeyRing {
  readonly #keys = new Map<number, IssuerKey>();

  constructor(keys: Iterable<IssuerKey>) {
    for (const key of keys) {
      const name = nameOf(key.issuerId, key.kid);
      if (this.#keys.has(name)) throw new KeyRingError("two keys share one name");
      this.#keys.set(name, key);
    }
    if (this.#keys.size > KEYS_MAX) throw new KeyRingError(`more than ${KEYS_MAX} keys`);
  }

  get size(): number {
    return this.#keys.size;
  }

  /** The key, whether or not its window is open. */
  get(issuerId: number, kid: number): IssuerKey | undefined {
    return this.#keys.get(nameOf(issuerId, kid));
  }

  /** Does any key sign packages? */
  get signsPackages(): boolean {
    return [...this.#keys.values()].some((key) => key.uses.has("packages"));
  }

  /** The ring in its JSON form. Throws `KeyRingError`. */
  static fromJson(text: string): KeyRing {
    try {
      return new KeyRing(asArray(asObject(parseJson(text))["keys"]).map(issuerKey));
    } catch (error) {
      if (error instanceof KeyRingError) throw error;
      throw new KeyRingError(error instanceof Error ? error.message : "not a key ring");
    }
  }
}

function nameOf(issuerId: number, kid: number): number {
  return (issuerId << 8) | kid;
}

function issuerKey(value: unknown): IssuerKey {
  const entry = asObject(value);
  const algorithm = ALGORITHM_OF_NAME.get(asText(entry["algorithm"]));
  if (algorithm === undefined) throw new KeyRingError("unknown algorithm");
  const notBeforeS = asInstantS(entry["not_before"]);
  const notAfterS = asInstantS(entry["not_after"]);
  if (notBeforeS >= notAfterS) throw new KeyRingError("the key's window is empty");
  return {
    issuerId: asNumber(entry["issuer_id"], 0xffff),
    kid: asNumber(entry["kid"], 0xff),
    key: loadPublicKey(algorithm, fromHex(asText(entry["public_key"]))),
    notBeforeS,
    notAfterS,
    uses: new Set(asArray(entry["uses"] ?? ["codes"]).map(keyUse)),
  };
}

function keyUse(value: unknown): KeyUse {
  const use = asText(value);
  if (!USES.has(use)) throw new KeyRingError("unknown use");
  return use as KeyUse;
}
