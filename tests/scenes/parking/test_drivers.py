"""What people sign, owe and dispute: contracts, retries and the grey list, month cards, clones."""

from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest

from adapters import demo_city
from adapters.worker import parking_duties
from cardcore.books import transaction
from cardcore.business.request import OrderRequest
from cardcore.business.views import OrderView
from cardcore.caller import Caller
from cardcore.errors import (
    ForbiddenError,
    FundUnknownError,
    IdempotencyKeyReusedError,
    MerchantBalanceError,
    NotFoundError,
    ServiceUnavailableError,
)
from cardcore.known import Known
from cardcore.user.people_request import Act
from scenes.parking import tables
from scenes.parking.errors import (
    AlertStateError,
    CarParkExistsError,
    MonthCardNotSoldError,
    PlateUnprovenError,
)
from scenes.parking.request import (
    ClaimAlertRequest,
    CloseAlertRequest,
    MonthCardRequest,
    RegisterTariffRequest,
    SignContractRequest,
)
from tests.city_life import CENTRE
from tests.scenes.parking.conftest import EAST, EAST_LANES, PLATE, WEST, WEST_LANES, Lot

TODAY = date(2026, 6, 1)


async def stay(lot: Lot, minute: float, minutes: float = 120, **where: str) -> UUID:
    """A car comes, and leaves; returns the stay."""
    await lot.seen("in", minute=minute, **where)  # type: ignore[arg-type]
    left = await lot.seen("out", minute=minute + minutes, **where)  # type: ignore[arg-type]
    assert left.stay is not None
    return left.stay.stay_id


# -- owing ---------------------------------------------------------------------------------------


async def test_what_is_owed_is_asked_for_with_notice_until_the_list_is_grey_everywhere(
    lot: Lot,
) -> None:
    user_id = await lot.owner()
    await stay(lot, 0)
    drivers = lot.parking.drivers
    for attempt in range(1, 5):
        due = (await lot.driver(user_id)).debt
        assert (due.state, due.attempts) == ("owing", attempt - 1)
        assert due.next_at is not None
        assert await drivers.ask_due(due.next_at - timedelta(seconds=1)) == 0
        lot.clock.now = due.next_at
        assert await drivers.ask_due(lot.clock.now) == 1
        assert await drivers.ask_due(lot.clock.now) == 0
    driver = await lot.driver(user_id)
    assert driver.debt.state == "grey"
    assert [one.kind for one in driver.notices] == [
        "grey_listed",
        "debit_failed",
        "debit_failed",
        "debit_failed",
        "debit_failed",
    ]
    lot.began = lot.clock.now
    await lot.seen("in", minute=10, park=WEST)
    left = await lot.seen("out", minute=130, park=WEST)
    assert left.gate is not None
    assert (left.gate.gate, left.gate.reason) == ("pay_first", "grey_listed")
    # Paying is the only way out, and it is immediate.
    await lot.life.top_up(user_id, 1_000, fund="purse")
    assert (await drivers.collect(CENTRE, user_id)).debt.state == "clear"
    assert await lot.money(user_id) == {"purse": 500, "parking_arrears": 0}
    again = await lot.seen("out", minute=131, park=WEST)
    assert again.gate is not None
    assert again.gate.reason == "on_account"
    assert (await lot.driver(user_id)).notices[0].kind == "cleared"
    await lot.assert_books_are_right()


async def test_a_retry_collects_what_the_purse_has_by_then(lot: Lot) -> None:
    user_id = await lot.owner()
    await stay(lot, 0)
    await lot.life.top_up(user_id, 200, fund="purse")
    lot.at(200)
    (finish, collect) = parking_duties(lot.parking.drivers)
    assert await collect.run(lot.clock.now) == 1
    assert await finish.run(lot.clock.now) == 0
    assert await lot.money(user_id) == {"purse": 0, "parking_arrears": -300}
    debt = (await lot.driver(user_id)).debt
    assert (debt.state, debt.owed_fen, debt.attempts) == ("owing", 300, 1)
    # What is paid from outside is seen at the next attempt, too.
    await lot.life.top_up(user_id, 300, fund="parking_arrears")
    assert debt.next_at is not None
    assert await lot.parking.drivers.ask_due(debt.next_at) == 1
    assert (await lot.driver(user_id)).debt.state == "clear"


