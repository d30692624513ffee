"""A hospital in the demo city, with an insurer that does as it is told."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from uuid import UUID

import pytest

from adapters import demo_city
from adapters.infrastructure import Addresses
from adapters.partners.insurance_fund import InsuranceFund
from adapters.partners.insurance_gateway import SimulatedGateway
from adapters.settings import Settings
from adapters.wiring import City, open_city
from cardcore.business.request import User
from cardcore.caller import Caller
from scenes.hospital.request import (
    BillLine,
    BillRequest,
    ConfirmRequest,
    PaymentRequest,
    ReturnedLine,
    ReturnRequest,
    VisitRequest,
)
from scenes.hospital.service import Hospital
from scenes.hospital.views import PaymentView, ReturnView, VisitView
from tests.city_life import ALL_SCOPES, Life
from tests.conftest import CityClock

HIS = Caller(
    client_id=demo_city.HOSPITAL_SYSTEM,
    merchant_id=demo_city.HOSPITAL_MERCHANT,
    scopes=ALL_SCOPES,
)
MERCHANT = demo_city.HOSPITAL_MERCHANT
CODE = demo_city.HOSPITAL_CODE


def line(amount_fen: int, item_code: str = "X01") -> BillLine:
    """One item of a bill."""
    return BillLine(
        item_code=item_code, name="项目", quantity="1", price_fen=amount_fen, amount_fen=amount_fen
    )


@dataclass
class Ward:
    """What a test does in the hospital."""

    city: City
    life: Life
    books: InsuranceFund
    gateway: SimulatedGateway
    clock: CityClock
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def hospital(self) -> Hospital:
        return self.city.hospital

    async def person(self, balance_fen: int = 100_000) -> UUID:
        return await self.life.person(balance_fen=balance_fen, funds=("purse",))

    async def shown(self, user_id: UUID) -> User:
        """A fresh code of a person, as it is scanned."""
        return User(credential=await self.life.code(user_id, scenes=["hospital"], cap_fen=600_000))

    async def visit(
        self, user_id: UUID, *, by: Caller = HIS, insured: bool = True, **changes: object
    ) -> VisitView:
        number = next(self.numbers)
        fields: dict[str, object] = {
            "user": changes.get("user") or await self.shown(user_id),
            "visit_no": f"V{number}",
            "dept_code": "NK",
        }
        if insured:
            fields |= {"psn_no": f"P{user_id.hex[:20]}", "insutype": "310"}
        request = VisitRequest.model_validate(fields | changes)
        view, _ = await self.hospital.open_visit(by, MERCHANT, request, f"visit-{number}")
        return view

    async def bill(self, visit: VisitView, *lines: BillLine) -> UUID:
        number = next(self.numbers)
        request = BillRequest(out_bill_no=f"B{number}", lines=list(lines))
        view, _ = await self.hospital.add_bill(HIS, visit.visit_id, request, f"bill-{number}")
        return view.bill_id

    async def quote(self, visit: VisitView) -> PaymentView:
        number = next(self.numbers)
        view, _ = await self.hospital.quote_payment(
            HIS, visit.visit_id, PaymentRequest(), f"quote-{number}"
        )
        return view

    async def confirm(self, payment: PaymentView, user_id: UUID) -> PaymentView:
        view, _ = await self.hospital.confirm_payment(
            HIS,
            payment.payment_id,
            ConfirmRequest(user=await self.shown(user_id)),
            f"confirm-{next(self.numbers)}",
        )
        return view

    async def pay(self, user_id: UUID, *lines: BillLine, insured: bool = True) -> PaymentView:
        """A visit with one bill, paid."""
        visit = await self.visit(user_id, insured=insured)
        await self.bill(visit, *lines)
        return await self.confirm(await self.quote(visit), user_id)

    async def give_back(
        self, payment: PaymentView, line_no: int, amount_fen: int, *, bill_no: int = 0
    ) -> ReturnView:
        bills = await self.hospital.list_bills(HIS, payment.visit_id)
        number = next(self.numbers)
        request = ReturnRequest(
            out_refund_no=f"R{number}",
            lines=[
                ReturnedLine(
                    bill_id=bills.bills[bill_no].bill_id, line_no=line_no, amount_fen=amount_fen
                )
            ],
            reason="退药",
        )
        view, _ = await self.hospital.return_items(
            HIS, payment.payment_id, request, f"return-{number}"
        )
        return view

    async def worker(self, *, later_s: float = 60) -> None:
        """The worker's round, after everybody's patience is over."""
        self.clock.now += timedelta(seconds=later_s)
        await self.hospital.saga.advance_due(self.clock.now)
        await self.hospital.returns.saga.advance_due(self.clock.now)

    async def payment(self, payment_id: UUID) -> PaymentView:
        return await self.hospital.read_payment(HIS, payment_id)

    async def purse_fen(self, user_id: UUID) -> int:
        return await self.life.balance_fen(user_id, "purse")


@pytest.fixture
async def ward(
    city_addresses: Addresses, city_settings: Settings, city_clock: CityClock
) -> AsyncIterator[Ward]:
    """The demo city with a hospital, on a database of its own."""
    books = InsuranceFund(":memory:")
    gateway = SimulatedGateway(books)
    async with open_city(
        city_addresses, city_settings, clock=city_clock, insurance=gateway
    ) as city:
        yield Ward(city, Life(city, city_clock), books, gateway, city_clock)
    books.close()
