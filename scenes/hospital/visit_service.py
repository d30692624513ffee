"""The front door of visits: opened, billed, paid after, deposits put down."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg import errors as pg_errors
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.books import transaction
from cardcore.business.request import Account, Business, Mode, OrderRequest
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from scenes.hospital import deposits
from scenes.hospital.bills import read_visit, view_bill, write_bill
from scenes.hospital.counter import Counter
from scenes.hospital.errors import (
    AgreementMissingError,
    BillConflictError,
    PrepaymentOffError,
    RegistrationStateError,
)
from scenes.hospital.messages import number_of
from scenes.hospital.payments import Surroundings
from scenes.hospital.pricing import DEPOSIT
from scenes.hospital.registration_rows import read_registration
from scenes.hospital.request import (
    AgreementRequest,
    BillLine,
    BillRequest,
    DepositRequest,
    InsuranceRequest,
    VisitRequest,
)
from scenes.hospital.tables import bill, credit_agreement, registration, visit
from scenes.hospital.views import (
    AgreementView,
    BillsView,
    BillView,
    DepositView,
    VisitView,
)

REGISTRATION_ITEM: Final = "110200001"  # 诊察费 in the national list of medical services


class VisitService(Counter):
    """Serves visits."""

    def __init__(self, around: Surroundings) -> None:
        Counter.__init__(self, around)
        self.deposits = deposits.Deposits(around)

    # -- visits ------------------------------------------------------------------------------------

    async def open_visit(
        self, caller: Caller, merchant_id: str, request: VisitRequest, key: str
    ) -> tuple[VisitView, bool]:
        """A visit of whoever presents a credential; an inpatient's opens a deposit too.

        Raises:
            BillConflictError: the number names another visit.
            AgreementMissingError: to be paid after, and nothing was signed.
        """
        caller.require(Scope.HOSPITAL_WRITE)
        async with transaction(self._around.engine) as (connection, _):
            found = await self._hospital(connection, caller, merchant_id)
        patient = await self._patient(caller, found, request.user)
        asked = request.model_dump_json(exclude={"user"}) + str(patient.user_id)

        async def perform(connection: AsyncConnection, now: datetime) -> tuple[UUID, VisitView]:
            if request.pay_after:
                await require_agreement(connection, patient.user_id)
            visit_id = self._new_id(now)
            await _write_visit(
                connection,
                {
                    "visit_id": visit_id,
                    "merchant_id": merchant_id,
                    "user_id": patient.user_id,
                    "recorded_at": now,
                    **request.model_dump(exclude={"user"}),
                },
            )
            if request.kind == "inpatient":
                await deposits.open_account(connection, visit_id, merchant_id, patient.user_id, now)
            return visit_id, await _view_visit(connection, visit_id)

        return await self._once(caller, key, asked, f"visit/{merchant_id}", perform, _view_visit)

    async def bill_registration(
        self, caller: Caller, registration_id: UUID, request: InsuranceRequest, key: str
    ) -> tuple[VisitView, bool]:
        """The visit of a registration that is held, with a bill over its fee.

        Raises:
            NotFoundError: no such registration of this caller.
            RegistrationStateError: there is nothing to pay (any more).
        """
        if caller.user_id is None:
            caller.require(Scope.HOSPITAL_WRITE)

        async def perform(connection: AsyncConnection, now: datetime) -> tuple[UUID, VisitView]:
            row = await read_registration(connection, caller, registration_id, lock=True)
            if row.state != "held" or row.bill_id is not None:
                raise RegistrationStateError(field="registration_id", status=row.state)
            visit_id, bill_id = self._new_id(now), self._new_id(now)
            number = "G" + number_of(registration_id)
            await _write_visit(
                connection,
                {
                    "visit_id": visit_id,
                    "merchant_id": row.merchant_id,
                    "visit_no": number,
                    "user_id": row.user_id,
                    "kind": "outpatient",
                    "dept_code": row.dept_code,
                    "pay_after": False,
                    "recorded_at": now,
                    **request.model_dump(),
                },
            )
            fee = BillLine(
                item_code=REGISTRATION_ITEM,
                name="诊察费",
                quantity="1",
                price_fen=row.fee_fen,
                amount_fen=row.fee_fen,
            )
            found = await read_visit(connection, caller, visit_id)
            await write_bill(
                connection, found, bill_id, BillRequest(out_bill_no=number, lines=[fee]), now
            )
            await connection.execute(
                update(registration)
                .where(registration.c.registration_id == registration_id)
                .values(bill_id=bill_id)
            )
            return visit_id, await _view_visit(connection, visit_id)

        return await self._once(
            caller, key, request, f"bill_registration/{registration_id}", perform, _view_visit
        )

    async def read_visit(self, caller: Caller, visit_id: UUID) -> VisitView:
        """A visit. Raises ``NotFoundError``."""
        if caller.user_id is None:
            caller.require(Scope.HOSPITAL_READ)
        async with transaction(self._around.engine) as (connection, _):
            await read_visit(connection, caller, visit_id)
            return await _view_visit(connection, visit_id)

    # -- bills -------------------------------------------------------------------------------------

    async def add_bill(
        self, caller: Caller, visit_id: UUID, request: BillRequest, key: str
    ) -> tuple[BillView, bool]:
        """A bill of a visit. Raises ``NotFoundError``, ``BillConflictError``."""
        caller.require(Scope.HOSPITAL_WRITE)

        async def perform(connection: AsyncConnection, now: datetime) -> tuple[UUID, BillView]:
            found = await read_visit(connection, caller, visit_id)
            if found.closed_at is not None:
                raise BillConflictError("the visit is closed", field="visit_id")
            bill_id = self._new_id(now)
            await write_bill(connection, found, bill_id, request, now)
            if found.kind == "inpatient":
                on = business_date(now, self._around.cut_off)
                await deposits.charge(
                    connection, visit_id, bill_id, request.total_fen, on=on, now=now
                )
            return bill_id, await view_bill(connection, bill_id)

        return await self._once(caller, key, request, f"bill/{visit_id}", perform, view_bill)

    async def list_bills(self, caller: Caller, visit_id: UUID) -> BillsView:
        """Bills of a visit, oldest first."""
        if caller.user_id is None:
            caller.require(Scope.HOSPITAL_READ)
        async with transaction(self._around.engine) as (connection, _):
            await read_visit(connection, caller, visit_id)
            ids = await connection.execute(
                select(bill.c.bill_id).where(bill.c.visit_id == visit_id).order_by(bill.c.bill_id)
            )
            views = [await view_bill(connection, bill_id) for bill_id in ids.scalars()]
        return BillsView(bills=views)

    # -- paying after the visit --------------------------------------------------------------------

    async def sign_agreement(
        self, caller: Caller, merchant_id: str, request: AgreementRequest, key: str
    ) -> tuple[AgreementView, bool]:
        """The agreement to pay after visits; one that is in force stays.

        What may be owed is the limit of the person's credit line (``health_credit``).
        """
        caller.require(Scope.HOSPITAL_WRITE)
        async with transaction(self._around.engine) as (connection, _):
            found = await self._hospital(connection, caller, merchant_id)
        patient = await self._patient(caller, found, request.user)
        a = credit_agreement.c

        async def perform(connection: AsyncConnection, now: datetime) -> tuple[UUID, AgreementView]:
            in_force = await connection.scalar(
                select(a.agreement_id).where(a.user_id == patient.user_id, a.ended_at.is_(None))
            )
            agreement_id = in_force or self._new_id(now)
            if in_force is None:
                await connection.execute(
                    insert(credit_agreement).values(
                        agreement_id=agreement_id,
                        user_id=patient.user_id,
                        evidence=request.evidence,
                        signed_at=now,
                    )
                )
            return agreement_id, await _view_agreement(connection, agreement_id)

        asked = f"{patient.user_id} {request.evidence}"
        return await self._once(
            caller, key, asked, f"agreement/{merchant_id}", perform, _view_agreement
        )

    # -- deposits ----------------------------------------------------------------------------------

    async def open_prepayment(
        self, caller: Caller, visit_id: UUID, key: str
    ) -> tuple[DepositView, bool]:
        """A deposit for an outpatient visit, where the hospital still takes them.

        Raises:
            PrepaymentOffError: it does not, as is the rule.
        """
        caller.require(Scope.HOSPITAL_WRITE)

        async def perform(connection: AsyncConnection, now: datetime) -> tuple[UUID, DepositView]:
            found = await read_visit(connection, caller, visit_id)
            rules = await self._hospital(connection, caller, found.merchant_id)
            if not rules.outpatient_prepayment:
                raise PrepaymentOffError(field="visit_id")
            await deposits.open_account(connection, visit_id, found.merchant_id, found.user_id, now)
            return visit_id, await deposits.view_account(connection, visit_id)

        return await self._once(
            caller, key, "", f"prepayment/{visit_id}", perform, deposits.view_account
        )

    async def put_down(
        self, caller: Caller, visit_id: UUID, request: DepositRequest, key: str
    ) -> tuple[DepositView, bool]:
        """Money of whoever presents a credential, put down for a stay.

        The order is the core's, named by the hospital's number; a crash before it is entered here
        is made good by the same request again.

        Raises:
            NotFoundError, DepositStateError: no open deposit.
            CardcoreError: as the order is refused.
        """
        caller.require(Scope.HOSPITAL_WRITE)
        async with transaction(self._around.engine) as (connection, _):
            found = await read_visit(connection, caller, visit_id)
            hospital_row = await self._hospital(connection, caller, found.merchant_id)
        payer = await self._patient(caller, hospital_row, request.user)
        order = OrderRequest(
            user=request.user,
            account=Account(),
            business=Business(
                scene="hospital",
                type=DEPOSIT,
                merchant_id=found.merchant_id,
                terminal_id=hospital_row.terminal_id,
                out_trade_no=f"HD{request.out_trade_no}"[:64],
                amount_fen=request.amount_fen,
                currency="CNY",
                occurred_at=self._around.clock(),
                details={"visit_no": found.visit_no},
            ),
            mode=Mode.PAY,
        )

        async def perform(connection: AsyncConnection, now: datetime) -> tuple[UUID, DepositView]:
            top_up_id = self._new_id(now)
            await deposits.ask_top_up(connection, top_up_id, found, order, now)
            return top_up_id, await deposits.view_account(connection, visit_id)

        async def recall(connection: AsyncConnection, _: UUID) -> DepositView:
            return await deposits.view_account(connection, visit_id)

        asked = f"{payer.user_id} {request.amount_fen} {request.out_trade_no}"
        view, replayed = await self._once(
            caller, key, asked, f"deposit/{visit_id}", perform, recall
        )
        if replayed:
            return view, replayed
        await self.deposits.advance_top_up(found.merchant_id, order.business.out_trade_no)
        return await self.read_deposit(caller, visit_id), replayed

    async def discharge(self, caller: Caller, visit_id: UUID, key: str) -> tuple[VisitView, bool]:
        """The visit is over: nothing more is charged, the rest of a deposit goes back at once.

        Raises:
            BillConflictError: a bill is still open.
        """
        caller.require(Scope.HOSPITAL_WRITE)

        async def perform(connection: AsyncConnection, now: datetime) -> tuple[UUID, VisitView]:
            await read_visit(connection, caller, visit_id)
            unpaid = await connection.execute(
                select(bill.c.bill_id).where(bill.c.visit_id == visit_id, bill.c.state == "open")
            )
            if unpaid.first() is not None:
                raise BillConflictError("a bill is open", field="visit_id")
            await connection.execute(
                update(visit).where(visit.c.visit_id == visit_id).values(closed_at=now)
            )
            await deposits.close_account(connection, visit_id, now)
            return visit_id, await _view_visit(connection, visit_id)

        view, replayed = await self._once(
            caller, key, "", f"discharge/{visit_id}", perform, _view_visit
        )
        await self.deposits.return_rest(visit_id)
        return view, replayed

    async def read_deposit(self, caller: Caller, visit_id: UUID) -> DepositView:
        """A deposit as it stands."""
        if caller.user_id is None:
            caller.require(Scope.HOSPITAL_READ)
        async with transaction(self._around.engine) as (connection, _):
            await read_visit(connection, caller, visit_id)
            return await deposits.view_account(connection, visit_id)


async def require_agreement(connection: AsyncConnection, user_id: UUID) -> None:
    """Raises ``AgreementMissingError`` unless an agreement to pay after visits is in force."""
    a = credit_agreement.c
    agreed = await connection.execute(
        select(a.agreement_id).where(a.user_id == user_id, a.ended_at.is_(None))
    )
    if agreed.first() is None:
        raise AgreementMissingError(field="user")


async def _write_visit(connection: AsyncConnection, values: dict[str, object]) -> None:
    try:
        async with connection.begin_nested():
            await connection.execute(insert(visit).values(values))
    except IntegrityError as broken:
        if isinstance(broken.orig, pg_errors.UniqueViolation):
            raise BillConflictError("the number names another visit", field="visit_no") from broken
        raise


async def _view_visit(connection: AsyncConnection, visit_id: UUID) -> VisitView:
    row = (await connection.execute(select(visit).where(visit.c.visit_id == visit_id))).one()
    return VisitView(
        visit_id=row.visit_id,
        merchant_id=row.merchant_id,
        visit_no=row.visit_no,
        kind=row.kind,
        dept_code=row.dept_code,
        insured=row.psn_no is not None,
        pay_after=row.pay_after,
        recorded_at=row.recorded_at,
        closed_at=row.closed_at,
    )


async def _view_agreement(connection: AsyncConnection, agreement_id: UUID) -> AgreementView:
    a = credit_agreement.c
    row = (
        await connection.execute(select(credit_agreement).where(a.agreement_id == agreement_id))
    ).one()
    return AgreementView(
        agreement_id=row.agreement_id, signed_at=row.signed_at, ended_at=row.ended_at
    )
