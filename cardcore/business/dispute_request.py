"""What is sent about disputes. Reasons are closed lists: no free text, so nothing personal."""

from enum import StrEnum

from pydantic import Field

from cardcore.model import AmountFen, Model, PrintedNumber


class DisputeReason(StrEnum):
    """Why the citizen disputes an order."""

    NOT_RECOGNISED = "not_recognised"
    CHARGED_TWICE = "charged_twice"
    WRONG_AMOUNT = "wrong_amount"
    NOT_DELIVERED = "not_delivered"
    REFUND_MISSING = "refund_missing"


class Grounds(StrEnum):
    """On what the merchant's answer, or the decision, rests."""

    SERVICE_DELIVERED = "service_delivered"
    AMOUNT_RIGHT = "amount_right"
    REFUNDED_ALREADY = "refunded_already"
    MISTAKE_OF_OURS = "mistake_of_ours"
    EVIDENCE_WEAK = "evidence_weak"


class Answer(StrEnum):
    """The merchant's answer."""

    ACCEPT = "accept"
    CONTEST = "contest"


class Finding(StrEnum):
    """For whom a dispute is decided."""

    CITIZEN = "citizen"
    MERCHANT = "merchant"


class OpenDisputeRequest(Model):
    """Dispute all (``amount_fen`` left out) or part of what the citizen paid of an order."""

    reason: DisputeReason
    amount_fen: AmountFen | None = None


class AnswerDisputeRequest(Model):
    """The merchant accepts, or contests on some grounds; ``reference`` names its document."""

    answer: Answer
    grounds: Grounds
    reference: PrintedNumber | None = Field(default=None)


class DecideDisputeRequest(Model):
    """The card centre's decision."""

    finding: Finding
    grounds: Grounds
    reference: PrintedNumber | None = Field(default=None)
