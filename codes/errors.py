"""Every way a presented code can be refused.

``code`` is public: stable, sent to terminals, never reused for another meaning. ``str(error)`` is
the one sentence that belongs to ``code`` and says nothing more, so that nobody can use a validator
to find out *why* a forgery failed. What an operator needs to know lies in ``detail`` and belongs in
the operator's log only. Source: acceptance order in docs/codes.md.
"""

from typing import ClassVar


class CodeError(Exception):
    """Base of all refusals of a presented code.

    ``code`` is the stable reason, ``retryable`` says whether the very same code may be accepted
    later, ``detail`` is for the operator's log.
    """

    code: ClassVar[str] = "code_invalid"
    message: ClassVar[str] = "This code is not valid."
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str = "") -> None:
        super().__init__(self.message)
        self.detail = detail


class CodeInvalidError(CodeError):
    """Malformed, unknown issuer, or wrong signature: to the outside all the same."""


class CodeMalformedError(CodeInvalidError):
    """The text or the bytes are not a code in canonical form."""


class CodeIssuerError(CodeInvalidError):
    """The issuer or its key is unknown, or the key is outside its window."""


class CodeSignatureError(CodeInvalidError):
    """The issuer's or the device's signature does not match."""


class CodeExpiredError(CodeError):
    """The code or its authorisation is past its end; a fresh one may be accepted."""

    code = "code_expired"
    message = "This code has expired; please refresh it."


class ClockSkewError(CodeError):
    """The code was made in the future: the phone's clock (or this one) is wrong."""

    code = "clock_skew"
    message = "The clock of the phone and of this terminal disagree."
    retryable = True


class SceneNotAllowedError(CodeError):
    """The code was not issued for this scene."""

    code = "scene_not_allowed"
    message = "This code may not be used in this scene."


class PurposeNotAllowedError(CodeError):
    """The code was not issued for this purpose (identity, pay)."""

    code = "purpose_not_allowed"
    message = "This code may not be used for this purpose."


class DomainNotAllowedError(CodeError):
    """The code is restricted to another merchant or domain."""

    code = "domain_not_allowed"
    message = "This code is meant for another merchant."


class ContextMismatchError(CodeError):
    """The code was made for another terminal or line, or for none where one is demanded."""

    code = "context_mismatch"
    message = "This code was made for another terminal."


class UserNotVerifiedError(CodeError):
    """The terminal demands that the phone checked PIN or biometrics, and it did not."""

    code = "user_verification_required"
    message = "Please confirm with PIN or biometrics on the phone."


class ListStaleError(CodeError):
    """No status list, or one older than the policy allows for this amount."""

    code = "list_stale"
    message = "This terminal cannot check the code now."
    retryable = True


class CodeRevokedError(CodeError):
    """The status list says revoked."""

    code = "code_revoked"
    message = "This code has been revoked."


class CodeSuspendedError(CodeError):
    """The status list says suspended, for example after a loss report."""

    code = "code_suspended"
    message = "This code is suspended."
    retryable = True


class AskOnlineError(CodeError):
    """This code can only be accepted with an online answer."""

    code = "ask_online"
    message = "This code needs an online check."
    retryable = True


class CodeReplayedError(CodeError):
    """The code was accepted before. Identity is semantic: issuer and jti, or token and counter."""

    code = "code_replayed"
    message = "This code has been used already."


class CapExceededError(CodeError):
    """The amount is above the cap per use in the code."""

    code = "cap_exceeded"
    message = "The amount is above what this code may pay."


class CapCumulativeExceededError(CodeError):
    """The sum of offline uses of this authorisation would pass its cap."""

    code = "cap_cumulative_exceeded"
    message = "This code has reached its offline limit; please go online."


class CapCountExceededError(CodeError):
    """The authorisation has used up its number of offline uses."""

    code = "cap_count_exceeded"
    message = "This code has reached its number of offline uses; please go online."
