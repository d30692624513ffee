"""People and rides of the demo city, for tests. Everything of a person here is synthetic."""

import itertools
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from stdnum.cn import ric

from adapters import demo_city
from adapters.wiring import City
from cardcore.account.request import TopUpRequest
from cardcore.business.request import Account, Business, Mode, OrderRequest, User
from cardcore.business.views import OrderView
from cardcore.caller import Caller, Scope
from cardcore.user.request import Entitlement, IssueCodeRequest, OpenUserRequest
from tests.conftest import CityClock

ALL_SCOPES = frozenset(scope.value for scope in Scope)
CENTRE = Caller(client_id="card-centre", merchant_id=None, scopes=ALL_SCOPES)
VALIDATOR = Caller(
    client_id=demo_city.BUS_TERMINAL,
    merchant_id=demo_city.BUS_MERCHANT,
    terminal_id=demo_city.BUS_TERMINAL,
    scopes=ALL_SCOPES,
)
BUS_OFFICE = Caller(
    client_id="shanting-bus-office", merchant_id=demo_city.BUS_MERCHANT, scopes=ALL_SCOPES
)
GATE = Caller(
    client_id=demo_city.GATE_TERMINAL,
    merchant_id=demo_city.GATE_MERCHANT,
    terminal_id=demo_city.GATE_TERMINAL,
    scopes=ALL_SCOPES,
)
FLAT_LINE = "K1"
FLAT_FARE_FEN = 100


def id_no(birth: str, order: int, place: str = "370406") -> str:
    """A synthetic identity number with a right check character."""
    body = f"{place}{birth}{order:03d}"
    return body + ric.calc_check_digit(body + "0")


@dataclass
class Life:
    """What a test does in the city."""

    city: City
    clock: CityClock
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def person(
        self,
        *,
        balance_fen: int = 10_000,
        concession: str | None = None,
        funds: tuple[str, ...] = ("transit",),
    ) -> UUID:
        """Open a person with money in the first fund."""
        number = next(self.numbers)
        entitlements = []
        if concession is not None:
            entitlements.append(
                Entitlement(
                    concession=concession,
                    evidence="synthetic",
                    valid_from=date(2026, 1, 1),
                    valid_to=date(2026, 12, 31),
                )
            )
        user, _ = await self.city.core.open_user(
            CENTRE,
            OpenUserRequest(
                name=f"测试{number}",
                id_no=id_no("19900101", number),
                funds=list(funds),
                entitlements=entitlements,
            ),
            f"open-{number}",
        )
        if balance_fen:
            await self.top_up(user.user_id, balance_fen, fund=funds[0])
        return user.user_id

    async def top_up(self, user_id: UUID, amount_fen: int, *, fund: str = "transit") -> None:
        """Put money into a fund."""
        number = next(self.numbers)
        request = TopUpRequest(
            fund=fund, amount_fen=amount_fen, channel="test", channel_no=f"C{number}"
        )
        await self.city.core.top_up(CENTRE, user_id, request, f"topup-{number}")

    async def code(self, user_id: UUID, **fields: object) -> str:
        """A fresh code of a person."""
        request = IssueCodeRequest.model_validate({"scenes": ["bus", "community"]} | fields)
        return (await self.city.core.issue_code(CENTRE, user_id, request)).text

    def ride(self, code: str, *, no: str | None = None, **changes: object) -> OrderRequest:
        """A ride on the flat line."""
        business = {
            "scene": "bus",
            "type": "fare",
            "merchant_id": demo_city.BUS_MERCHANT,
            "terminal_id": demo_city.BUS_TERMINAL,
            "out_trade_no": no or f"N{next(self.numbers)}",
            "occurred_at": self.clock.now,
            "details": {"line": FLAT_LINE, "on_stop": "SC01"},
        }
        business |= changes
        return OrderRequest(user=User(credential=code), business=Business.model_validate(business))

    def passage(self, code: str) -> OrderRequest:
        """A passage through the community's gate."""
        return OrderRequest(
            user=User(credential=code),
            business=Business(
                scene="community",
                type="passage",
                merchant_id=demo_city.GATE_MERCHANT,
                terminal_id=demo_city.GATE_TERMINAL,
                out_trade_no=f"G{next(self.numbers)}",
                occurred_at=self.clock.now,
                details={"door": "N01", "direction": "in"},
            ),
            mode=Mode.RECORD,
        )

    async def pay(self, user_id: UUID, **changes: object) -> OrderView:
        """A ride, paid."""
        request = self.ride(await self.code(user_id), **changes)  # type: ignore[arg-type]
        order, _ = await self.city.core.order(VALIDATOR, request, f"pay-{next(self.numbers)}")
        return order

    async def hold(self, user_id: UUID) -> OrderView:
        """A ride, held."""
        ride = self.ride(await self.code(user_id))
        request = ride.model_copy(update={"mode": Mode.HOLD})
        order, _ = await self.city.core.order(VALIDATOR, request, f"hold-{next(self.numbers)}")
        return order

    async def balance_fen(self, user_id: UUID, fund: str = "transit") -> int:
        """What may be spent from a fund."""
        user = await self.city.core.read_user(CENTRE, user_id)
        return next(one.available_fen for one in user.funds if one.fund == fund)

    async def books_are_right(self) -> bool:
        """Trial balance and custody difference are zero."""
        books = await self.city.core.books(CENTRE)
        return books.trial_balance_fen == 0 and books.custody_difference_fen == 0


def from_funds(fund: str) -> Account:
    """Pay from one fund only."""
    return Account(fund=fund)
