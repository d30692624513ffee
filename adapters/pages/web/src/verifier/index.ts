/** A verifier of citizen-card codes for browsers and Node: `docs/verifier.md` tells how to use it. */

export { type Accepted, type Circumstances, verify } from "./acceptance.ts";
export { ACCESS_PART, type AccessAnswer, AccessBook } from "./access_book.ts";
export { type Bytes, base64url, fromBase64url, fromHex, hex } from "./bytes.ts";
export { PURPOSE, SCENES } from "./fields.ts";
export { type IssuerKey, KeyRing, KeyRingError } from "./key_ring.ts";
export { makePolicy, type Policy, type PolicyRules } from "./policy.ts";
export { decodeText, type Presented, present } from "./presented.ts";
export { type CodeReason, CodeRefusal, type DocumentReason, DocumentRefusal } from "./refusal.ts";
export { type IssuerStatus, StatusList, StatusLists, type StatusSource } from "./status_list.ts";
export { openPackage, type TerminalPackage } from "./terminal_package.ts";
export { PARAMETERS_PART, readParameters, type TerminalParameters } from "./terminal_parameters.ts";
export { readRecord, signRecord, type ValidatorRecord, verifyRecord } from "./validator_record.ts";
export {
  AuthorisationCache,
  MemoryOfflineUses,
  MemoryReplayGuard,
  type OfflineUses,
  type ReplayGuard,
  type Warning,
} from "./verifier_memory.ts";
