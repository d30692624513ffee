"""Cars come and go: what it costs, whether the gate opens, and where the money is."""

import itertools

import pytest

from adapters import demo_city
from cardcore.errors import IdempotencyKeyReusedError, InsufficientBalanceError
from scenes.parking.errors import NothingDueError
from tests.scenes.parking.conftest import EAST, EAST_LANES, GREEN, PLATE, WEST, WEST_OWNER, Lot

# The clock of the tests stands at 10:00 local. Two hours: 2 × 200 + 1 × 100.
TWO_HOURS_FEN = 500


async def test_a_known_car_leaves_first_and_its_owner_pays_afterwards(lot: Lot) -> None:
    user_id = await lot.owner(balance_fen=300)
    entered = await lot.seen("in", minute=0)
    assert (entered.result, entered.gate and entered.gate.gate) == ("entered", "open")
    left = await lot.seen("out", minute=120)
    assert left.gate is not None
    assert left.stay is not None
    assert (left.result, left.gate.gate, left.gate.reason) == ("left", "open", "on_account")
    assert (left.stay.fee_fen, left.stay.paid_fen, left.stay.due_fen) == (TWO_HOURS_FEN, 500, 0)
    # The purse paid what it had, the credit line the rest; the owner of the car park has it all.
    assert await lot.money(user_id) == {"purse": 0, "parking_arrears": -200}
    assert await lot.payable_fen(demo_city.PARKING_MERCHANT) == TWO_HOURS_FEN
    debt = (await lot.driver(user_id)).debt
    assert (debt.state, debt.owed_fen) == ("owing", 200)
    await lot.assert_books_are_right()


async def test_a_reading_sent_again_changes_nothing_and_is_answered_as_things_stand(
    lot: Lot,
) -> None:
    """Why: a lane that got no answer asks again, and must not keep the car shut in."""
    await lot.owner(balance_fen=1_000)
    await lot.seen("in", minute=0)
    first = await lot.seen("out", minute=120, no=900)
    again = await lot.seen("out", minute=120, no=900)
    assert (first.result, again.result) == ("left", "duplicate")
    assert again.gate is not None
    assert (again.gate.gate, again.gate.reason) == ("open", "nothing_due")
    assert await lot.payable_fen(demo_city.PARKING_MERCHANT) == TWO_HOURS_FEN
    other = await lot.seen("out", minute=120, no=900, plate=GREEN)
    assert (other.result, other.reason) == ("rejected", "event_conflict")


async def test_an_unknown_car_pays_by_any_code_before_the_gate_opens(lot: Lot) -> None:
    stranger = await lot.life.person(funds=("purse",), balance_fen=1_000)
    await lot.seen("in", minute=0)
    left = await lot.seen("out", minute=120, no=7)
    assert left.gate is not None
    assert left.stay is not None
    assert (left.gate.gate, left.gate.reason, left.gate.due_fen) == ("pay_first", "unbound", 500)
    paid = await lot.pay(left.stay.stay_id, stranger, key="k")
    assert (paid.amount_fen, paid.stay.due_fen) == (TWO_HOURS_FEN, 0)
    opened = await lot.seen("out", minute=120, no=7)
    assert opened.gate is not None
    assert opened.gate.gate == "open"
    assert await lot.money(stranger) == {"purse": 500}
    again = await lot.pay(left.stay.stay_id, stranger, key="k")
    assert again.order_id == paid.order_id
    with pytest.raises(NothingDueError):
        await lot.pay(left.stay.stay_id, stranger)
    await lot.assert_books_are_right()


async def test_a_code_that_does_not_reach_opens_nothing_and_another_one_does(lot: Lot) -> None:
    poor = await lot.life.person(funds=("purse",), balance_fen=100)
    rich = await lot.life.person(funds=("purse",), balance_fen=1_000)
    await lot.seen("in", minute=0)
    left = await lot.seen("out", minute=120)
    assert left.stay is not None
    with pytest.raises(InsufficientBalanceError):
        await lot.pay(left.stay.stay_id, poor, key="k")
    assert (await lot.pay(left.stay.stay_id, rich, key="k")).stay.due_fen == 0
    await lot.seen("in", minute=200)
    other = await lot.seen("out", minute=300)
    assert other.stay is not None
    with pytest.raises(IdempotencyKeyReusedError):
        await lot.pay(other.stay.stay_id, rich, key="k")


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ({"proven": False, "limit_fen": None}, "unproven"),
        ({"limit_fen": None}, "no_contract"),
        ({"limit_fen": 499}, "over_limit"),
        ({"limit_fen": 500}, "on_account"),
    ],
)
async def test_only_who_has_proved_signed_and_has_credit_left_leaves_first(
    lot: Lot, who: dict[str, int], reason: str
) -> None:
    await lot.owner(**who)  # type: ignore[arg-type]
    await lot.seen("in", minute=0)
    left = await lot.seen("out", minute=120)
    assert left.gate is not None
    assert left.gate.reason == reason
    assert left.gate.gate == ("open" if reason == "on_account" else "pay_first")
    await lot.assert_books_are_right()


async def test_free_minutes_and_new_energy_cost_what_the_tariff_says(lot: Lot) -> None:
    for plate, minute, fee_fen in (
        (PLATE, 30, 0),
        (PLATE, 31, 400),  # two begun half hours
        (GREEN, 120, 0),
        (GREEN, 180, 300),  # half of 600
    ):
        await lot.seen("in", minute=0, plate=plate)
        left = await lot.seen("out", minute=minute, plate=plate)
        assert left.stay is not None
        assert left.stay.fee_fen == fee_fen
        lot.began = lot.clock.now + (lot.clock.now - lot.began)


