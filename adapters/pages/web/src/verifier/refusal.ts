/**
 * Why something was refused, by stable names. The names are those of `docs/codes.md`; what a person
 * reads is made from them elsewhere, and `detail` belongs in an operator's log, never on a screen.
 */

/** Why a presented code was refused. */
export type CodeReason =
  | "code_invalid"
  | "clock_skew"
  | "code_expired"
  | "scene_not_allowed"
  | "purpose_not_allowed"
  | "ask_online"
  | "domain_not_allowed"
  | "context_mismatch"
  | "user_verification_required"
  | "code_revoked"
  | "code_suspended"
  | "list_stale"
  | "code_replayed"
  | "cap_exceeded"
  | "cap_cumulative_exceeded"
  | "cap_count_exceeded";

/** A presented code was refused. */
export class CodeRefusal extends Error {
  override readonly name = "CodeRefusal";

  constructor(
    readonly reason: CodeReason,
    readonly detail: string,
  ) {
    super(`${reason}: ${detail}`);
  }
}

/** Why a list or package was not believed. The last good one stays in force. */
export type DocumentReason =
  | "document_malformed"
  | "document_forged"
  | "document_older"
  | "document_expired"
  | "document_base_missing"
  | "document_mismatch"
  | "document_suite_unsupported";

/** A list or package was not believed. */
export class DocumentRefusal extends Error {
  override readonly name = "DocumentRefusal";

  constructor(
    readonly reason: DocumentReason,
    readonly detail: string,
  ) {
    super(`${reason}: ${detail}`);
  }
}

/** The form of a code is wrong. */
export function malformed(detail: string): CodeRefusal {
  return new CodeRefusal("code_invalid", detail);
}

/** The form of a document is wrong. */
export function documentMalformed(detail: string): DocumentRefusal {
  return new DocumentRefusal("document_malformed", detail);
}