# -- signing -------------------------------------------------------------------------------------


async def test_who_has_not_proved_the_plate_cannot_sign_for_it(lot: Lot) -> None:
    said = await lot.owner(proven=False, limit_fen=None)
    for user_id in (said, uuid4()):
        with pytest.raises(PlateUnprovenError):
            await lot.sign(user_id)
    request = SignContractRequest(user_id=said, plate=PLATE, limit_fen=0)
    with pytest.raises(ForbiddenError):
        await lot.parking.drivers.sign_contract(EAST_LANES, request, "k")


async def test_a_contract_is_signed_once_per_key_and_ends(lot: Lot) -> None:
    user_id = await lot.owner(limit_fen=None)
    drivers = lot.parking.drivers
    request = SignContractRequest(user_id=user_id, plate=PLATE, limit_fen=700)
    first, replayed = await drivers.sign_contract(CENTRE, request, "sign")
    again, repeated = await drivers.sign_contract(CENTRE, request, "sign")
    assert (first, replayed, repeated) == (again, False, True)
    other = request.model_copy(update={"limit_fen": 701})
    with pytest.raises(IdempotencyKeyReusedError):
        await drivers.sign_contract(CENTRE, other, "sign")
    newer = await lot.sign(user_id, limit_fen=600)
    contracts = (await lot.driver(user_id)).contracts
    assert [one.ended_at is None for one in contracts] == [False, True]
    assert (await drivers.end_contract(CENTRE, newer.contract_id)).ended_at == lot.clock.now
    left = await lot.seen("out", minute=10)
    assert left.gate is not None
    assert left.gate.reason == "no_contract"
    with pytest.raises(NotFoundError):
        await drivers.end_contract(CENTRE, uuid4())


async def test_credit_needs_a_real_name(lot: Lot) -> None:
    user_id = await lot.owner(limit_fen=None)
    async with transaction(lot.city.engine) as (connection, _):
        await connection.exec_driver_sql("UPDATE cardcore.person SET level = 'phone'")
    with pytest.raises(FundUnknownError):
        await lot.sign(user_id)


async def test_a_sold_car_does_not_charge_who_sold_it(lot: Lot) -> None:
    """Why: the proof ends with the papers, whatever the contract says."""
    user_id = await lot.owner(balance_fen=5_000)
    plate = await lot.city.core.read_plate(CENTRE, PLATE)
    assert plate.credential_id is not None
    act = Act(reason="user_request")
    await lot.city.core.withdraw_plate_proof(CENTRE, plate.credential_id, act, lot.key())
    await stay(lot, 0)
    assert (await lot.money(user_id))["purse"] == 5_000


# -- month cards ---------------------------------------------------------------------------------


def card(**fields: object) -> MonthCardRequest:
    values: dict[str, object] = {
        "plate": PLATE,
        "lane_id": demo_city.LANE_IN,
        "from_on": TODAY,
        "months": 1,
    }
    return MonthCardRequest.model_validate(values | fields)


async def test_a_month_card_covers_its_days_and_not_one_more(lot: Lot) -> None:
    buyer = await lot.life.person(funds=("purse",), balance_fen=40_000)
    drivers = lot.parking.drivers
    request = card(credential=await lot.code(buyer))
    bought, replayed = await drivers.buy_month_card(EAST_LANES, request, "card")
    again, repeated = await drivers.buy_month_card(EAST_LANES, request, "card")
    assert (bought, replayed, repeated) == (again, False, True)
    assert (bought.amount_fen, (await lot.money(buyer))["purse"]) == (18_000, 22_000)
    day = 24 * 60
    entered = await lot.seen("in", minute=0)
    left = await lot.seen("out", minute=3 * day)
    assert left.stay is not None
    assert entered.gate is not None
    assert left.stay.fee_fen == 0
    # It ends at midnight of the 30th day: from there on the night's tariff counts.
    await lot.seen("in", minute=29 * day)
    over = await lot.seen("out", minute=30 * day - 9 * 60)
    assert over.stay is not None
    assert over.stay.fee_fen == 50
    elsewhere = await lot.seen("in", minute=31 * day, park=WEST)
    assert elsewhere.result == "entered"


