"""What people sign, buy, owe and dispute in the parking scene."""

import contextlib
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore.account.request import CreditLimitRequest, RepaymentRequest
from cardcore.books import transaction
from cardcore.business.dispute_request import DisputeReason, OpenDisputeRequest
from cardcore.calendar import LOCAL_ZONE
from cardcore.caller import Caller, Scope
from cardcore.errors import (
    ForbiddenError,
    FundUnknownError,
    IdempotencyKeyReusedError,
    InsufficientBalanceError,
    NotFoundError,
    PersonStateError,
    ServiceUnavailableError,
    UserFrozenError,
)
from cardcore.ids import RandomBytes, new_id, part_id
from cardcore.ports import Clock
from cardcore.service import CardCore
from scenes.parking.charges import CREDIT, PARKING, Charges, Intent
from scenes.parking.debits import Debt, DebtState, after_attempt, after_charge
from scenes.parking.debts import (
    change_alert,
    debts_due,
    end_contract,
    read_alert,
    read_contract,
    read_debt,
    read_driver,
    tell,
    write_contract,
    write_debt,
)
from scenes.parking.errors import AlertStateError, MonthCardNotSoldError, PlateUnprovenError
from scenes.parking.pricing import MONTH_CARD
from scenes.parking.register import find_lane, tariff_at
from scenes.parking.request import (
    ClaimAlertRequest,
    CloseAlertRequest,
    MonthCardRequest,
    SignContractRequest,
)
from scenes.parking.tables import month_card
from scenes.parking.views import AlertView, ContractView, DriverView, MonthCardView

CHARGES: Final = UUID("9d2d2c1e-6f0b-5a6d-8a55-2f1f0f6f7a10")
MONTH: Final = timedelta(days=30)
DEBTS_PER_ROUND: Final = 100


