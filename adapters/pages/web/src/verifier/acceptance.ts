/**
 * The acceptance of a presented code: every rule, in one fixed order, fail closed.
 *
 * 1. prefix and base45, length, version, class and suite (`presented.ts`)
 * 2. issuer and key known, key inside its window
 * 3. authorisation window (class D)
 * 4. code window
 * 5. scope, purpose, domain, context, user verification
 * 6. status bit, from a list young enough or within the stale cap (classes D and P)
 * 7. issuer signature (remembered for authorisations seen before)
 * 8. device signature (class D)
 * 9. replay (classes S and D)
 * 10. caps: per use, cumulative, count
 *
 * The clock is read once by the caller and passed in. The two things with memory come last and only
 * see codes whose signatures hold. Source: `docs/codes.md`, "Acceptance".
 */

import { type Bytes, concat, utf8 } from "./bytes.ts";
import {
  CAP_UNIT_FEN,
  COMPANIONS_MASK,
  D_HEAD_SIZE,
  DYNAMIC_SIZE,
  PURPOSE,
  SIGNATURE_SIZE,
  TAG,
  USER_VERIFIED,
} from "./fields.ts";
import { type IssuerKey, isCurrent, type KeyRing } from "./key_ring.ts";
import { contextFits, type Policy } from "./policy.ts";
import { decodeText, type Presented, present } from "./presented.ts";
import { CodeRefusal, malformed } from "./refusal.ts";
import { STATUS, type StatusSource } from "./status_list.ts";
import { KeyFormError, loadPublicKey, type PublicKey, SuiteUnsupportedError } from "./suites.ts";
import {
  type AuthorisationCache,
  checkUse,
  type OfflineUses,
  type ReplayGuard,
  type Warning,
} from "./verifier_memory.ts";

/** An accepted code. */
export interface Accepted {
  readonly data: Bytes;
  readonly facts: Presented;
  readonly warnings: readonly Warning[];
  /** People entering along with the holder, 0 to 15. */
  readonly companions: number;
}

/** What a verifier is given besides the text. */
export interface Circumstances {
  readonly keys: KeyRing;
  /** Null where only class S is accepted; D and P are then refused as `list_stale`. */
  readonly statusLists: StatusSource | null;
  readonly policy: Policy;
  /** Unix seconds. */
  readonly nowS: number;
  /** What is to be paid, fen; 0 for none or not yet known. */
  readonly amountFen: number;
  /** Null when the caller claims `facts.identity` itself. */
  readonly replay: ReplayGuard | null;
  readonly offlineUses?: OfflineUses;
  readonly authorisations?: AuthorisationCache;
}

/** Accept `text` or throw `CodeRefusal`. A refusal in steps 1 to 8 leaves no trace. */
export async function verify(text: string, given: Circumstances): Promise<Accepted> {
  const { policy, nowS, amountFen } = given;
  const data = decodeText(text);
  const shown = present(data);
  const issuerKey = findKey(shown, given.keys, nowS);
  checkWindows(shown, policy.skewS, nowS);
  checkRights(shown, policy, amountFen);
  const warnings: Warning[] = [...checkStatus(shown, given)];
  await checkSignatures(shown, data, issuerKey.key, given.authorisations);
  if (given.replay !== null && shown.codeClass !== "P") {
    const { identity, counter } = shown;
    const expiresAtS = shown.expiresAtS + policy.skewS;
    warnings.push(...(await given.replay.claim({ identity, counter, nowS, expiresAtS })));
  }
  await checkCaps(shown, given);
  return { data, facts: shown, warnings, companions: companionsOf(shown) };
}

function companionsOf(shown: Presented): number {
  return shown.codeClass === "P" ? 0 : shown.flags & COMPANIONS_MASK;
}

function findKey(shown: Presented, keys: KeyRing, nowS: number): IssuerKey {
  const key = keys.get(shown.issuerId, shown.kid);
  if (key === undefined) throw malformed(`issuer ${shown.issuerId} kid ${shown.kid} unknown`);
  if (!key.uses.has("codes")) throw malformed("the key is not for codes");
  // A key signs with one algorithm; the suite byte cannot talk a verifier into another.
  if (key.key.algorithm !== shown.suite >> 4) throw malformed("suite and key disagree");
  if (!isCurrent(key, nowS)) throw malformed("the key is outside its window");
  return key;
}

function checkWindows(shown: Presented, skewS: number, nowS: number): void {
  if (shown.authorisedAtS > nowS + skewS)
    throw new CodeRefusal("clock_skew", "issued in the future");
  if (nowS > shown.endsAtS || shown.madeAtS > shown.endsAtS) {
    throw new CodeRefusal("code_expired", "the authorisation has ended");
  }
  if (shown.madeAtS > nowS + skewS) throw new CodeRefusal("clock_skew", "made in the future");
  if (nowS > shown.expiresAtS + skewS) throw new CodeRefusal("code_expired", "the code has ended");
}

