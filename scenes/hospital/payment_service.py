"""The front door of paying: visits, bills, the split shown and agreed to, items given back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.books import transaction
from cardcore.business.request import Account, Business, Mode, OrderRequest, User
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.errors import RequestInvalidError
from scenes.hospital import payment_store as store
from scenes.hospital import saga_moves as moves
from scenes.hospital.bills import keys_of, open_lines, read_visit, total_of
from scenes.hospital.counter import Counter
from scenes.hospital.deposits import available_fen, reserve
from scenes.hospital.errors import BillConflictError, PaymentStateError
from scenes.hospital.fees import fees_of
from scenes.hospital.gateway import InsuranceRefusedError
from scenes.hospital.insurer import local_text
from scenes.hospital.messages import (
    TrialSettlement,
    VisitDescription,
    VisitRegistration,
    number_of,
)
from scenes.hospital.payment_states import PaymentState
from scenes.hospital.payment_store import Payment
from scenes.hospital.payments import MED_TYPE, PaymentSaga, Surroundings
from scenes.hospital.pricing import FEE, HospitalPricer
from scenes.hospital.request import (
    ConfirmRequest,
    OwnConfirmRequest,
    PaymentRequest,
    ReturnRequest,
)
from scenes.hospital.returns import Returns
from scenes.hospital.saga_moves import Move
from scenes.hospital.split import Split, self_paid, split_of
from scenes.hospital.tables import (
    bill,
    payment,
    registration,
    visit,
)
from scenes.hospital.views import PaymentView, ReturnView
from scenes.hospital.visit_service import require_agreement

HEALTH_CREDIT: Final = "health_credit"
_GIVEN_UP: Final = ("cancelled", "lapsed")


class PaymentService(Counter):
    """Serves paying."""

    def __init__(self, around: Surroundings, returns: Returns, pricer: HospitalPricer) -> None:
        Counter.__init__(self, around)
        self._returns = returns
        self._pricer = pricer
        self.saga = PaymentSaga(around)

    # -- quote, agree ------------------------------------------------------------------------------

    async def quote_payment(
        self, caller: Caller, visit_id: UUID, request: PaymentRequest, key: str
    ) -> tuple[PaymentView, bool]:
        """Who would pay which fen of the visit's open bills. Nothing is held, nothing settled.

        Raises:
            NotFoundError: no such visit, or a bill that is not of it.
            BillConflictError: nothing is open, or a bill is in another payment.
            InsuranceRefusedError, InsuranceSilentError, InsuranceSumsError: the insurer's answer.
        """
        if caller.user_id is None:
            caller.require(Scope.HOSPITAL_WRITE)
        payment_id = self._new_id(self._around.clock())
        async with transaction(self._around.engine) as (connection, _):
            found = await read_visit(connection, caller, visit_id)
            hospital_row = await self._hospital(connection, caller, found.merchant_id)
            try:
                lines = await open_lines(connection, found, request.bill_ids, lock=False)
            except BillConflictError:
                # Perhaps in the payment that this very request has made: its key will tell.
                lines = []
        split = self_paid(total_of(lines))
        if found.psn_no is not None and lines:
            split = await self._ask_split(hospital_row, found, lines, payment_id)

        async def perform(connection: AsyncConnection, now: datetime) -> tuple[UUID, PaymentView]:
            locked = await open_lines(connection, found, request.bill_ids, lock=True)
            if not locked or keys_of(locked) != keys_of(lines):
                raise BillConflictError("nothing is open, or it has changed", field="bill_ids")
            deposited = await available_fen(connection, visit_id)
            shown = replace(split, deposit_fen=min(split.cash_fen, deposited))
            await self._write(connection, found, hospital_row, payment_id, shown, now)
            await connection.execute(
                update(bill)
                .where(bill.c.bill_id.in_({line.bill_id for line in locked}))
                .values(payment_id=payment_id)
            )
            return payment_id, await self._view_payment(connection, payment_id)

        return await self._once(
            caller, key, request, f"quote/{visit_id}", perform, self._view_payment
        )

    async def confirm_payment(
        self, caller: Caller, payment_id: UUID, request: ConfirmRequest, key: str
    ) -> tuple[PaymentView, bool]:
        """The citizen agrees: hold, settle, capture.

        Answers when it has ended, or when the insurer is silent: then the worker goes on with it.

        Raises:
            NotFoundError, PaymentStateError: nothing to agree to (any more).
            AgreementMissingError: nobody presented anything, and there is no agreement.
            CardcoreError: as the credential is refused.
        """
        caller.require(Scope.HOSPITAL_WRITE)
        async with transaction(self._around.engine) as (connection, _):
            found = await store.read_payment(connection, caller, payment_id)
            hospital_row = await self._hospital(connection, caller, found.merchant_id)
            known = found.state is not PaymentState.QUOTED
            if request.user is None:
                if not found.pay_after:
                    raise RequestInvalidError("show a credential", field="user")
                await require_agreement(connection, found.user_id)
        order: OrderRequest | None = None
        if not known:
            user, account = User(user_id=found.user_id), Account(fund=request.fund)
            if request.user is None:
                account = Account(fund=HEALTH_CREDIT)
            else:
                presenter = await self._patient(
                    caller, hospital_row, request.user, request.terminal_id
                )
                if presenter.user_id == found.user_id:
                    user = request.user
                else:
                    account = Account(fund=request.fund, payer=presenter.user_id)
            order = self._order(found, user, account, request.terminal_id)
        asked = f"{request.fund} {request.user is None}"
        return await self._agree(caller, found, order, asked, key)

    async def confirm_my_payment(
        self, caller: Caller, payment_id: UUID, request: OwnConfirmRequest, key: str
    ) -> tuple[PaymentView, bool]:
        """As ``confirm_payment``, by the citizen whose session it is."""
        assert caller.user_id is not None
        async with transaction(self._around.engine) as (connection, _):
            found = await store.read_payment(connection, caller, payment_id)
        user = User(user_id=found.user_id)
        order = self._order(found, user, Account(fund=request.fund), None)
        return await self._agree(caller, found, order, request.fund, key)

    async def read_payment(self, caller: Caller, payment_id: UUID) -> PaymentView:
        """A payment as it stands, with its steps."""
        if caller.user_id is None:
            caller.require(Scope.HOSPITAL_READ)
        async with transaction(self._around.engine) as (connection, _):
            found = await store.read_payment(connection, caller, payment_id)
            return await store.view_payment(connection, found)

    # -- back --------------------------------------------------------------------------------------

    async def return_items(
        self, caller: Caller, payment_id: UUID, request: ReturnRequest, key: str
    ) -> tuple[ReturnView, bool]:
        """Give items back: the insurer settles the rest anew, the money goes the way it came.

        Raises:
            NotFoundError, PaymentStateError, RefundUnderWayError, ReturnExceedsError,
            BillConflictError: see ``Returns.begin``.
        """
        caller.require(Scope.HOSPITAL_WRITE)

        async def perform(connection: AsyncConnection, now: datetime) -> tuple[UUID, ReturnView]:
            paid = await store.read_payment(connection, caller, payment_id, lock=True)
            begun = await self._returns.begin(
                connection,
                paid,
                out_refund_no=request.out_refund_no,
                lines=[line.model_dump(mode="json") for line in request.lines],
                reason=request.reason,
                now=now,
            )
            return begun, await self._view_return(connection, begun)

        view, replayed = await self._once(
            caller, key, request, f"return/{payment_id}", perform, self._view_return
        )
        if not replayed:
            await self._returns.saga.advance(view.refund_id)
        async with transaction(self._around.engine) as (connection, _):
            return await self._view_return(connection, view.refund_id), replayed

    async def read_return(self, caller: Caller, refund_id: UUID) -> ReturnView:
        """A return as it stands, with its steps."""
        caller.require(Scope.HOSPITAL_READ)
        async with transaction(self._around.engine) as (connection, _):
            found = await store.read_refund(connection, caller, refund_id)
            return await store.view_refund(connection, found)

    # -- parts -------------------------------------------------------------------------------------

    async def _ask_split(
        self,
        hospital_row: Row[Any],
        found: Row[Any],
        lines: Sequence[Row[Any]],
        payment_id: UUID,
    ) -> Split:
        """2201 and 2203 once a visit, 2204 and 2206 for these bills."""
        code = hospital_row.fixmedins_code
        if code is None:
            raise InsuranceRefusedError("this hospital is not designated by the insurer")
        insurer, now = self._around.insurer, self._around.clock()
        mdtrt_id = found.mdtrt_id
        if mdtrt_id is None:
            registered = await insurer.register_visit(
                code,
                VisitRegistration(
                    psn_no=found.psn_no,
                    insutype=found.insutype,
                    begntime=local_text(found.recorded_at),
                    mdtrt_cert_no=found.psn_no,
                    ipt_otp_no=found.visit_no,
                    dept_code=found.dept_code,
                    dept_name=found.dept_code,
                ),
            )
            mdtrt_id = registered.mdtrt_id
            await insurer.describe_visit(
                code,
                VisitDescription(
                    mdtrt_id=mdtrt_id,
                    psn_no=found.psn_no,
                    med_type=MED_TYPE[found.kind],
                    begntime=local_text(found.recorded_at),
                ),
            )
            async with transaction(self._around.engine) as (connection, _):
                await connection.execute(
                    update(visit)
                    .where(visit.c.visit_id == found.visit_id, visit.c.mdtrt_id.is_(None))
                    .values(mdtrt_id=mdtrt_id)
                )
        total_fen, batch_no = total_of(lines), number_of(payment_id)
        insured = _Insured(mdtrt_id, found.psn_no, found.dept_code)
        await insurer.send_fees(code, fees_of(insured, lines, batch_no=batch_no, at=now))
        info = await insurer.try_settlement(
            code,
            TrialSettlement(
                psn_no=found.psn_no,
                mdtrt_cert_no=found.psn_no,
                med_type=MED_TYPE[found.kind],
                medfee_sumamt=total_fen,
                mdtrt_id=mdtrt_id,
                chrg_bchno=batch_no,
                insutype=found.insutype,
            ),
        )
        return split_of(info, sent_fen=total_fen)

    async def _write(
        self,
        connection: AsyncConnection,
        found: Row[Any],
        hospital_row: Row[Any],
        payment_id: UUID,
        split: Split,
        now: datetime,
    ) -> None:
        await connection.execute(
            insert(payment).values(
                payment_id=payment_id,
                merchant_id=found.merchant_id,
                visit_id=found.visit_id,
                user_id=found.user_id,
                fund="auto",
                state=PaymentState.QUOTED.value,
                version=1,
                total_fen=split.total_fen,
                fund_fen=split.fund_fen,
                account_fen=split.account_fen,
                cash_fen=split.cash_fen,
                hospital_fen=split.hospital_fen,
                deposit_fen=split.deposit_fen,
                quote_ends_at=now + timedelta(seconds=hospital_row.quote_s),
                business_on=business_date(now, self._around.cut_off),
                recorded_at=now,
                changed_at=now,
            )
        )
        note = {"total_fen": split.total_fen}
        await moves.write_first_step(connection, payment_id, PaymentState.QUOTED, note, now)

    def _order(
        self, found: Payment, user: User, account: Account, terminal_id: str | None
    ) -> OrderRequest | None:
        """The order that holds the payment's money; None where there is none to hold."""
        if found.split.ordered_fen == 0:
            return None
        return OrderRequest(
            user=user,
            account=account,
            business=Business(
                scene="hospital",
                type=FEE,
                merchant_id=found.merchant_id,
                terminal_id=terminal_id or found.terminal_id,
                out_trade_no=f"HP{found.payment_id.hex}",
                amount_fen=found.split.ordered_fen,
                currency="CNY",
                occurred_at=self._around.clock(),
                details=self._pricer.details(str(found.payment_id), found.visit_no, found.split),
            ),
            mode=Mode.HOLD,
        )

    async def _agree(
        self, caller: Caller, found: Payment, order: OrderRequest | None, asked: str, key: str
    ) -> tuple[PaymentView, bool]:
        payment_id = found.payment_id

        async def perform(connection: AsyncConnection, now: datetime) -> tuple[UUID, None]:
            locked = await store.read_payment(connection, caller, payment_id, lock=True)
            if locked.state is not PaymentState.QUOTED or locked.quote_ends_at <= now:
                raise PaymentStateError(field="payment_id", status=locked.state.value)
            await _keep_places(connection, payment_id, now)
            if locked.split.deposit_fen:
                await reserve(connection, locked.visit_id, locked.split.deposit_fen)
            asked_order = None if order is None else order.model_dump(mode="json")
            changes: dict[str, Any] = {"order_request": asked_order}
            if order is not None:
                changes["fund"] = order.account.fund
                if isinstance(order.account.payer, UUID):
                    changes["payer_id"] = order.account.payer
            move = Move(to=PaymentState.HOLDING, changes=changes, note={"by": caller.client_id})
            await moves.move_payment(connection, locked, move, now=now)
            return payment_id, None

        async def recall(connection: AsyncConnection, _: UUID) -> None:
            """Nothing but the payment itself is told, as it stands at the end."""

        _, replayed = await self._once(caller, key, asked, f"confirm/{payment_id}", perform, recall)
        if not replayed:
            await self.saga.advance(payment_id)
        async with transaction(self._around.engine) as (connection, _):
            return await self._view_payment(connection, payment_id), replayed

    async def _view_payment(self, connection: AsyncConnection, payment_id: UUID) -> PaymentView:
        found = await store.find_payment(connection, payment_id)
        assert found is not None
        return await store.view_payment(connection, found)

    async def _view_return(self, connection: AsyncConnection, refund_id: UUID) -> ReturnView:
        anybody = Caller(client_id="", merchant_id=None, scopes=frozenset())
        return await store.view_refund(
            connection, await store.read_refund(connection, anybody, refund_id)
        )


class _Insured:
    """A visit as ``fees_of`` reads it."""

    def __init__(self, mdtrt_id: str, psn_no: str, dept_code: str) -> None:
        self.mdtrt_id: str | None = mdtrt_id
        self.psn_no: str | None = psn_no
        self.dept_code = dept_code


async def _keep_places(connection: AsyncConnection, payment_id: UUID, now: datetime) -> None:
    """A place whose fee is about to be paid must be there still; from here the payment keeps it.

    Raises:
        PaymentStateError: the place was given to somebody else.
    """
    r = registration.c
    rows = await connection.execute(
        select(r.state, r.hold_ends_at)
        .where(
            r.bill_id.in_(select(bill.c.bill_id).where(bill.c.payment_id == payment_id)),
        )
        .with_for_update()
    )
    for row in rows:
        # The rest of a fee that was billed anew belongs to a place that is booked already.
        if row.state in _GIVEN_UP or (row.state == "held" and row.hold_ends_at <= now):
            raise PaymentStateError("the place is gone", field="payment_id", status=row.state)
