"""What the parking scene answers: no plate number, and of persons only to the card centre."""

from datetime import date, datetime
from uuid import UUID

from cardcore.model import Model
from scenes.parking.tariffs import Tariff


class LaneView(Model):
    """A lane."""

    lane_id: str
    direction: str


class TariffView(Model):
    """One version of a tariff."""

    version: int
    valid_from: datetime
    tariff: Tariff


class CarParkView(Model):
    """A car park; ``parked`` is how many cars are inside as far as the lanes know."""

    car_park_id: str
    merchant_id: str
    name_zh: str
    name_en: str
    spaces: int
    parked: int
    lanes: list[LaneView]
    tariffs: list[TariffView]


class StayView(Model):
    """A stay and what it costs now; of an open one, if the car left at this instant."""

    stay_id: UUID
    car_park_id: str
    plate_masked: str
    state: str
    entered_at: datetime | None
    left_at: datetime | None
    minutes: int
    fee_fen: int
    discount_fen: int
    paid_fen: int
    due_fen: int
    tariff_version: int


class GateView(Model):
    """Does it open, and why. ``arrears_fen``: of earlier stays of this plate, at any car park."""

    gate: str
    reason: str
    due_fen: int
    arrears_fen: int


class PassageView(Model):
    """What became of one reading: a closed list of results.

    ``entered``, ``left``, ``seen_again``, ``duplicate``, or ``rejected`` with a ``reason``:
    ``lane_unknown``, ``plate_unreadable``, ``clock_ahead``, ``event_conflict``.
    """

    lane_id: str
    event_no: int
    result: str
    reason: str | None = None
    stay: StayView | None = None
    gate: GateView | None = None


class PassagesView(Model):
    """One result per event, in the order they came."""

    results: list[PassageView]


class StaysView(Model):
    """Stays of one plate that are open or not paid."""

    stays: list[StayView]


class PaymentView(Model):
    """A payment for a stay, and how the stay stands after it."""

    charge_id: UUID
    order_id: UUID
    amount_fen: int
    stay: StayView


class MonthCardView(Model):
    """A month card."""

    card_id: UUID
    car_park_id: str
    plate_masked: str
    valid_from: datetime
    valid_to: datetime
    order_id: UUID
    amount_fen: int


class ContractView(Model):
    """A contract for one plate."""

    contract_id: UUID
    user_id: UUID
    plate_masked: str
    limit_fen: int
    signed_at: datetime
    ended_at: datetime | None


class DebtView(Model):
    """What a person owes for parking, everywhere together, and when it is asked for next."""

    user_id: UUID
    state: str
    owed_fen: int
    since: datetime | None
    attempts: int
    next_at: datetime | None


class NoticeView(Model):
    """Something a person was told."""

    kind: str
    facts: dict[str, object]
    recorded_at: datetime


class AlertView(Model):
    """One plate in two places; ``evidence`` is what was seen there, as it was then."""

    alert_id: UUID
    plate_masked: str
    state: str
    stay_ids: list[UUID]
    evidence: list[dict[str, object]]
    not_mine: UUID | None
    dispute_id: UUID | None
    finding: str | None
    recorded_at: datetime
    closed_at: datetime | None


class DriverView(Model):
    """How a person stands: contracts, debt, notices (newest first), alerts of their plates."""

    user_id: UUID
    contracts: list[ContractView]
    debt: DebtView
    notices: list[NoticeView]
    alerts: list[AlertView]


class DayView(Model):
    """A car park's business date: what the core has booked for its owner, by kind."""

    car_park_id: str
    merchant_id: str
    business_on: date
    charges: dict[str, int]
    charges_fen: dict[str, int]
    refunds_count: int
    refunds_fen: int
    net_fen: int
    unpaid_count: int
    unpaid_fen: int
