"""A driver in a session of their own: their stays, what they owe, their plate in two places."""

from uuid import uuid4

import pytest

from cardcore.errors import NotFoundError
from scenes.parking.errors import AlertStateError
from scenes.parking.request import ClaimAlertRequest
from tests.scenes.parking.conftest import PLATE, WEST, Lot


async def test_a_driver_sees_their_stays_and_pays_what_they_owe(lot: Lot) -> None:
    own = lot.parking.own
    user_id = await lot.owner(balance_fen=0)
    await lot.seen("in", minute=0)
    (open_stay,) = (await own.stays(user_id)).stays
    assert (open_stay.state, open_stay.plate_masked.startswith(PLATE)) == ("open", False)
    left = await lot.seen("out", minute=120)
    assert left.stay is not None
    owed = (await own.standing(user_id)).debt
    assert (owed.state, owed.owed_fen > 0) == ("owing", True)
    (ended,) = (await own.stays(user_id)).stays
    assert ended.fee_fen == owed.owed_fen
    assert (await own.pay(user_id)).debt.owed_fen == owed.owed_fen  # the purse is empty
    await lot.life.top_up(user_id, 5_000, fund="purse")
    assert (await own.pay(user_id)).debt.state == "clear"
    assert (await lot.money(user_id))["purse"] == 5_000 - owed.owed_fen
    assert (await own.pay(user_id)).debt.owed_fen == 0
    await lot.assert_books_are_right()


async def test_stays_of_before_the_plate_was_proven_are_somebody_elses(lot: Lot) -> None:
    """Why: whoever buys a used car must not read where its last owner was."""
    await lot.seen("in", minute=0)
    await lot.seen("out", minute=30)
    lot.at(60)
    user_id = await lot.owner()
    assert (await lot.parking.own.stays(user_id)).stays == []
    await lot.seen("in", minute=70)
    assert [one.state for one in (await lot.parking.own.stays(user_id)).stays] == ["open"]
    stranger = await lot.life.person()
    assert (await lot.parking.own.stays(stranger)).stays == []
    said = await lot.owner(plate="鲁D55555", proven=False, limit_fen=None)
    await lot.seen("in", minute=80, plate="鲁D55555")
    assert (await lot.parking.own.stays(said)).stays == []


async def test_a_driver_says_which_stay_was_not_theirs(lot: Lot) -> None:
    own = lot.parking.own
    user_id = await lot.owner(balance_fen=5_000)
    await lot.seen("in", minute=0)
    await lot.seen("in", minute=30, park=WEST)
    copy = await lot.seen("out", minute=90, park=WEST)
    await lot.seen("out", minute=120)
    assert copy.stay is not None
    (alert,) = (await own.standing(user_id)).alerts
    claim = ClaimAlertRequest(stay_id=copy.stay.stay_id)
    stranger = await lot.life.person()
    with pytest.raises(NotFoundError):
        await own.claim(stranger, alert.alert_id, claim)
    with pytest.raises(NotFoundError):
        await own.claim(user_id, uuid4(), claim)
    claimed = await own.claim(user_id, alert.alert_id, claim)
    assert (claimed.state, claimed.not_mine) == ("claimed", copy.stay.stay_id)
    assert claimed.dispute_id is not None
    with pytest.raises(AlertStateError):
        await own.claim(user_id, alert.alert_id, claim)


async def test_a_driver_ends_their_own_contract_and_no_other(lot: Lot) -> None:
    own = lot.parking.own
    user_id = await lot.owner()
    (contract,) = (await own.standing(user_id)).contracts
    with pytest.raises(NotFoundError):
        await own.end_contract(await lot.life.person(), contract.contract_id)
    ended = await own.end_contract(user_id, contract.contract_id)
    assert ended.ended_at is not None
    await lot.seen("in", minute=0)
    left = await lot.seen("out", minute=120)
    assert left.gate is not None
    assert left.gate.gate == "pay_first"
