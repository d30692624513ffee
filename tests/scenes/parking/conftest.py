"""Two car parks of two owners, cars, and people who own them."""

import itertools
import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from adapters import demo_city
from adapters.wiring import City
from cardcore.books import transaction
from cardcore.business.merchants import register_merchant, register_terminal
from cardcore.caller import Caller
from cardcore.user.people_request import BindPlateRequest, PlateProof
from scenes.parking.request import PassagesRequest, PayStayRequest, SignContractRequest
from scenes.parking.service import ParkingService
from scenes.parking.views import ContractView, DriverView, PassageView, PaymentView
from tests.city_life import ALL_SCOPES, CENTRE, Life
from tests.conftest import CityClock

PLATE = "鲁D12345"
GREEN = "鲁DD12345"
EAST, WEST = demo_city.CAR_PARK, "west-lake"
WEST_OWNER = "west-lake-parking"
LANES = {
    (EAST, "in"): demo_city.LANE_IN,
    (EAST, "out"): demo_city.LANE_OUT,
    (WEST, "in"): "west-in-1",
    (WEST, "out"): "west-out-1",
}
EAST_LANES = Caller(
    client_id="east-gate-lanes", merchant_id=demo_city.PARKING_MERCHANT, scopes=ALL_SCOPES
)
WEST_LANES = Caller(client_id="west-lake-lanes", merchant_id=WEST_OWNER, scopes=ALL_SCOPES)
OWNERS = {EAST: EAST_LANES, WEST: WEST_LANES}


@dataclass
class Lot:
    """What a test does in the car parks. Minutes count from where the clock stood first."""

    city: City
    clock: CityClock
    life: Life
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.began = self.clock.now
        self.parking: ParkingService = self.city.parking

    def through(self, core: object) -> ParkingService:
        """The scene over another core: one that fails."""
        return ParkingService(core, self.city.engine, self.clock, os.urandom)  # type: ignore[arg-type]

    def key(self) -> str:
        return f"parking-{next(self.numbers)}"

    def at(self, minute: float) -> None:
        """Set the clock."""
        self.clock.now = self.began + timedelta(minutes=minute)

    async def seen(
        self,
        direction: str,
        *,
        minute: float | None = None,
        park: str = EAST,
        plate: str = PLATE,
        no: int | None = None,
        caller: Caller | None = None,
        **changes: Any,  # noqa: ANN401  (fields of a reading)
    ) -> PassageView:
        """A reading: live, at this minute; the clock stands there afterwards."""
        if minute is not None and "occurred_at" not in changes:
            self.at(minute)
        event = {
            "lane_id": LANES[park, direction],
            "event_no": next(self.numbers) if no is None else no,
            "plate": plate,
            "occurred_at": self.clock.now,
        } | changes
        request = PassagesRequest.model_validate({"events": [event]})
        found = await self.parking.passages(caller or OWNERS[park], request)
        return found.results[0]

    async def late(self, direction: str, minute: float, **changes: Any) -> PassageView:  # noqa: ANN401
        """A reading that comes now and happened at a minute of before."""
        at = self.began + timedelta(minutes=minute)
        return await self.seen(direction, occurred_at=at, live=False, **changes)

    async def owner(
        self,
        *,
        balance_fen: int = 0,
        limit_fen: int | None = 5_000,
        plate: str = PLATE,
        proven: bool = True,
    ) -> UUID:
        """Somebody with a car, and a contract where a limit is named."""
        user_id = await self.life.person(funds=("purse",), balance_fen=balance_fen)
        proof = PlateProof(method="vehicle_licence", evidence="synthetic") if proven else None
        request = BindPlateRequest(plate=plate, proof=proof)
        await self.city.core.bind_plate(CENTRE, user_id, request, self.key())
        if limit_fen is not None:
            await self.sign(user_id, limit_fen=limit_fen, plate=plate)
        return user_id

    async def sign(
        self, user_id: UUID, *, limit_fen: int = 5_000, plate: str = PLATE
    ) -> ContractView:
        request = SignContractRequest(user_id=user_id, plate=plate, limit_fen=limit_fen)
        contract, _ = await self.parking.drivers.sign_contract(CENTRE, request, self.key())
        return contract

    async def code(self, user_id: UUID) -> str:
        return await self.life.code(user_id, scenes=["parking"])

    async def pay(
        self, stay_id: UUID, user_id: UUID, *, park: str = EAST, key: str | None = None
    ) -> PaymentView:
        """Pay a stay by somebody's code at an exit."""
        request = PayStayRequest(credential=await self.code(user_id), lane_id=LANES[park, "out"])
        paid, _ = await self.parking.pay_stay(OWNERS[park], stay_id, request, key or self.key())
        return paid

    async def money(self, user_id: UUID) -> dict[str, int]:
        """Balances by fund."""
        user = await self.city.core.read_user(CENTRE, user_id)
        return {fund.fund: fund.balance_fen for fund in user.funds}

    async def driver(self, user_id: UUID) -> DriverView:
        return await self.parking.drivers.driver(CENTRE, user_id)

    async def payable_fen(self, merchant_id: str) -> int:
        """What the books owe an owner."""
        async with self.city.pool.connection() as connection:
            found = await connection.execute(
                "SELECT payable_id FROM cardcore.merchant WHERE merchant_id = %s", (merchant_id,)
            )
            row = await found.fetchone()
            assert row is not None
            (account,) = await self.city.book.lookup_accounts([row[0].int], connection=connection)
        return account.credits_posted - account.debits_posted

    async def assert_books_are_right(self) -> None:
        assert await self.life.books_are_right()


@pytest.fixture
async def lot(city: City, city_clock: CityClock) -> Lot:
    """The demo city's car park, and another one of another owner."""
    async with transaction(city.engine) as (connection, raw):
        await register_merchant(
            connection,
            raw,
            city.book,
            merchant_id=WEST_OWNER,
            name_zh="西湖停车",
            name_en="West Lake Parking",
            now=city_clock.now,
        )
        for lane in (LANES[WEST, "in"], LANES[WEST, "out"]):
            await register_terminal(
                connection,
                terminal_id=lane,
                merchant_id=WEST_OWNER,
                scene="parking",
                place={},
                now=city_clock.now,
            )
    west = demo_city.car_park(WEST, WEST_OWNER, (LANES[WEST, "in"], LANES[WEST, "out"]))
    await city.parking.register_car_park(CENTRE, west)
    return Lot(city, city_clock, Life(city, city_clock))
