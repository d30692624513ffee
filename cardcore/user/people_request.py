"""What is asked about people once they are in the register: acts, rights, looks at their data.

Free text goes into ``note`` and is sealed under the person's key; everything else is a code from
a closed list or a number, so that nothing personal lies in plain columns.
"""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from cardcore.model import AmountFen, Instant, Model, Name, PrintedNumber
from cardcore.user.access_log import Purpose
from cardcore.user.delegation import ANY_FUND, DelegationUse
from cardcore.user.personal_data import Field as PersonalField
from cardcore.user.request import Entitlement, Line, PhoneText

Reason = Literal[
    "user_request", "risk", "legal_order", "loss", "death", "duplicate", "mistake", "expiry"
]
Disclosable = Literal[
    PersonalField.NAME, PersonalField.ID_NO, PersonalField.PHONE, PersonalField.ADDRESS
]
PAGE_MAX = 200


class Act(Model):
    """Something done to a person's records: why, and by whom at the counter."""

    reason: Reason
    note: Line | None = None
    operator: PrintedNumber | None = None


class FundAct(Act):
    """Something done to one fund of a person."""

    fund: Name


class UpgradeRequest(Model):
    """A person shows more of who they are: a phone number, or name and identity number."""

    level: Literal["phone", "real_name"]
    phone: PhoneText | None = None
    name: Annotated[Line, StringConstraints(max_length=80)] | None = None
    id_no: Annotated[str, StringConstraints(min_length=15, max_length=18)] | None = None
    operator: PrintedNumber | None = None

    @model_validator(mode="after")
    def _has_what_the_level_needs(self) -> Self:
        if self.level == "phone" and (
            self.phone is None or self.name is not None or self.id_no is not None
        ):
            raise ValueError("the level phone needs a phone number, and only that")
        if self.level == "real_name" and (self.name is None or self.id_no is None):
            raise ValueError("the level real_name needs name and id_no")
        return self


class ContactRequest(Model):
    """New contact data; what is left out stays."""

    phone: PhoneText | None = None
    address: Line | None = None
    operator: PrintedNumber | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.phone is None and self.address is None:
            raise ValueError("give a phone number or an address")
        return self


class MergeRequest(Act):
    """The user of the path survives; ``duplicate_id`` becomes another name of it."""

    duplicate_id: UUID


class CloseRequest(Act):
    """Leave the scheme. ``payee`` says where the balance goes: an account, or who fetches it."""

    payee: Line | None = None


class SettleClaimRequest(Model):
    """A channel has paid a claim out, under its own number of the payment."""

    channel: Name
    channel_no: PrintedNumber


class PlateProof(Model):
    """What was shown that the car is theirs; ``evidence`` names the paper and is sealed."""

    method: Literal["vehicle_licence", "vehicle_register", "sale_contract"]
    evidence: Line


class BindPlateRequest(Model):
    """A car's plate, by GA 36; separators and small letters are normalised.

    Without a ``proof`` it is only said to be theirs, and nobody pays by it.
    """

    plate: Annotated[str, StringConstraints(min_length=7, max_length=16)]
    proof: PlateProof | None = None
    operator: PrintedNumber | None = None


class ReplaceCredentialRequest(Act):
    """The credential of the path is no more; ``replacement_id`` stands in for it."""

    replacement_id: UUID


class GrantEntitlementRequest(Entitlement):
    """One more concession class of a person."""

    operator: PrintedNumber | None = None


class GrantDelegationRequest(Model):
    """``payer_id`` pays for the user of the path.

    ``guardian``: a parent pays for a child. ``agent``: a grown person pays, and may act, for an
    elder. Limits are per order, per business day and, where one is set, per month, over the scenes
    named. ``use`` says when they pay where an order does not say who does: ``first``, where the
    person's own funds are short, or only ``when_asked``; ``fund`` is which of the payer's funds.
    """

    payer_id: UUID
    kind: Literal["guardian", "agent"]
    scenes: Annotated[list[Name], Field(min_length=1, max_length=16)]
    use: DelegationUse = DelegationUse.WHEN_SHORT
    fund: Name = ANY_FUND
    order_fen_max: AmountFen
    day_fen_max: AmountFen
    month_fen_max: AmountFen | None = None
    valid_from: Instant
    valid_to: Instant
    evidence: Line | None = None

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.valid_to <= self.valid_from:
            raise ValueError("valid_to does not lie after valid_from")
        if self.day_fen_max < self.order_fen_max:
            raise ValueError("day_fen_max lies below order_fen_max")
        if self.month_fen_max is not None and self.month_fen_max < self.day_fen_max:
            raise ValueError("month_fen_max lies below day_fen_max")
        return self


class GrantConsentRequest(Model):
    """The person lets ``recipient`` have ``scope`` of their data for one purpose and time.

    ``evidence`` names the record of the agreement: a version of the text, a signature's number.
    """

    purpose: Name
    recipient: PrintedNumber
    scope: Annotated[list[Name], Field(min_length=1, max_length=16)]
    valid_from: Instant
    valid_to: Instant
    evidence: PrintedNumber

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_to <= self.valid_from:
            raise ValueError("valid_to does not lie after valid_from")
        return self


class DiscloseRequest(Model):
    """Personal data in clear, for a purpose that is written down for the citizen to read."""

    purpose: Purpose
    fields: Annotated[list[Disclosable], Field(min_length=1, max_length=4)]
    operator: PrintedNumber


class FindUserRequest(Model):
    """Find a person by exactly one number of theirs."""

    id_no: Annotated[str, StringConstraints(min_length=15, max_length=18)] | None = None
    phone: PhoneText | None = None
    plate: Annotated[str, StringConstraints(min_length=7, max_length=16)] | None = None
    operator: PrintedNumber | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [one for one in (self.id_no, self.phone, self.plate) if one is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of id_no, phone and plate")
        return self


class AccessQuery(Model):
    """A page of the access log: ``before`` is the last ``seq`` of the page before."""

    before: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 50


class OrdersQuery(Model):
    """A page of a person's orders: ``before`` is the last ``order_id`` of the page before."""

    before: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 50