class Drivers:
    """Serves the people behind the plates; asked by the card centre, for them."""

    def __init__(
        self,
        core: CardCore,
        engine: AsyncEngine,
        clock: Clock,
        random_bytes: RandomBytes,
        charges: Charges,
    ) -> None:
        self._core = core
        self._engine = engine
        self._clock = clock
        self._random_bytes = random_bytes
        self._charges = charges

    async def sign_contract(
        self, caller: Caller, request: SignContractRequest, idempotency_key: str
    ) -> tuple[ContractView, bool]:
        """Sign for one plate; the credit line gets the limit, for all plates of the person.

        Raises:
            PlateUnprovenError: the plate is not proven to be theirs.
            CardcoreError: what the core says of the credit line (level, limit, what is owed).
        """
        _require_centre(caller)
        contract_id = uuid5(CHARGES, f"contract/{caller.client_id}/{idempotency_key}")
        plate = await self._core.read_plate(PARKING, request.plate)
        async with transaction(self._engine) as (connection, _):
            known = await read_contract(connection, contract_id)
        if known is not None:
            asked = (request.user_id, request.limit_fen, plate.masked)
            if (known.user_id, known.limit_fen, known.plate_masked) != asked:
                raise IdempotencyKeyReusedError(field="Idempotency-Key")
            return known, True
        if not (plate.proven and plate.status == "active" and plate.user_id == request.user_id):
            raise PlateUnprovenError(field="plate")
        limit = CreditLimitRequest(limit_fen=request.limit_fen, reason="parking contract")
        await self._core.set_credit_limit(
            PARKING, request.user_id, CREDIT, limit, f"contract-{contract_id}"
        )
        view = ContractView(
            contract_id=contract_id,
            user_id=request.user_id,
            plate_masked=plate.masked,
            limit_fen=request.limit_fen,
            signed_at=self._clock(),
            ended_at=None,
        )
        async with transaction(self._engine) as (connection, _):
            await write_contract(connection, view, plate.plate_index, by=caller.client_id)
        return view, False

    async def end_contract(self, caller: Caller, contract_id: UUID) -> ContractView:
        """The plate's stays are paid first from now on; ending it again changes nothing.

        Raises:
            NotFoundError: no such contract.
        """
        _require_centre(caller)
        async with transaction(self._engine) as (connection, _):
            await end_contract(connection, contract_id, self._clock())
            found = await read_contract(connection, contract_id)
        if found is None:
            raise NotFoundError(field="contract_id")
        return found

    async def driver(self, caller: Caller, user_id: UUID) -> DriverView:
        """How a person stands."""
        caller.require(Scope.PARKING_READ)
        if caller.merchant_id is not None:
            raise ForbiddenError("how people stand is not told to merchants")
        async with transaction(self._engine) as (connection, _):
            return await read_driver(connection, user_id)

    async def buy_month_card(
        self, caller: Caller, request: MonthCardRequest, idempotency_key: str
    ) -> tuple[MonthCardView, bool]:
        """Months of 30 days for one plate, from the beginning of a local day on.

        Raises:
            NotFoundError: no such lane of the caller's.
            MonthCardNotSoldError: the car park has none.
            CardcoreError: what the core says of the code, the user and the money.
        """
        caller.require(Scope.PARKING_EVENTS)
        if request.user_id is not None and caller.merchant_id is not None:
            raise ForbiddenError("a merchant names users by credential", field="user_id")
        card_id = uuid5(CHARGES, f"{caller.client_id}/{idempotency_key}")
        plate = await self._core.read_plate(PARKING, request.plate)
        begins = datetime.combine(request.from_on, datetime.min.time(), LOCAL_ZONE)
        ends = begins + request.months * MONTH
        async with transaction(self._engine) as (connection, _):
            lane = await find_lane(connection, request.lane_id)
            if (
                lane is None
                or caller.merchant_id not in (None, lane.merchant_id)
                or caller.terminal_id not in (None, lane.lane_id)
            ):
                raise NotFoundError(field="lane_id")
            version, tariff = await tariff_at(connection, lane.car_park_id, begins)
            if tariff.month_card_fen is None:
                raise MonthCardNotSoldError(field="lane_id")
            intent = Intent(
                charge_id=card_id,
                kind=MONTH_CARD,
                passage_id=None,
                car_park_id=lane.car_park_id,
                merchant_id=lane.merchant_id,
                terminal_id=lane.lane_id,
                user_id=request.user_id,
                amount_fen=request.months * tariff.month_card_fen,
                details={
                    "car_park": lane.car_park_id,
                    "tariff_version": version,
                    "plate": plate.masked,
                    "valid_from": begins.isoformat(),
                    "valid_to": ends.isoformat(),
                    "months": request.months,
                },
                occurred_at=self._clock(),
            )
            known = await self._charges.known(connection, card_id)
            if known is not None and known.details != intent.details:
                raise IdempotencyKeyReusedError(field="Idempotency-Key")
            if known is None or known.state == "refused":
                await self._charges.intend(connection, intent)
            if known is None:
                await connection.execute(
                    insert(month_card).values(
                        card_id=card_id,
                        car_park_id=lane.car_park_id,
                        plate_index=plate.plate_index,
                        valid_from=begins,
                        valid_to=ends,
                        recorded_at=self._clock(),
                    )
                )
        outcome = await self._charges.carry_out(card_id, request.credential)
        if outcome.refusal is not None:
            raise outcome.refusal
        assert outcome.order_id is not None
        view = MonthCardView(
            card_id=card_id,
            car_park_id=intent.car_park_id,
            plate_masked=plate.masked,
            valid_from=begins,
            valid_to=ends,
            order_id=outcome.order_id,
            amount_fen=intent.amount_fen,
        )
        return view, known is not None and known.state == "booked"

    # -- what is owed ----------------------------------------------------------------------------

    async def refresh_debt(self, user_id: UUID) -> None:
        """Something was charged, given back or paid: write down what is owed now.

        The core is asked outside the row's lock, so it is asked again until it says the same: two
        charges at once must not leave the older figure behind.
        """
        owed_fen = await self._owed(user_id)
        while True:
            now = self._clock()
            async with transaction(self._engine) as (connection, _):
                debt = await read_debt(connection, user_id, lock=True)
                await self._stands(
                    connection,
                    self._notice_id(now),
                    user_id,
                    debt,
                    after_charge(debt, owed_fen, now),
                    now,
                )
            again_fen = await self._owed(user_id)
            if again_fen == owed_fen:
                return
            owed_fen = again_fen

    async def collect(self, caller: Caller, user_id: UUID) -> DriverView:
        """Pay what is owed out of the purse now, as far as it reaches; the citizen has asked.

        Not an attempt of ours: it does not bring the grey list nearer.
        """
        _require_centre(caller)
        await self._repay(user_id)
        await self.refresh_debt(user_id)
        async with transaction(self._engine) as (connection, _):
            return await read_driver(connection, user_id)

    async def ask_due(self, now: datetime) -> int:
        """Ask again for what is due to be asked for: a duty of the worker."""
        async with transaction(self._engine) as (connection, _):
            due = await debts_due(connection, now, limit=DEBTS_PER_ROUND)
        for user_id in due:
            owed_fen = await self._repay(user_id)
            async with transaction(self._engine) as (connection, _):
                debt = await read_debt(connection, user_id, lock=True)
                if debt.next_at is None or debt.next_at > now:
                    continue  # another worker was first
                after = after_attempt(debt, owed_fen, now)
                attempt_id = self._notice_id(now)
                await self._stands(connection, part_id(attempt_id, 1), user_id, debt, after, now)
                if after.state is not DebtState.CLEAR:
                    facts: dict[str, object] = {
                        "owed_fen": after.owed_fen,
                        "attempt": after.attempts,
                    }
                    await tell(connection, attempt_id, user_id, "debit_failed", facts, now)
        return len(due)

    async def finish(self, now: datetime) -> int:
        """Finish what a crash left between the scene and the core: a duty of the worker."""
        return await self._charges.finish(now)

    def _notice_id(self, now: datetime) -> UUID:
        return new_id(now, self._random_bytes)

    async def _stands(
        self,
        connection: AsyncConnection,
        notice_id: UUID,
        user_id: UUID,
        before: Debt,
        after: Debt,
        now: datetime,
    ) -> None:
        await write_debt(connection, user_id, after)
        if after.state is before.state:
            return
        facts: dict[str, object] = {"owed_fen": after.owed_fen}
        if after.state is DebtState.GREY:
            await tell(connection, notice_id, user_id, "grey_listed", facts, now)
        elif after.state is DebtState.CLEAR:
            await tell(connection, notice_id, user_id, "cleared", facts, now)

    async def _owed(self, user_id: UUID) -> int:
        try:
            return (await self._core.credit_line(PARKING, user_id, CREDIT)).owed_fen
        except FundUnknownError:
            return 0

    async def _repay(self, user_id: UUID) -> int:
        """Pay back what the purse holds; returns what is still owed."""
        key = f"debit-{self._charges.new_id()}"
        # Where nothing is to be had now, what is owed is read all the same.
        with contextlib.suppress(
            InsufficientBalanceError,
            FundUnknownError,
            UserFrozenError,
            PersonStateError,
            ServiceUnavailableError,
        ):
            await self._core.repay_credit(PARKING, user_id, CREDIT, RepaymentRequest(), key)
        return await self._owed(user_id)

    # -- one plate in two places -----------------------------------------------------------------

    async def alert(self, caller: Caller, alert_id: UUID) -> AlertView:
        """An alert with its evidence. Raises ``NotFoundError``."""
        caller.require(Scope.PARKING_READ)
        if caller.merchant_id is not None:
            raise ForbiddenError("alerts are looked into by the card centre")
        return await self._alert(alert_id)

    async def claim_alert(
        self, caller: Caller, alert_id: UUID, request: ClaimAlertRequest
    ) -> AlertView:
        """The citizen says which stay was not theirs; what it cost them is disputed in the core.

        Raises:
            NotFoundError: no such alert, or not a stay of it.
            AlertStateError: it is claimed or closed already.
            CardcoreError: what the core says of the dispute.
        """
        _require_centre(caller)
        found = await self._alert(alert_id)
        if request.stay_id not in found.stay_ids:
            raise NotFoundError(field="stay_id")
        if found.state != "open":
            raise AlertStateError(field="alert_id", state=found.state)
        async with transaction(self._engine) as (connection, _):
            order_id = await self._charges.order_of_stay(connection, request.stay_id)
        dispute_id = None
        if order_id is not None:
            # Named by the alert: a claim that is repeated after a crash finds the same dispute.
            dispute, _ = await self._core.open_dispute(
                PARKING,
                order_id,
                OpenDisputeRequest(reason=DisputeReason.NOT_RECOGNISED),
                f"alert-{alert_id}",
            )
            dispute_id = dispute.dispute_id
        async with transaction(self._engine) as (connection, _):
            locked = await read_alert(connection, alert_id, lock=True)
            assert locked is not None
            if locked.state == "open":
                await change_alert(
                    connection,
                    alert_id,
                    state="claimed",
                    not_mine=request.stay_id,
                    dispute_id=dispute_id,
                )
        return await self._alert(alert_id)

    async def close_alert(
        self, caller: Caller, alert_id: UUID, request: CloseAlertRequest
    ) -> AlertView:
        """An operator has found out; the plate pays afterwards again. Closing it again is refused.

        Raises:
            NotFoundError: no such alert.
            AlertStateError: it is closed already.
        """
        _require_centre(caller)
        async with transaction(self._engine) as (connection, _):
            found = await read_alert(connection, alert_id, lock=True)
            if found is None:
                raise NotFoundError(field="alert_id")
            if found.state == "closed":
                raise AlertStateError(field="alert_id", state=found.state)
            await change_alert(
                connection,
                alert_id,
                state="closed",
                finding=request.finding,
                closed_at=self._clock(),
            )
        return await self._alert(alert_id)

    async def _alert(self, alert_id: UUID) -> AlertView:
        async with transaction(self._engine) as (connection, _):
            found = await read_alert(connection, alert_id)
        if found is None:
            raise NotFoundError(field="alert_id")
        return found


def _require_centre(caller: Caller) -> None:
    caller.require(Scope.PARKING_WRITE)
    if caller.merchant_id is not None:
        raise ForbiddenError("this is done by the card centre, for the citizen")
