/** What a place demands of a code shown there. A value without clock or state. */

import { type Bytes, hex, sha256, utf8 } from "./bytes.ts";
import { LIST_AGE_MAX_S, PURPOSE, SKEW_MAX_S } from "./fields.ts";
import { isUnbound } from "./presented.ts";
import { sm3 } from "./sm3.ts";
import { ALGORITHM } from "./suites.ts";

const CONTEXT_SIZE = 4;

/** Rules of one place; what is left out has the value in brackets. */
export interface PolicyRules {
  /** The scene here: one bit of the scope bitmap. */
  readonly scope: number;
  /** Bits of `PURPOSE` asked for [pay]; asking for an amount asks to pay. */
  readonly needs?: number;
  /** This merchant's number [0, none]. */
  readonly domain?: number;
  /** Ids of this terminal, line and so on, any of which a code may be bound to [none]. */
  readonly placeIds?: readonly string[];
  /** Refuse codes bound to no place [false]. */
  readonly contextRequired?: boolean;
  /** The phone must have checked PIN or biometrics [false]. */
  readonly userVerifiedRequired?: boolean;
  /** The server is asked about this very code [false]. */
  readonly online?: boolean;
  /** Clock tolerance, s, at most 30 [30]. */
  readonly skewS?: number;
  /** Older lists are stale, s [7200]. */
  readonly listAgeMaxS?: number;
  /** The most that may be paid on a stale list, fen [null: nothing, not even a door]. */
  readonly staleCapFen?: number | null;
}

/** Rules ready for use: the places as the four bytes that stand in codes. */
export interface Policy extends Required<Omit<PolicyRules, "placeIds">> {
  readonly contexts: ReadonlySet<string>;
  readonly contextsSm3: ReadonlySet<string>;
}

/** Make a policy. Throws `RangeError` when a rule is out of range. */
export async function makePolicy(rules: PolicyRules): Promise<Policy> {
  const { placeIds = [], ...given } = rules;
  const skewS = given.skewS ?? SKEW_MAX_S;
  if (skewS < 0 || skewS > SKEW_MAX_S) throw new RangeError(`skewS must be 0 to ${SKEW_MAX_S}`);
  if (given.scope <= 0 || (given.scope & (given.scope - 1)) !== 0) {
    throw new RangeError("scope must name one scene");
  }
  const names = placeIds.map(utf8);
  const digests = await Promise.all(names.map(sha256));
  return {
    needs: PURPOSE.pay,
    domain: 0,
    contextRequired: false,
    userVerifiedRequired: false,
    online: false,
    listAgeMaxS: LIST_AGE_MAX_S,
    staleCapFen: null,
    ...given,
    skewS,
    contexts: new Set(digests.map(contextOf)),
    contextsSm3: new Set(names.map((name) => contextOf(sm3(name)))),
  };
}

function contextOf(digest: Bytes): string {
  return hex(digest.slice(0, CONTEXT_SIZE));
}

/** Does a code with this context and suite byte belong here? */
export function contextFits(policy: Policy, context: Bytes, suite: number): boolean {
  if (isUnbound(context)) return !policy.contextRequired;
  const ours = suite >> 4 === ALGORITHM.sm2 ? policy.contextsSm3 : policy.contexts;
  return ours.has(hex(context));
}
