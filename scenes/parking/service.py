"""The parking scene: what lanes and counters ask of it.

Lanes send what their cameras read; the scene keeps stays, decides whether the gate opens, and has
the core move the money. What people sign, owe and dispute is ``drivers``. See ``docs/parking.md``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.errors import (
    ForbiddenError,
    IdempotencyKeyReusedError,
    InsufficientBalanceError,
    LimitExceededError,
    NotFoundError,
    RequestInvalidError,
    ServiceUnavailableError,
)
from cardcore.ids import RandomBytes, new_id
from cardcore.ports import Clock
from cardcore.service import CardCore
from cardcore.user.plates import PlateReading
from scenes.parking.charges import PARKING, Charges, Intent, stay_details
from scenes.parking.debits import DebtState
from scenes.parking.debts import contract_of_plate, is_flagged, read_debt, tell
from scenes.parking.drivers import CHARGES, Drivers
from scenes.parking.dues_store import StayDue, due_of_stay, unpaid_stays
from scenes.parking.errors import NothingDueError
from scenes.parking.exits import ExitFacts, Gate, Reason, decide_exit
from scenes.parking.own import OwnParking
from scenes.parking.projection import (
    EventConflictError,
    lock_plate,
    note_clones,
    read_stay,
    rebuild_stays,
    recent_stays,
    stay_of_passage,
    write_passage,
)
from scenes.parking.register import (
    LaneFacts,
    find_lane,
    read_car_park,
    register_car_park,
    register_tariff,
)
from scenes.parking.request import (
    FindStayRequest,
    PassageEvent,
    PassagesRequest,
    PayStayRequest,
    RegisterCarParkRequest,
    RegisterTariffRequest,
)
from scenes.parking.settlement import read_day
from scenes.parking.stays import Direction
from scenes.parking.views import (
    CarParkView,
    DayView,
    GateView,
    PassagesView,
    PassageView,
    PaymentView,
    StaysView,
    StayView,
)

CLOCK_AHEAD_MAX: Final = timedelta(seconds=60)


@dataclass(slots=True, kw_only=True)
class _Taken:
    """What one reading led to, before the core was asked."""

    result: str
    due: StayDue
    gate: Gate
    reason: Reason
    arrears_fen: int
    charges: list[tuple[UUID, UUID]] = field(default_factory=list)
    refunds: list[UUID] = field(default_factory=list)
    owners: set[UUID] = field(default_factory=set)


class ParkingService:
    """Serves lanes, counters and car-park owners; ``drivers`` the desk, ``own`` the people."""

    def __init__(
        self, core: CardCore, engine: AsyncEngine, clock: Clock, random_bytes: RandomBytes
    ) -> None:
        self._core = core
        self._engine = engine
        self._clock = clock
        self._random_bytes = random_bytes
        self._charges = Charges(core, engine, clock, random_bytes)
        self.drivers = Drivers(core, engine, clock, random_bytes, self._charges)
        self.own = OwnParking(core, engine, clock, self.drivers)

    # -- car parks -------------------------------------------------------------------------------

    async def register_car_park(
        self, caller: Caller, request: RegisterCarParkRequest
    ) -> CarParkView:
        """Register a car park; its code is its idempotency key.

        Raises:
            CarParkExistsError: the code, or a lane's, is another's.
        """
        _require_centre(caller, Scope.PARKING_WRITE)
        async with transaction(self._engine) as (connection, _):
            await register_car_park(connection, request, by=caller.client_id, now=self._clock())
            return await read_car_park(connection, request.car_park_id)

    async def register_tariff(
        self, caller: Caller, car_park_id: str, request: RegisterTariffRequest
    ) -> CarParkView:
        """Add a version of a tariff. Stays that began before ``valid_from`` keep theirs.

        Raises:
            NotFoundError: no such car park.
        """
        _require_centre(caller, Scope.PARKING_WRITE)
        async with transaction(self._engine) as (connection, _):
            await register_tariff(
                connection, car_park_id, request, by=caller.client_id, now=self._clock()
            )
            return await read_car_park(connection, car_park_id)

    async def car_park(self, caller: Caller, car_park_id: str) -> CarParkView:
        """A car park of the caller's. Raises ``NotFoundError``."""
        caller.require(Scope.PARKING_READ)
        async with transaction(self._engine) as (connection, _):
            return await _own(connection, caller, car_park_id)

    async def day(self, caller: Caller, car_park_id: str, on: date) -> DayView:
        """What was booked for a car park on a business date. Raises ``NotFoundError``."""
        caller.require(Scope.PARKING_READ)
        async with transaction(self._engine) as (connection, _):
            park = await _own(connection, caller, car_park_id)
            return await read_day(connection, park, on, self._clock())

    # -- lanes -----------------------------------------------------------------------------------

    async def passages(self, caller: Caller, request: PassagesRequest) -> PassagesView:
        """Take readings in; one result each. A bad one holds up none of its neighbours."""
        caller.require(Scope.PARKING_EVENTS)
        return PassagesView(results=[await self._passage(caller, one) for one in request.events])

    async def find_stays(self, caller: Caller, request: FindStayRequest) -> StaysView:
        """The stay of a car that is here, and those of its plate that are not paid, anywhere.

        Raises:
            NotFoundError: no such car park of the caller's.
            RequestInvalidError: not a plate number.
        """
        caller.require(Scope.PARKING_EVENTS)
        now = self._clock()
        plate = await self._core.read_plate(PARKING, request.plate)
        async with transaction(self._engine) as (connection, _):
            await _own(connection, caller, request.car_park_id)
            rows = await recent_stays(
                connection, plate.plate_index, car_park_id=request.car_park_id
            )
            here = [await due_of_stay(connection, row, now) for row in rows if row.state == "open"]
            unpaid = await unpaid_stays(connection, plate.plate_index, now)
        return StaysView(stays=[one.view() for one in (*here, *unpaid)])

    async def read_stay(self, caller: Caller, stay_id: UUID) -> StayView:
        """A stay at a car park of the caller's. Raises ``NotFoundError``."""
        caller.require(Scope.PARKING_READ)
        async with transaction(self._engine) as (connection, _):
            row = await read_stay(connection, stay_id)
            if row is None:
                raise NotFoundError(field="stay_id")
            await _own(connection, caller, row.car_park_id)
            return (await due_of_stay(connection, row, self._clock())).view()

    async def pay_stay(
        self, caller: Caller, stay_id: UUID, request: PayStayRequest, idempotency_key: str
    ) -> tuple[PaymentView, bool]:
        """Pay what is due of a stay by the code somebody shows; the money is its owner's.

        Any lane may take it, also for a stay at another car park: the id is told only to who read
        the plate.

        Raises:
            NotFoundError: no such stay, or no such lane of the caller's.
            NothingDueError: it is paid, or costs nothing.
            CardcoreError: what the core says of the code, the user and the money.
        """
        caller.require(Scope.PARKING_EVENTS)
        charge_id = uuid5(CHARGES, f"{caller.client_id}/{idempotency_key}")
        async with transaction(self._engine) as (connection, _):
            lane = await find_lane(connection, request.lane_id)
            if lane is None or not _is_own(caller, lane):
                raise NotFoundError(field="lane_id")
            found = await read_stay(connection, stay_id)
            if found is None:
                raise NotFoundError(field="stay_id")
            await lock_plate(connection, found.plate_index)
            row = await read_stay(connection, stay_id) or found
            known = await self._charges.known(connection, charge_id)
            if known is not None and known.passage_id not in row.passages:
                raise IdempotencyKeyReusedError(field="Idempotency-Key")
            if known is None or known.state == "refused":
                await self._intend_by_code(connection, charge_id, row, lane)
        outcome = await self._charges.carry_out(charge_id, request.credential)
        if outcome.refusal is not None:
            raise outcome.refusal
        assert outcome.order_id is not None
        async with transaction(self._engine) as (connection, _):
            row = await read_stay(connection, stay_id) or row
            after = await due_of_stay(connection, row, self._clock())
            paid = await self._charges.known(connection, charge_id)
            assert paid is not None
        view = PaymentView(
            charge_id=charge_id,
            order_id=outcome.order_id,
            amount_fen=paid.amount_fen,
            stay=after.view(),
        )
        return view, known is not None and known.state == "booked"

    async def _intend_by_code(
        self, connection: AsyncConnection, charge_id: UUID, row: Row[Any], lane: LaneFacts
    ) -> None:
        now = self._clock()
        due = await due_of_stay(connection, row, now)
        if due.due.due_fen <= 0:
            raise NothingDueError(field="stay_id")
        park = await read_car_park(connection, row.car_park_id)
        here = lane.car_park_id == row.car_park_id
        terminal_id = row.exit_lane_id or (lane.lane_id if here else park.lanes[0].lane_id)
        await self._charges.intend(
            connection,
            Intent(
                charge_id=charge_id,
                kind="code",
                passage_id=row.passages[-1],
                car_park_id=row.car_park_id,
                merchant_id=park.merchant_id,
                terminal_id=terminal_id,
                user_id=None,
                amount_fen=due.due.due_fen,
                details=stay_details(due, lane.lane_id),
                occurred_at=now,
            ),
        )

    # -- one reading -----------------------------------------------------------------------------

    async def _passage(self, caller: Caller, event: PassageEvent) -> PassageView:
        now = self._clock()

        def rejected(reason: str) -> PassageView:
            return PassageView(
                lane_id=event.lane_id, event_no=event.event_no, result="rejected", reason=reason
            )

        async with transaction(self._engine) as (connection, _):
            lane = await find_lane(connection, event.lane_id)
        if lane is None or not _is_own(caller, lane):
            return rejected("lane_unknown")
        if event.occurred_at > now + CLOCK_AHEAD_MAX:
            return rejected("clock_ahead")
        try:
            plate = await self._core.read_plate(PARKING, event.plate)
        except RequestInvalidError:
            return rejected("plate_unreadable")
        try:
            taken = await self._take(event, lane, plate, now)
        except EventConflictError:
            return rejected("event_conflict")
        await self._carry_out(taken)
        async with transaction(self._engine) as (connection, _):
            row = await read_stay(connection, taken.due.row.stay_id) or taken.due.row
            after = await due_of_stay(connection, row, now)
        return PassageView(
            lane_id=event.lane_id,
            event_no=event.event_no,
            result=taken.result,
            stay=after.view(),
            gate=GateView(
                gate=taken.gate.value,
                reason=taken.reason.value,
                due_fen=max(0, after.due.due_fen) if lane.direction is Direction.OUT else 0,
                arrears_fen=taken.arrears_fen,
            ),
        )

    async def _take(
        self, event: PassageEvent, lane: LaneFacts, plate: PlateReading, now: datetime
    ) -> _Taken:
        """Write a reading down, read the plate's stays anew, and decide: one transaction."""
        async with transaction(self._engine) as (connection, _):
            await lock_plate(connection, plate.plate_index)
            passage_id, is_new = await write_passage(connection, event, lane, plate, now=now)
            touched: Sequence[UUID] = ()
            if is_new:
                touched = await rebuild_stays(
                    connection, lane.car_park_id, plate, event.occurred_at
                )
                await self._note_clones(connection, plate, passage_id, now)
            row = await stay_of_passage(connection, passage_id)
            due = await due_of_stay(connection, row, now)
            taken = _Taken(
                result=_result(row, passage_id, event, lane) if is_new else "duplicate",
                due=due,
                gate=Gate.OPEN,
                reason=Reason.NOTHING_DUE,
                arrears_fen=sum(
                    one.due.due_fen
                    for one in await unpaid_stays(
                        connection, plate.plate_index, now, but=row.stay_id
                    )
                ),
            )
            for stay_id in {*touched, row.stay_id}:
                await self._settle(connection, taken, stay_id, lane, plate, now)
        return taken

    async def _settle(
        self,
        connection: AsyncConnection,
        taken: _Taken,
        stay_id: UUID,
        lane: LaneFacts,
        plate: PlateReading,
        now: datetime,
    ) -> None:
        """What is to be paid or given back of one stay; of the reading's own, also the gate."""
        row = await read_stay(connection, stay_id)
        assert row is not None
        if row.left_at is None:
            return
        due = await due_of_stay(connection, row, now)
        if due.due.due_fen < 0:
            taken.refunds += await self._charges.intend_refunds(connection, due)
            if plate.user_id is not None:
                taken.owners.add(plate.user_id)
        gate, reason = decide_exit(await self._facts(connection, due, plate))
        if reason is Reason.ON_ACCOUNT:
            assert plate.user_id is not None
            charge_id = self._charges.new_id()
            await self._charges.intend(
                connection,
                Intent(
                    charge_id=charge_id,
                    kind="on_account",
                    passage_id=row.passages[-1],
                    car_park_id=row.car_park_id,
                    merchant_id=lane.merchant_id,
                    terminal_id=row.exit_lane_id,
                    user_id=plate.user_id,
                    amount_fen=due.due.due_fen,
                    details=stay_details(due, row.exit_lane_id),
                    occurred_at=row.left_at,
                ),
            )
            taken.charges.append((charge_id, stay_id))
            taken.owners.add(plate.user_id)
        if stay_id == taken.due.row.stay_id:
            taken.gate, taken.reason = gate, reason

    async def _facts(
        self, connection: AsyncConnection, due: StayDue, plate: PlateReading
    ) -> ExitFacts:
        contract = await contract_of_plate(connection, plate.plate_index)
        # Who signs today does not pay for whoever drove the car before.
        signed = (
            contract is not None
            and contract.user_id == plate.user_id
            and contract.signed_at <= due.row.left_at
        )
        debt_state = DebtState.CLEAR
        if plate.user_id is not None:
            debt_state = (await read_debt(connection, plate.user_id)).state
        return ExitFacts(
            due_fen=due.due.due_fen,
            bound=plate.user_id is not None,
            active=plate.status == "active",
            proven=plate.proven,
            flagged=await is_flagged(connection, plate.plate_index),
            contract=signed,
            grey_listed=debt_state is DebtState.GREY,
        )

    async def _note_clones(
        self, connection: AsyncConnection, plate: PlateReading, passage_id: UUID, now: datetime
    ) -> None:
        for alert_id in await note_clones(connection, plate, passage_id, now):
            if plate.user_id is not None:
                facts: dict[str, object] = {"alert_id": str(alert_id), "plate": plate.masked}
                await tell(
                    connection,
                    new_id(now, self._random_bytes),
                    plate.user_id,
                    "plate_in_two_places",
                    facts,
                    now,
                )

    async def _carry_out(self, taken: _Taken) -> None:
        """Have the core do what was decided. What it cannot do now is finished by the worker."""
        for charge_id, stay_id in taken.charges:
            try:
                outcome = await self._charges.carry_out(charge_id)
            except ServiceUnavailableError:
                # The intent stands: the car leaves, as its owner was promised.
                continue
            if outcome.refusal is not None and stay_id == taken.due.row.stay_id:
                short = isinstance(outcome.refusal, InsufficientBalanceError | LimitExceededError)
                taken.gate = Gate.PAY_FIRST
                taken.reason = Reason.OVER_LIMIT if short else Reason.NOT_BOOKED
        for refund_id in taken.refunds:
            await self._charges.carry_out_refund(refund_id)
        for user_id in taken.owners:
            await self.drivers.refresh_debt(user_id)


def _result(row: Row[Any], passage_id: UUID, event: PassageEvent, lane: LaneFacts) -> str:
    if lane.direction is Direction.IN:
        return "entered" if row.stay_id == passage_id else "seen_again"
    is_exit = (row.left_at, row.exit_lane_id) == (event.occurred_at, lane.lane_id)
    return "left" if is_exit else "seen_again"


def _is_own(caller: Caller, lane: LaneFacts) -> bool:
    return caller.merchant_id in (None, lane.merchant_id) and caller.terminal_id in (
        None,
        lane.lane_id,
    )


async def _own(connection: AsyncConnection, caller: Caller, car_park_id: str) -> CarParkView:
    """A car park of the caller's merchant; another's is not there."""
    park = await read_car_park(connection, car_park_id)
    if caller.merchant_id not in (None, park.merchant_id):
        raise NotFoundError(field="car_park_id")
    return park


def _require_centre(caller: Caller, scope: Scope) -> None:
    caller.require(scope)
    if caller.merchant_id is not None:
        raise ForbiddenError("car parks are registered by the card centre")