async def test_a_month_card_is_bought_by_code_or_by_the_centre_and_only_where_it_is_sold(
    lot: Lot,
) -> None:
    buyer = await lot.life.person(funds=("purse",), balance_fen=40_000)
    drivers = lot.parking.drivers
    bought, _ = await drivers.buy_month_card(CENTRE, card(user_id=buyer, months=2), "two")
    assert bought.amount_fen == 36_000
    with pytest.raises(ForbiddenError):
        await drivers.buy_month_card(EAST_LANES, card(user_id=buyer), lot.key())
    with pytest.raises(NotFoundError):
        await drivers.buy_month_card(WEST_LANES, card(credential="x"), lot.key())
    with pytest.raises(IdempotencyKeyReusedError):
        await drivers.buy_month_card(CENTRE, card(user_id=buyer), "two")
    tariff = demo_city.car_park().tariff.model_copy(update={"month_card_fen": None})
    newer = RegisterTariffRequest(valid_from=lot.clock.now - timedelta(days=1), tariff=tariff)
    view = await lot.parking.register_tariff(CENTRE, EAST, newer)
    assert [one.version for one in view.tariffs] == [1, 2]
    with pytest.raises(MonthCardNotSoldError):
        await drivers.buy_month_card(CENTRE, card(user_id=buyer), lot.key())


# -- one plate in two places ---------------------------------------------------------------------


async def test_a_plate_in_two_places_is_flagged_claimed_disputed_and_decided(lot: Lot) -> None:
    user_id = await lot.owner(balance_fen=5_000)
    drivers = lot.parking.drivers
    await lot.seen("in", minute=0, image_sha256="a" * 64)
    await lot.seen("in", minute=30, park=WEST)
    copy = await lot.seen("out", minute=90, park=WEST)
    assert copy.gate is not None
    assert copy.stay is not None
    assert copy.gate.reason == "on_account"  # nobody knows yet that the first car never left
    real = await lot.seen("out", minute=120)
    assert real.gate is not None
    assert (real.gate.gate, real.gate.reason) == ("pay_first", "plate_flagged")
    driver = await lot.driver(user_id)
    assert driver.notices[0].kind == "plate_in_two_places"
    (alert,) = driver.alerts
    assert {one["car_park_id"] for one in alert.evidence} == {EAST, WEST}
    (east,) = (one for one in alert.evidence if one["car_park_id"] == EAST)
    assert [one["image_sha256"] for one in east["seen"]] == ["a" * 64, None]  # type: ignore[attr-defined]
    claim = ClaimAlertRequest(stay_id=copy.stay.stay_id)
    claimed = await drivers.claim_alert(CENTRE, alert.alert_id, claim)
    assert (claimed.state, claimed.not_mine) == ("claimed", copy.stay.stay_id)
    assert claimed.dispute_id is not None
    dispute = await lot.city.core.read_dispute(CENTRE, claimed.dispute_id)
    assert (dispute.reason, dispute.amount_fen) == ("not_recognised", 400)
    with pytest.raises(AlertStateError):
        await drivers.claim_alert(CENTRE, alert.alert_id, claim)
    closing = CloseAlertRequest(finding="cloned")
    assert (await drivers.close_alert(CENTRE, alert.alert_id, closing)).state == "closed"
    with pytest.raises(AlertStateError):
        await drivers.close_alert(CENTRE, alert.alert_id, closing)
    again = await lot.seen("out", minute=121)
    assert again.gate is not None
    assert again.gate.reason == "on_account"
    await lot.assert_books_are_right()


