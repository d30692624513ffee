"""The hospital's, the insurer's, the channel's books and ours compared, the same day and the next.

What stands in one alone goes back by itself (``one_sided``). Every other difference waits, listed
with its age, for whose move it is.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, func, select
from sqlalchemy.dialects.postgresql import insert

from cardcore.books import transaction
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.errors import ForbiddenError
from scenes.hospital.channel_bills import take_channel_bill
from scenes.hospital.counter import Counter
from scenes.hospital.differences import compare_books, take_insurer_items
from scenes.hospital.gateway import (
    InsuranceRefusedError,
    InsuranceSilentError,
)
from scenes.hospital.messages import (
    DetailsComparison,
    SettlementDetail,
    TotalsComparison,
)
from scenes.hospital.one_sided import OneSided
from scenes.hospital.request import (
    ChannelBillRequest,
    HISItemsRequest,
    ReconciliationRequest,
)
from scenes.hospital.tables import (
    difference,
    his_day,
    his_item,
    hospital,
    payment,
    settlement,
    visit,
)
from scenes.hospital.views import (
    ChannelBillView,
    DifferencesView,
    DifferenceView,
    HISItemsView,
    ReconciliationView,
)

OPTINS: Final = "370406"  # the insurer's office (经办机构): the district's code
CLEARING: Final = {"outpatient": "11", "inpatient": "21"}  # clr_type
_USUAL: Final = ("310", "11")  # asked about where there is nothing: employees, outpatient
DIFFERENCES_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Totals:
    total_fen: int = 0
    fund_fen: int = 0
    account_fen: int = 0
    cash_fen: int = 0
    count: int = 0


class ReconciliationService(Counter):
    """Serves comparing, and does what can be done without people."""

    async def take_his_items(
        self, caller: Caller, merchant_id: str, request: HISItemsRequest
    ) -> HISItemsView:
        """What the hospital's own system has collected on a day. The same again changes nothing."""
        caller.require(Scope.HOSPITAL_WRITE)
        now = self._around.clock()
        async with transaction(self._around.engine) as (connection, _):
            await self._hospital(connection, caller, merchant_id)
            if request.complete:
                day = {"merchant_id": merchant_id, "business_on": request.business_on}
                told = insert(his_day).values(**day, complete_at=now)
                await connection.execute(told.on_conflict_do_nothing())
            if not request.items:
                return HISItemsView(business_on=request.business_on, taken=0)
            written = insert(his_item)
            await connection.execute(
                written.on_conflict_do_update(
                    index_elements=["merchant_id", "business_on", "payment_id"],
                    set_={
                        name: written.excluded[name]
                        for name in ("total_fen", "insurer_fen", "cash_fen")
                    },
                ),
                [
                    {
                        "merchant_id": merchant_id,
                        "business_on": request.business_on,
                        **one.model_dump(),
                    }
                    for one in request.items
                ],
            )
        return HISItemsView(business_on=request.business_on, taken=len(request.items))

    async def take_channel_bill(
        self, caller: Caller, merchant_id: str, request: ChannelBillRequest
    ) -> ChannelBillView:
        """The channel's bill of a day; the same again changes nothing, another one replaces it.

        Raises:
            ForbiddenError: the hospital itself would tell what the channel has moved.
            BillInvalidError: it was cut or changed.
        """
        caller.require(Scope.HOSPITAL_REVIEW)
        if caller.merchant_id is not None:
            raise ForbiddenError("a channel's bill comes by the card centre", field="merchant_id")
        async with transaction(self._around.engine) as (connection, raw):
            await self._hospital(connection, caller, merchant_id)
            bill = await take_channel_bill(
                raw,
                request.bill.encode(),
                merchant_id=merchant_id,
                channel=request.channel,
                on=request.business_on,
                by=caller.client_id,
                now=self._around.clock(),
            )
        return ChannelBillView(
            channel=request.channel,
            business_on=request.business_on,
            rows=len(bill.rows),
            in_fen=bill.in_fen,
            out_fen=bill.out_fen,
        )

    async def reconcile(
        self, caller: Caller, merchant_id: str, request: ReconciliationRequest
    ) -> ReconciliationView:
        """Compare a day's books now.

        Raises:
            HospitalUnknownError: no such hospital of this caller.
            InsuranceSilentError, InsuranceRefusedError: the insurer's file cannot be had.
        """
        caller.require(Scope.HOSPITAL_REVIEW)
        async with transaction(self._around.engine) as (connection, _):
            found = await self._hospital(connection, caller, merchant_id)
        return await self._compare(found, request.business_on)

    async def list_differences(self, caller: Caller, merchant_id: str) -> DifferencesView:
        """Differences that stand, the oldest first, with age and owner."""
        caller.require(Scope.HOSPITAL_REVIEW)
        today = business_date(self._around.clock(), self._around.cut_off)
        d = difference.c
        async with transaction(self._around.engine) as (connection, _):
            await self._hospital(connection, caller, merchant_id)
            rows = await connection.execute(
                select(difference)
                .where(d.merchant_id == merchant_id, d.closed_at.is_(None))
                .order_by(d.business_on, d.difference_id)
                .limit(DIFFERENCES_MAX)
            )
            views = [
                DifferenceView(
                    difference_id=row.difference_id,
                    business_on=row.business_on,
                    kind=row.kind,
                    item=row.item,
                    owner=row.owner,
                    expected_fen=row.expected_fen,
                    found_fen=row.found_fen,
                    found_at=row.found_at,
                    age_days=(today - row.business_on).days,
                )
                for row in rows
            ]
        return DifferencesView(differences=views)

    async def reconcile_due(self, now: datetime) -> int:
        """Compare the day that is running and the one before, in every insured hospital.

        A duty of the worker. Returns how many comparisons that were.
        """
        today = business_date(now, self._around.cut_off)
        async with transaction(self._around.engine) as (connection, _):
            rows = await connection.execute(
                select(hospital).where(hospital.c.fixmedins_code.is_not(None))
            )
            hospitals = rows.all()
        compared = 0
        for found in hospitals:
            try:
                for on in (today - timedelta(days=1), today):
                    await self._compare(found, on)
                    compared += 1
            except (InsuranceSilentError, InsuranceRefusedError):
                continue  # the next round asks again
        return compared

    async def _compare(self, found: Row[Any], on: date) -> ReconciliationView:
        agree = None
        if found.fixmedins_code is not None:
            agree = await self._totals_agree(found, on)
            rows = await self._insurer_rows(found, on)
            async with transaction(self._around.engine) as (_, raw):
                await take_insurer_items(raw, found.merchant_id, on, rows)
        now = self._around.clock()
        async with transaction(self._around.engine) as (_, raw):
            counts = await compare_books(raw, found.merchant_id, on, now)
        returned = await OneSided(self._around).give_back(found, on)
        return ReconciliationView(
            business_on=on,
            totals_agree=agree,
            payments=counts[0],
            insurer_items=counts[1],
            his_items=counts[2],
            differences=counts[3],
            new=counts[4],
            gone=counts[5],
            returned=returned,
        )

    async def _totals_agree(self, found: Row[Any], on: date) -> bool:
        """3201: do the insurer's totals equal ours, kind of insurance by kind of clearing?

        A kind we have nothing of is not asked about: 3202 tells what the insurer has of it.
        """
        ours = await self._our_totals(found.merchant_id, on)
        agree = True
        for (insutype, clr_type), totals in (ours or {_USUAL: _Totals()}).items():
            compared = await self._around.insurer.compare_totals(
                found.fixmedins_code,
                TotalsComparison(
                    insutype=insutype,
                    clr_type=clr_type,
                    setl_optins=OPTINS,
                    stmt_begndate=on.isoformat(),
                    stmt_enddate=on.isoformat(),
                    medfee_sumamt=totals.total_fen,
                    fund_pay_sumamt=totals.fund_fen,
                    acct_pay=totals.account_fen,
                    fixmedins_setl_cnt=totals.count,
                ),
            )
            agree = agree and compared.stmt_rslt == "0"
        return agree

    async def _insurer_rows(self, found: Row[Any], on: date) -> list[SettlementDetail]:
        """3202, page by page."""
        ours = (await self._our_totals(found.merchant_id, on)).values()
        rows: list[SettlementDetail] = []
        while True:
            page = await self._around.insurer.details(
                found.fixmedins_code,
                DetailsComparison(
                    setl_optins=OPTINS,
                    stmt_begndate=on.isoformat(),
                    stmt_enddate=on.isoformat(),
                    medfee_sumamt=sum(one.total_fen for one in ours),
                    fund_pay_sumamt=sum(one.fund_fen for one in ours),
                    cash_payamt=sum(one.cash_fen for one in ours),
                    fixmedins_setl_cnt=sum(one.count for one in ours),
                    startrow=len(rows),
                ),
            )
            rows += page
            if not page:
                return rows

    async def _our_totals(self, merchant_id: str, on: date) -> dict[tuple[str, str], "_Totals"]:
        """What stands here of a day, by kind of insurance and kind of clearing."""
        s, v = settlement.c, visit.c
        async with transaction(self._around.engine) as (connection, _):
            rows = await connection.execute(
                select(
                    v.insutype,
                    v.kind,
                    func.sum(s.total_fen),
                    func.sum(s.fund_fen),
                    func.sum(s.account_fen),
                    func.sum(s.cash_fen),
                    func.count(),
                )
                .join(payment, payment.c.payment_id == s.payment_id)
                .join(visit, v.visit_id == payment.c.visit_id)
                .where(s.merchant_id == merchant_id, s.settled_on == on, s.cancelled_at.is_(None))
                .group_by(v.insutype, v.kind)
            )
            return {
                (insutype, CLEARING[kind]): _Totals(*(int(one) for one in sums))
                for insutype, kind, *sums in rows
            }
