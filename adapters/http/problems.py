"""Refusals as HTTP answers: statuses, RFC 9457 problem documents, and the catalogue of them all.

This is the one place where a refusal of the core gets its HTTP status. A refusal that is not in
the table gets the status of the nearest class above it. Sources: RFC 9457, RFC 9110.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from adapters.http.refusals import HTTPRefusalError
from adapters.http.settings import Language
from cardcore.account.channel import ChannelSignatureError
from cardcore.errors import (
    AuthenticationStaleError,
    CaptureExceedsError,
    CardcoreError,
    CodeRefusedError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    InsufficientBalanceError,
    LimitExceededError,
    NotFoundError,
    OrderConflictError,
    OrderExistsError,
    OrderStateError,
    RefundExceedsError,
    RequestInFlightError,
    RequestInvalidError,
    ServiceUnavailableError,
    UserFrozenError,
)
from cardcore.field_faults import FieldsInvalidError
from cardcore.platform.errors import UnauthenticatedError

PROBLEM_TYPE: Final = "application/problem+json"

_STATUSES: Final[dict[type[CardcoreError], int]] = {
    CardcoreError: 409,
    RequestInvalidError: 422,
    NotFoundError: 404,
    ForbiddenError: 403,
    AuthenticationStaleError: 403,
    CodeRefusedError: 422,
    UserFrozenError: 409,
    InsufficientBalanceError: 402,
    LimitExceededError: 409,
    IdempotencyKeyReusedError: 422,
    RequestInFlightError: 409,
    OrderConflictError: 409,
    OrderExistsError: 409,
    OrderStateError: 409,
    RefundExceedsError: 409,
    CaptureExceedsError: 409,
    ServiceUnavailableError: 503,
    UnauthenticatedError: 401,
    ChannelSignatureError: 403,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeReason:
    """Why a presented code was refused, in words a passenger may read on a validator."""

    title_zh: str
    title_en: str
    status: int = 422
    retryable: bool = False


# One entry per stable reason of the acceptance rules; a test holds it against them.
CODE_REASONS: Final[dict[str, CodeReason]] = {
    "code_invalid": CodeReason(title_zh="二维码无效", title_en="The code is not valid"),
    "code_expired": CodeReason(
        title_zh="二维码已过期，请刷新", title_en="The code has expired; please refresh it"
    ),
    "clock_skew": CodeReason(
        title_zh="手机时间不准，请校准后重试",
        title_en="The phone's clock disagrees with ours",
        retryable=True,
    ),
    "scene_not_allowed": CodeReason(
        title_zh="此码不适用于本场景", title_en="The code is not for this scene"
    ),
    "purpose_not_allowed": CodeReason(
        title_zh="此码不适用于本用途", title_en="The code is not for this purpose"
    ),
    "domain_not_allowed": CodeReason(
        title_zh="此码不适用于本商户", title_en="The code is for another merchant"
    ),
    "context_mismatch": CodeReason(
        title_zh="此码不适用于本终端", title_en="The code was made for another terminal"
    ),
    "user_verification_required": CodeReason(
        title_zh="请在手机上验证密码或生物特征",
        title_en="Please confirm with PIN or biometrics on the phone",
    ),
    "list_stale": CodeReason(
        title_zh="状态名单过旧，暂时无法核验",
        title_en="The code cannot be checked now",
        retryable=True,
    ),
    "code_revoked": CodeReason(title_zh="此码已注销", title_en="The code has been revoked"),
    "code_suspended": CodeReason(
        title_zh="此码已暂停使用", title_en="The code is suspended", retryable=True
    ),
    "ask_online": CodeReason(
        title_zh="此码须联机核验", title_en="The code needs an online check", retryable=True
    ),
    "code_replayed": CodeReason(
        title_zh="二维码已使用，请刷新", title_en="The code has been used already", status=409
    ),
    "cap_exceeded": CodeReason(
        title_zh="金额超出此码限额", title_en="The amount is above what the code may pay"
    ),
    "cap_cumulative_exceeded": CodeReason(
        title_zh="已达脱机累计限额，请联网",
        title_en="The code has reached its offline limit; please go online",
    ),
    "cap_count_exceeded": CodeReason(
        title_zh="已达脱机次数上限，请联网",
        title_en="The code has reached its number of offline uses; please go online",
    ),
}


class ProblemField(BaseModel):
    """One wrong field."""

    model_config = ConfigDict(frozen=True)

    field: str = Field(description="Path of the field; empty where it cannot be told.")
    code: str
    reason: str


class Problem(BaseModel):
    """A refusal as RFC 9457 describes it, with a stable `code` to branch on."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="Where the catalogue explains this problem.")
    title: str = Field(description="One sentence for people, in the language asked for.")
    status: int
    code: str = Field(description="Stable; never reused for another meaning.")
    detail: str
    errors: list[ProblemField] = Field(default_factory=list)
    facts: dict[str, Any] = Field(
        default_factory=dict, description="Further public facts: amounts, ids, instants."
    )
    request_id: str
    retryable: bool = Field(description="May the same request, unchanged, succeed later?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """One problem as the catalogue shows it."""

    code: str
    status: int
    retryable: bool
    title_zh: str
    title_en: str
    meaning: str

    def title(self, language: Language) -> str:
        """Its one sentence in ``language``."""
        return self.title_zh if language == "zh" else self.title_en


def status_of(kind: type[CardcoreError]) -> int:
    """The HTTP status of a refusal's class."""
    if issubclass(kind, HTTPRefusalError):
        return kind.status
    return next(_STATUSES[base] for base in kind.__mro__ if base in _STATUSES)


def entry_of(error: CardcoreError) -> CatalogueEntry:
    """How the catalogue names what happened."""
    if isinstance(error, CodeRefusedError):
        return _code_entry(error.reason)
    return _class_entry(type(error))


def entries_of(kind: type[CardcoreError]) -> Iterator[CatalogueEntry]:
    """Everything a refusal of this class may be answered as."""
    if issubclass(kind, CodeRefusedError):
        yield from map(_code_entry, CODE_REASONS)
    else:
        yield _class_entry(kind)


def catalogue() -> list[CatalogueEntry]:
    """Every problem this service can answer with, by code, from the classes themselves."""
    entries: dict[str, CatalogueEntry] = {}
    for kind in _kinds(CardcoreError):
        if hasattr(kind, "code"):  # a mere base has none
            for entry in entries_of(kind):
                # A class that keeps its parent's code only adds facts: the parent explains it.
                entries.setdefault(entry.code, entry)
    return [entries[code] for code in sorted(entries)]


def problem_of(error: CardcoreError, *, language: Language, request_id: str) -> Problem:
    """The problem document of one refusal."""
    entry = entry_of(error)
    return Problem(
        type=f"/problems/{entry.code}",
        title=entry.title(language),
        status=entry.status,
        code=entry.code,
        detail=error.detail,
        errors=_fields(error),
        facts=error.facts,
        request_id=request_id,
        retryable=entry.retryable,
    )


def answer_headers(error: CardcoreError, *, retry_after_s: int) -> list[tuple[str, str]]:
    """Headers that belong to a refusal whatever its body looks like."""
    headers: list[tuple[str, str]] = []
    if isinstance(error, HTTPRefusalError):
        headers.extend(error.headers)
        if error.closes:
            headers.append(("Connection", "close"))
    elif entry_of(error).status == 503 or isinstance(error, RequestInFlightError):
        headers.append(("Retry-After", str(retry_after_s)))
    return headers


def catalogue_markdown() -> str:
    """The catalogue as a Markdown table, for the written documentation."""
    rows = [
        f"| `{entry.code}` | {entry.status} | {'yes' if entry.retryable else 'no'} "
        f"| {entry.title_zh} | {entry.title_en} |"
        for entry in catalogue()
    ]
    head = ["| code | status | retryable | 中文 | English |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def _fields(error: CardcoreError) -> list[ProblemField]:
    if isinstance(error, FieldsInvalidError):
        return [
            ProblemField(field=fault.field, code=fault.code, reason=fault.reason)
            for fault in error.faults
        ]
    if error.field is None:
        return []
    code = entry_of(error).code
    if code == RequestInvalidError.code:
        # That it is the request, the problem's own code says; of a field this says no more.
        code = "not_valid"
    return [ProblemField(field=error.field, code=code, reason=error.detail)]


def _code_entry(reason: str) -> CatalogueEntry:
    known = CODE_REASONS.get(reason)
    # A reason added to the acceptance rules alone must not turn a refusal into a fault.
    words = known or CODE_REASONS["code_invalid"]
    return CatalogueEntry(
        code=reason,
        status=words.status,
        retryable=words.retryable,
        title_zh=words.title_zh,
        title_en=words.title_en,
        meaning="A presented code was refused by the acceptance rules.",
    )


def _class_entry(kind: type[CardcoreError]) -> CatalogueEntry:
    return CatalogueEntry(
        code=kind.code,
        status=status_of(kind),
        retryable=kind.retryable,
        title_zh=kind.title_zh,
        title_en=kind.title_en,
        meaning=" ".join((kind.__doc__ or kind.title_en).split()),
    )


def _kinds(root: type[CardcoreError]) -> Iterator[type[CardcoreError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _kinds(kind)
