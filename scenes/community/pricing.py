"""What ``cardcore`` calls for a gate: a passage costs nothing, if it is allowed. Pure."""

from typing import Annotated, Final, Literal

from pydantic import StringConstraints

from cardcore.business.quote import Payer, PricingFacts, QuoteLine, Subject
from cardcore.calendar import LOCAL_ZONE
from cardcore.errors import AmountInvalidError, RequestInvalidError
from cardcore.field_faults import details_as
from cardcore.model import Model
from scenes.community.access import AccessBook, Decision

PASSAGE: Final = "passage"
RULE_ID: Final = "access:grant"
RULE_VERSION: Final = "1"


class GateDetails(Model):
    """What a gate tells of a passage."""

    door: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    direction: Literal["in", "out"]


class AccessRefusedError(RequestInvalidError):
    """The gate stays shut; ``facts["reason"]`` is the stable name of why (``Decision``)."""

    code = "access_refused"
    title_zh = "不允许通行"
    title_en = "Passage is not allowed"


class GatePricer:
    """Decides passages by the active book. Implements ``ScenePricer``.

    A book of None means that no doors are kept here (a community with its own access system):
    then the gate has decided, and the passage is only recorded.
    """

    details_model = GateDetails

    def __init__(self, book: AccessBook | None = None) -> None:
        self._book = book

    def activate(self, book: AccessBook | None) -> None:
        """Decide from now on by this book."""
        self._book = book

    def price(self, facts: PricingFacts, subject: Subject) -> list[QuoteLine]:
        """One zero line of the citizen.

        Raises:
            RequestInvalidError: type or details are not of this scene.
            AmountInvalidError: a passage has no amount.
            AccessRefusedError: relation, time or door do not allow it.
        """
        if facts.type != PASSAGE:
            raise RequestInvalidError(
                f"community has no type {facts.type!r}", field="business.type"
            )
        if facts.amount_fen is not None:
            raise AmountInvalidError("a passage costs nothing", field="business.amount_fen")
        details = read_details(facts.details)
        book = self._book
        # Leaving is never refused: a shut door behind a person is a hazard, not a control.
        if book is not None and details.direction == "in":
            local = facts.occurred_at.astimezone(LOCAL_ZONE)
            decision = book.decide(subject.user_id, details.door, local.date(), local.time())
            if decision is not Decision.OPEN:
                raise AccessRefusedError(
                    decision, field="business.details.door", reason=decision.value
                )
        return [
            QuoteLine(
                payer=Payer.CITIZEN,
                amount_fen=0,
                rule_id=RULE_ID,
                rule_version=RULE_VERSION,
                reason_zh="门禁通行，不收费",
                reason_en="passage, free of charge",
            )
        ]


def read_details(details: dict[str, object]) -> GateDetails:
    """Validate the details. Raises ``FieldsInvalidError``."""
    return details_as(GateDetails, details)