function checkRights(shown: Presented, policy: Policy, amountFen: number): void {
  if (!(shown.scope & policy.scope)) throw new CodeRefusal("scene_not_allowed", "scope");
  const needs = policy.needs | (amountFen > 0 ? PURPOSE.pay : 0);
  if (needs & ~shown.purpose) throw new CodeRefusal("purpose_not_allowed", `needs ${needs}`);
  const isPrinted = shown.codeClass === "P";
  if (!policy.online) {
    if (shown.purpose & PURPOSE.onlineRequired) throw new CodeRefusal("ask_online", "demanded");
    if (isPrinted && needs & PURPOSE.pay) throw new CodeRefusal("ask_online", "print pays online");
  }
  if (shown.domain !== 0 && shown.domain !== policy.domain) {
    throw new CodeRefusal("domain_not_allowed", `domain ${shown.domain}`);
  }
  // Paper cannot know where it is shown, nor who holds it.
  if (isPrinted) return;
  if (!contextFits(policy, shown.context, shown.suite)) {
    throw new CodeRefusal("context_mismatch", "bound elsewhere, or to no place");
  }
  if (policy.userVerifiedRequired && !(shown.flags & USER_VERIFIED)) {
    throw new CodeRefusal("user_verification_required", "not verified on the phone");
  }
}

function checkStatus(shown: Presented, given: Circumstances): readonly Warning[] {
  const index = shown.statusIndex;
  if (index === null) return [];
  const { policy, nowS } = given;
  const list = given.statusLists?.forIssuer(shown.issuerId);
  if (list === undefined) throw new CodeRefusal("list_stale", "no list of this issuer");
  // A stale list can only know too little: what it refuses stays refused.
  const status = list.status(index);
  if (status === STATUS.revoked) throw new CodeRefusal("code_revoked", `index ${index}`);
  if (status === STATUS.suspended) throw new CodeRefusal("code_suspended", `index ${index}`);
  if (status === STATUS.askOnline && !policy.online) {
    throw new CodeRefusal("ask_online", `index ${index}`);
  }
  const ageS = nowS - list.issuedAtS;
  if (-policy.skewS <= ageS && ageS <= policy.listAgeMaxS && nowS <= list.expiresAtS) return [];
  if (policy.staleCapFen === null || given.amountFen > policy.staleCapFen) {
    throw new CodeRefusal("list_stale", `${ageS} s old`);
  }
  return ["list_stale"];
}

async function checkSignatures(
  shown: Presented,
  data: Bytes,
  issuerKey: PublicKey,
  authorisations: AuthorisationCache | undefined,
): Promise<void> {
  if (shown.codeClass !== "D") {
    await checkSignature(issuerKey, data, shown.codeClass === "S" ? TAG.S : TAG.P);
    return;
  }
  const authorisation = data.slice(0, -DYNAMIC_SIZE);
  let deviceKey = authorisations?.get(authorisation, issuerKey);
  if (deviceKey === undefined) {
    await checkSignature(issuerKey, authorisation, TAG.authorisation);
    deviceKey = readDeviceKey(shown.suite, authorisation);
    authorisations?.add(authorisation, issuerKey, deviceKey);
  }
  await checkSignature(deviceKey, data, TAG.D);
}

/** `data` ends with a signature over `tag` and all before it. */
async function checkSignature(key: PublicKey, data: Bytes, tag: string): Promise<void> {
  const message = concat(utf8(tag), data.slice(0, -SIGNATURE_SIZE));
  try {
    if (!(await key.fits(data.slice(-SIGNATURE_SIZE), message)))
      throw malformed(`${tag}: signature`);
  } catch (error) {
    // What cannot be computed here is not wrong: the server can be asked.
    if (error instanceof SuiteUnsupportedError) throw new CodeRefusal("ask_online", error.message);
    throw error;
  }
}

function readDeviceKey(suite: number, authorisation: Bytes): PublicKey {
  try {
    return loadPublicKey(suite & 0x0f, authorisation.slice(D_HEAD_SIZE, -SIGNATURE_SIZE));
  } catch (error) {
    if (error instanceof KeyFormError) throw malformed(`device key: ${error.message}`);
    throw error;
  }
}

async function checkCaps(shown: Presented, given: Circumstances): Promise<void> {
  const { amountFen, policy } = given;
  if (amountFen > CAP_UNIT_FEN * shown.capFenTens) {
    throw new CodeRefusal("cap_exceeded", `${amountFen} fen`);
  }
  if (policy.online || shown.codeClass !== "D") return;
  const use = {
    authorisation: `${shown.issuerId}:${shown.identity.slice(5, 21)}`,
    amountFen,
    cumulativeCapFen: CAP_UNIT_FEN * shown.cumulativeCapFenTens,
    usesMax: shown.usesMax,
    expiresAtS: shown.endsAtS,
  };
  if (given.offlineUses === undefined) checkUse(use, 0, 0);
  else await given.offlineUses.add(use);
}