async def test_who_pays_at_the_kiosk_has_some_minutes_to_leave(lot: Lot) -> None:
    payer = await lot.life.person(funds=("purse",), balance_fen=5_000)
    entered = await lot.seen("in", minute=0)
    assert entered.stay is not None
    lot.at(120)
    assert (await lot.pay(entered.stay.stay_id, payer)).amount_fen == TWO_HOURS_FEN
    left = await lot.seen("out", minute=135)
    assert left.gate is not None
    assert (left.gate.gate, left.gate.reason) == ("open", "nothing_due")
    lot.at(1_000)
    entered = await lot.seen("in", minute=1_000)
    assert entered.stay is not None
    lot.at(1_120)
    first = (await lot.pay(entered.stay.stay_id, payer)).amount_fen
    slow = await lot.seen("out", minute=1_181)
    assert slow.gate is not None
    assert slow.stay is not None
    assert (slow.gate.gate, slow.gate.due_fen) == ("pay_first", slow.stay.fee_fen - first)
    assert slow.gate.due_fen > 0


async def test_arrears_of_a_plate_follow_it_to_every_car_park_and_are_paid_there(lot: Lot) -> None:
    payer = await lot.life.person(funds=("purse",), balance_fen=5_000)
    await lot.seen("in", minute=0)
    escaped = await lot.seen("out", minute=120, live=False)
    assert escaped.stay is not None
    entered = await lot.seen("in", minute=300, park=WEST)
    assert entered.gate is not None
    assert (entered.gate.gate, entered.gate.arrears_fen) == ("open", TWO_HOURS_FEN)
    left = await lot.seen("out", minute=420, park=WEST)
    assert left.gate is not None
    assert left.stay is not None
    assert (left.gate.due_fen, left.gate.arrears_fen) == (500, 500)
    await lot.pay(left.stay.stay_id, payer, park=WEST)
    await lot.pay(escaped.stay.stay_id, payer, park=WEST)
    assert await lot.payable_fen(demo_city.PARKING_MERCHANT) == TWO_HOURS_FEN
    assert await lot.payable_fen(WEST_OWNER) == 500
    await lot.assert_books_are_right()


ARRIVALS = list(itertools.permutations(["in 0", "out 120", "in 150", "out 400"]))


@pytest.mark.parametrize("arrival", ARRIVALS[::5], ids=lambda one: "-".join(one).replace(" ", ""))
async def test_readings_in_any_order_cost_the_same_in_the_end(
    lot: Lot, arrival: tuple[str, ...]
) -> None:
    """Why: a camera that was off-line must cost neither the driver nor the owner anything."""
    user_id = await lot.owner(balance_fen=10_000)
    lot.at(500)
    for reading in arrival:
        direction, minute = reading.split()
        await lot.late(direction, float(minute))
        await lot.late(direction, float(minute), no=10_000 + ARRIVALS.index(arrival))
        await lot.assert_books_are_right()
    fees_fen = TWO_HOURS_FEN + 800  # 250 minutes: 2 × 200, and four begun hours
    assert await lot.payable_fen(demo_city.PARKING_MERCHANT) == fees_fen
    assert await lot.money(user_id) == {"purse": 10_000 - fees_fen, "parking_arrears": 0}


async def test_a_late_entry_prices_a_stay_again_and_gives_back_what_was_too_much(lot: Lot) -> None:
    user_id = await lot.owner(balance_fen=10_000)
    left = await lot.seen("out", minute=40)
    assert left.stay is not None
    assert (left.stay.state, left.stay.fee_fen) == ("entry_missed", 500)
    lot.at(60)
    found = await lot.late("in", 20)
    assert found.stay is not None
    assert (found.stay.state, found.stay.fee_fen, found.stay.due_fen) == ("complete", 0, 0)
    assert (await lot.money(user_id))["purse"] == 10_000
    assert await lot.payable_fen(demo_city.PARKING_MERCHANT) == 0
    await lot.assert_books_are_right()


async def test_who_signs_does_not_pay_for_whoever_drove_before(lot: Lot) -> None:
    await lot.seen("in", minute=0)
    await lot.seen("out", minute=120, live=False)
    lot.at(130)
    user_id = await lot.owner(balance_fen=10_000)
    await lot.late("in", 1)  # the old stay is looked at again
    assert (await lot.money(user_id))["purse"] == 10_000


async def test_what_no_camera_could_have_read_is_rejected_and_its_neighbours_are_not(
    lot: Lot,
) -> None:
    ahead = await lot.seen("in", occurred_at=lot.clock.now.replace(year=2027))
    assert (ahead.result, ahead.reason) == ("rejected", "clock_ahead")
    unread = await lot.seen("in", plate="?D12345")
    assert (unread.result, unread.reason) == ("rejected", "plate_unreadable")
    for lane_id in ("nowhere", "west-in-1"):
        foreign = await lot.seen("in", lane_id=lane_id)
        assert (foreign.result, foreign.reason) == ("rejected", "lane_unknown")
    assert (await lot.seen("in")).result == "entered"
    lot.at(0.5)
    assert (await lot.seen("in")).result == "seen_again"
    park = await lot.parking.car_park(EAST_LANES, EAST)
    assert park.parked == 1
