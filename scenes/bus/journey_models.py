"""Requests and views of journeys. Amounts are fen, instants aware, business dates local."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from cardcore.model import Instant, Model

TAPS_MAX = 1_000
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ReportedTap(Model):
    """One reading of a card or code, told by the collecting system that has checked it.

    ``tap_id`` is made at the tap; ``terminal_counter`` is the terminal's own. ``off_stop`` stands
    with a ``single`` tap that tells the whole ride.
    """

    tap_id: UUID
    user_id: UUID
    kind: Literal["on", "off", "single", "terminus"]
    medium: Literal["card", "code", "paper", "foreign"] = "card"
    terminal_id: Identifier
    terminal_counter: Annotated[int, Field(strict=True, ge=0, lt=2**63)]
    line: Identifier
    vehicle: Identifier
    trip: Identifier | None = None
    driver: Identifier | None = None
    stop: Identifier
    sequence: Annotated[int, Field(strict=True, ge=0, le=100_000)] | None = None
    off_stop: Identifier | None = None
    tapped_at: Instant


class TapsRequest(Model):
    """Taps of one upload; ``clock`` is what the terminals' clock showed when they were sent."""

    clock: Instant | None = None
    taps: Annotated[list[ReportedTap], Field(min_length=1, max_length=TAPS_MAX)]


class TakenTap(Model):
    """What became of one tap: taken, duplicate, conflict, review, or why it is not ours."""

    tap_id: UUID
    state: str


class TapsView(Model):
    """One result per tap, in order."""

    results: list[TakenTap]


class WeekQuery(Model):
    """The week a day lies in; by default the present one."""

    on: date | None = None


class JourneyView(Model):
    """A journey as it stands.

    ``began_at`` is when it was ridden, ``reported_at`` when we heard of it: a late upload is no new
    ride. ``fare_fen`` = ``citizen_fen`` + ``subsidy_fen`` + ``forgone_fen``. ``booked_fen`` is
    what the citizen's books hold of it; it differs only until a pricing is booked.
    """

    journey_id: UUID
    state: str
    reason: str
    business_on: date
    line: str
    vehicle: str
    on_stop: str
    off_stop: str | None
    began_at: datetime
    ended_at: datetime | None
    reported_at: datetime
    full_fen: int
    offer: str
    fare_fen: int
    citizen_fen: int
    subsidy_fen: int
    forgone_fen: int
    concession: str
    rule_id: str
    rule_version: str
    booked_fen: int


class EntryView(Model):
    """One signed amount booked for a journey, with the order or refund that moved it."""

    journey_id: UUID
    payer: str
    amount_fen: int
    order_id: UUID
    refund_id: UUID | None
    recorded_at: datetime


class CorrectionView(Model):
    """An accepted correction; the week is priced again within minutes.

    ``made_by``: ``citizen``, whose own claim it is, or ``office``.
    """

    correction_id: UUID
    journey_id: UUID
    kind: str
    off_stop: str | None
    made_by: str
    made_at: datetime


class JourneysView(Model):
    """A person's week: journeys in order of boarding, every entry booked, what was corrected."""

    week_on: date
    journeys: list[JourneyView]
    entries: list[EntryView]
    corrections: list[CorrectionView]


class ExitClaim(Model):
    """Where a citizen says they got off."""

    off_stop: Identifier
    reason: Reason


class CorrectionRequest(Model):
    """What an operator corrects: the exit (``off_stop``), or the whole journey is given back."""

    kind: Literal["exit", "refund"]
    off_stop: Identifier | None = None
    reason: Reason