async def test_a_stay_that_cost_nothing_is_claimed_without_a_dispute(lot: Lot) -> None:
    user_id = await lot.owner(balance_fen=5_000)
    await lot.seen("in", minute=0)
    short = await stay(lot, 30, 10, park=WEST)
    await lot.seen("out", minute=120)
    (alert,) = (await lot.driver(user_id)).alerts
    drivers = lot.parking.drivers
    with pytest.raises(NotFoundError):
        await drivers.claim_alert(CENTRE, alert.alert_id, ClaimAlertRequest(stay_id=uuid4()))
    claim = ClaimAlertRequest(stay_id=short)
    assert (await drivers.claim_alert(CENTRE, alert.alert_id, claim)).dispute_id is None
    for caller in (EAST_LANES, WEST_LANES):
        with pytest.raises(ForbiddenError):
            await drivers.alert(caller, alert.alert_id)
    with pytest.raises(NotFoundError):
        await drivers.alert(CENTRE, uuid4())
    with pytest.raises(NotFoundError):
        await drivers.close_alert(CENTRE, uuid4(), CloseAlertRequest(finding="misread"))


# -- owners --------------------------------------------------------------------------------------


async def test_the_owners_day_agrees_with_what_the_books_owe_them(lot: Lot) -> None:
    await lot.owner(balance_fen=700)
    payer = await lot.life.person(funds=("purse",), balance_fen=40_000)
    await stay(lot, 0)
    await stay(lot, 200)
    other = await stay(lot, 300, plate="鲁D99999")
    await lot.pay(other, payer)
    await stay(lot, 300, plate="鲁D88888")
    request = card(credential=await lot.code(payer), plate="鲁D77777")
    await lot.parking.drivers.buy_month_card(EAST_LANES, request, lot.key())
    lot.at(500)
    await lot.late("out", 250)  # the second stay was two, the first of them short
    await lot.late("in", 260)
    day = await lot.parking.day(EAST_LANES, EAST, TODAY)
    assert (day.unpaid_count, day.unpaid_fen) == (1, 500)
    assert day.charges == {"code": 1, "month_card": 1, "on_account": 3}
    assert day.net_fen == await lot.payable_fen(demo_city.PARKING_MERCHANT)
    assert day.net_fen == sum(day.charges_fen.values()) - day.refunds_fen
    assert day.refunds_fen > 0
    await lot.assert_books_are_right()


async def test_what_is_another_owners_is_not_there(lot: Lot) -> None:
    parked = await stay(lot, 0)
    assert (await lot.parking.read_stay(EAST_LANES, parked)).stay_id == parked
    for asked in (
        lot.parking.car_park(WEST_LANES, EAST),
        lot.parking.day(WEST_LANES, EAST, TODAY),
        lot.parking.read_stay(WEST_LANES, parked),
        lot.parking.read_stay(CENTRE, uuid4()),
        lot.parking.car_park(CENTRE, "nowhere"),
    ):
        with pytest.raises(NotFoundError):
            await asked
    with pytest.raises(ForbiddenError):
        await lot.parking.register_car_park(EAST_LANES, demo_city.car_park())
    with pytest.raises(ForbiddenError):
        await lot.parking.drivers.driver(EAST_LANES, uuid4())
    nobody = Caller(client_id="nobody", merchant_id=None, scopes=frozenset())
    with pytest.raises(ForbiddenError):
        await lot.parking.car_park(nobody, EAST)


async def test_a_car_park_is_registered_once_and_its_lanes_are_its_own(lot: Lot) -> None:
    same = await lot.parking.register_car_park(CENTRE, demo_city.car_park())
    assert same.car_park_id == EAST
    for wrong in (
        demo_city.car_park().model_copy(update={"spaces": 7}),
        demo_city.car_park("third", lanes=("third-in", demo_city.LANE_OUT)),
    ):
        with pytest.raises(CarParkExistsError):
            await lot.parking.register_car_park(CENTRE, wrong)


# -- faults --------------------------------------------------------------------------------------


class LostReply:
    """The core, whose answers to orders get lost on the way, after or before it has booked."""

    def __init__(self, lot: Lot, *, books: bool) -> None:
        self._core = lot.city.core
        self._books = books

    async def order(
        self, caller: Caller, request: OrderRequest, key: str
    ) -> tuple[OrderView, Known]:
        if self._books:
            await self._core.order(caller, request, key)
        raise ServiceUnavailableError("the reply is lost")

    def __getattr__(self, name: str) -> object:
        return getattr(self._core, name)


@pytest.mark.parametrize("books", [False, True])
async def test_a_lost_reply_opens_the_gate_and_the_worker_finishes_what_was_begun(
    lot: Lot, books: bool
) -> None:
    """Why: the car has left; its owner pays once, whatever died in between."""
    user_id = await lot.owner(balance_fen=5_000)
    whole, lot.parking = lot.parking, lot.through(LostReply(lot, books=books))
    await lot.seen("in", minute=0)
    left = await lot.seen("out", minute=120)
    assert left.gate is not None
    assert (left.gate.gate, left.gate.reason) == ("open", "on_account")
    lot.at(125)
    assert await whole.drivers.finish(lot.clock.now) == 1
    assert await whole.drivers.finish(lot.clock.now) == 0
    assert (await lot.money(user_id))["purse"] == 4_500
    assert await lot.payable_fen(demo_city.PARKING_MERCHANT) == 500
    await lot.assert_books_are_right()


@pytest.mark.parametrize("books", [False, True])
async def test_a_code_whose_answer_was_lost_is_looked_up_and_never_charged_twice(
    lot: Lot, books: bool
) -> None:
    payer = await lot.life.person(funds=("purse",), balance_fen=5_000)
    parked = await stay(lot, 0)
    whole, lot.parking = lot.parking, lot.through(LostReply(lot, books=books))
    with pytest.raises(ServiceUnavailableError):
        await lot.pay(parked, payer, key="k")
    lot.parking = whole
    lot.at(122)
    assert await whole.drivers.finish(lot.clock.now) == int(books)
    lot.at(140)
    assert await whole.drivers.finish(lot.clock.now) == int(not books)
    if not books:
        await lot.pay(parked, payer, key="k")
    assert (await lot.money(payer))["purse"] == 4_500
    assert await lot.payable_fen(demo_city.PARKING_MERCHANT) == 500


class SettledOwner:
    """The core, on a day when the owner's money has just been paid out."""

    def __init__(self, lot: Lot) -> None:
        self._core = lot.city.core

    async def refund(self, *request: object) -> None:
        raise MerchantBalanceError

    def __getattr__(self, name: str) -> object:
        return getattr(self._core, name)


async def test_a_refund_waits_until_the_owner_is_owed_enough(lot: Lot) -> None:
    user_id = await lot.owner(balance_fen=5_000)
    await lot.seen("out", minute=40)
    whole, lot.parking = lot.parking, lot.through(SettledOwner(lot))
    assert (await lot.late("in", 20)).result == "entered"
    assert (await lot.money(user_id))["purse"] == 4_500
    assert await lot.parking.drivers.finish(lot.clock.now) == 0
    assert await whole.drivers.finish(lot.clock.now) == 1
    assert await whole.drivers.finish(lot.clock.now) == 0
    assert (await lot.money(user_id))["purse"] == 5_000


# -- the schema ----------------------------------------------------------------------------------


async def test_the_tables_are_those_of_the_schema(lot: Lot) -> None:
    async with lot.city.pool.connection() as connection:
        found = await connection.execute(
            "SELECT table_name, column_name, is_nullable FROM information_schema.columns"
            " WHERE table_schema = 'scene_parking'"
        )
        there = set(await found.fetchall())
    assert there == {
        (table.name, column.name, "YES" if column.nullable else "NO")
        for table in tables.metadata.tables.values()
        for column in table.columns
    }
