"""The life of a card, in the demo city."""

from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from adapters.first_keys import ISSUER_ID
from cardcore.caller import Caller
from cardcore.errors import (
    CardcoreError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    UserFrozenError,
    UserUnknownError,
)
from cardcore.user.card_errors import (
    CardBoundError,
    CardInactiveError,
    CardLostError,
    CardNumberError,
    CardStateError,
    CardTapError,
    CardUnknownError,
)
from cardcore.user.card_life import CardVerb
from cardcore.user.card_request import (
    BindCardRequest,
    IssueCardRequest,
    ReplaceCardRequest,
)
from cardcore.user.card_status import card_statuses
from cardcore.user.card_vault import CardVault
from cardcore.user.cards import Cards, Note
from codes.status import Status
from tests.cardcore.user.card_acts import REASON, VALID, change, issue, pay, ride, rows
from tests.city_life import ALL_SCOPES, CENTRE, FLAT_FARE_FEN, VALIDATOR, Life
from tests.virtual_card import VirtualCard, card_number


async def test_row_23_a_lost_card_is_refused_at_once_and_the_others_go_on(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    lost, lost_card = await issue(life, user_id)
    _, other_card = await issue(life, user_id)
    before_loss = await lost_card.tap(life.clock.now)
    life.clock.advance(seconds=5)
    view = await change(life, lost.card_id, CardVerb.LOSE)
    assert (view.status, view.liability_from) == ("lost", life.clock.now)
    with pytest.raises(CardLostError) as refused:
        await pay(life, before_loss)
    assert refused.value.code == "card_lost"
    assert refused.value.facts["liability_from"] == life.clock.now.isoformat()
    await pay(life, await other_card.tap(life.clock.now))
    await life.pay(user_id)
    assert await life.balance_fen(user_id) == 500 - 2 * FLAT_FARE_FEN
    found = await change(life, lost.card_id, CardVerb.FIND)
    assert (found.status, found.liability_from) == ("active", None)
    await pay(life, await lost_card.tap(life.clock.now))


async def test_row_23_a_card_lost_while_the_order_waits_pays_nothing(life: Life) -> None:
    """Why: between the judging of a tap and its booking lies a queue."""
    user_id = await life.person(balance_fen=500)
    view, card = await issue(life, user_id)
    request = ride(life, await card.tap(life.clock.now))
    core = life.city.core
    tap = await core._tap(request)
    await change(life, view.card_id, CardVerb.LOSE)
    with pytest.raises(UserUnknownError):
        await core._writer.quote(core._prepare(VALIDATOR, request, "key", tap))


async def test_row_23_the_cards_of_a_frozen_person_are_refused(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    view, card = await issue(life, user_id)
    await rows(
        life,
        f"UPDATE cardcore.person SET status = 'frozen' WHERE user_id = '{user_id}' RETURNING 1",
    )
    with pytest.raises(UserFrozenError):
        await pay(life, await card.tap(life.clock.now))
    async with life.city.engine.connect() as connection:
        statuses = await card_statuses(connection, issuer_id=ISSUER_ID, on=date(2026, 6, 1))
    assert statuses.indexed == {view.status_index: Status.SUSPENDED}


async def test_a_replaced_card_leaves_the_money_where_it_is(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    old, old_card = await issue(life, user_id)
    await pay(life, await old_card.tap(life.clock.now))
    await change(life, old.card_id, CardVerb.LOSE)
    life.clock.advance(seconds=1)
    number = card_number(next(life.numbers))
    request = ReplaceCardRequest(number=number, reason="lost", **VALID)
    new, replayed = await life.city.core.replace_card(CENTRE, old.card_id, request, "replace")
    assert not replayed
    assert (new.user_id, new.replaces, new.status) == (user_id, old.card_id, "active")
    again, replayed = await life.city.core.replace_card(CENTRE, old.card_id, request, "replace")
    assert replayed
    assert again == new
    assert await life.balance_fen(user_id) == 500 - FLAT_FARE_FEN
    new_card = VirtualCard(life.city.hsm, number, bytes.fromhex(new.tokens[0].token))
    await pay(life, await new_card.tap(life.clock.now))
    assert await life.balance_fen(user_id) == 500 - 2 * FLAT_FARE_FEN
    with pytest.raises(CardInactiveError) as refused:
        await pay(life, await old_card.tap(life.clock.now))
    assert refused.value.facts == {"status": "replaced"}
    cards = (await life.city.core.user_cards(CENTRE, user_id)).cards
    assert [(one.card_id, one.status) for one in cards] == [
        (new.card_id, "active"),
        (old.card_id, "replaced"),
    ]
    assert cards[0].number_masked == f"3704********{number[-4:]}"


async def test_re_binding_needs_unbinding_and_kills_the_old_token(life: Life) -> None:
    first, second = await life.person(balance_fen=500), await life.person(balance_fen=500)
    view, card = await issue(life, first)
    bind = BindCardRequest(number=card.number, user_id=second)
    core = life.city.core
    with pytest.raises(CardBoundError):
        await core.bind_card(CENTRE, bind, "too early")
    old_tap = await card.tap(life.clock.now)
    assert (await change(life, view.card_id, CardVerb.UNBIND)).user_id is None
    with pytest.raises(CardInactiveError):
        await pay(life, old_tap)
    bound, _ = await core.bind_card(CENTRE, bind, "bind")
    assert (bound.user_id, bound.card_id) == (second, view.card_id)
    again, replayed = await core.bind_card(CENTRE, bind, "bind")
    assert replayed
    assert again == bound
    with pytest.raises(CardInactiveError):
        await pay(life, old_tap)
    card.token = bytes.fromhex(bound.tokens[0].token)
    await pay(life, await card.tap(life.clock.now))
    assert await life.balance_fen(first) == 500
    assert await life.balance_fen(second) == 500 - FLAT_FARE_FEN
    with pytest.raises(CardUnknownError):
        await core.bind_card(
            CENTRE, BindCardRequest(number=card_number(999), user_id=second), "none"
        )


async def test_a_frozen_card_is_refused_until_it_is_thawed_and_a_closed_one_for_ever(
    life: Life,
) -> None:
    user_id = await life.person(balance_fen=500)
    view, card = await issue(life, user_id)
    await change(life, view.card_id, CardVerb.FREEZE)
    with pytest.raises(CardInactiveError) as refused:
        await pay(life, await card.tap(life.clock.now))
    assert refused.value.facts == {"status": "frozen"}
    await change(life, view.card_id, CardVerb.UNFREEZE)
    await pay(life, await card.tap(life.clock.now))
    await change(life, view.card_id, CardVerb.CLOSE)
    with pytest.raises(CardInactiveError):
        await pay(life, await card.tap(life.clock.now))
    with pytest.raises(CardStateError):
        await change(life, view.card_id, CardVerb.FIND)


async def test_a_card_is_good_within_its_validity(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id, valid_to=date(2026, 6, 1))
    await pay(life, await card.tap(life.clock.now))
    life.clock.advance(days=1)
    with pytest.raises(CardInactiveError):
        await pay(life, await card.tap(life.clock.now))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"number": card_number(7, prefix="999999")}, CardNumberError),
        ({"number": card_number(7)[:-1] + "x"}, None),
        ({"number": card_number(7) + "0"}, CardNumberError),
        ({"number": "3704060000000018"}, CardNumberError),
        ({"kind": "legacy"}, CardNumberError),
        ({"key_version": 77}, CardNumberError),
    ],
)
async def test_only_a_number_and_key_of_ours_become_a_card(
    life: Life, changes: dict[str, Any], kind: type[CardcoreError] | None
) -> None:
    user_id = await life.person(balance_fen=0)
    given = {"number": card_number(7)} | VALID | changes
    if kind is None:
        with pytest.raises(ValueError, match="string_pattern_mismatch"):
            IssueCardRequest(**given)
        return
    with pytest.raises(kind):
        await life.city.core.issue_card(CENTRE, user_id, IssueCardRequest(**given), "issue")
    assert await rows(life, "SELECT 1 FROM cardcore.card") == []


async def test_a_card_needs_a_living_holder_and_a_number_of_its_own(life: Life) -> None:
    user_id = await life.person(balance_fen=0)
    await issue(life, user_id, order=5)
    core = life.city.core
    request = IssueCardRequest(number=card_number(5), **VALID)
    with pytest.raises(CardBoundError):
        await core.issue_card(CENTRE, user_id, request, "again")
    other = request.model_copy(update={"number": card_number(6)})
    with pytest.raises(UserUnknownError):
        await core.issue_card(CENTRE, uuid4(), other, "nobody")
    await rows(life, "UPDATE cardcore.person SET status = 'frozen' RETURNING 1")
    with pytest.raises(UserFrozenError):
        await core.issue_card(CENTRE, user_id, other, "frozen")
    with pytest.raises(CardUnknownError):
        await change(life, uuid4(), CardVerb.LOSE)


async def test_a_repeated_request_gets_its_answer_and_another_number_is_another_request(
    life: Life,
) -> None:
    """Row 2 of the faults; the number itself is not in the digest that is kept."""
    user_id = await life.person(balance_fen=0)
    core = life.city.core
    request = IssueCardRequest(number=card_number(5), **VALID)
    first, _ = await core.issue_card(CENTRE, user_id, request, "key")
    await change(life, first.card_id, CardVerb.LOSE)
    again, replayed = await core.issue_card(CENTRE, user_id, request, "key")
    assert replayed
    assert again == first
    other = request.model_copy(update={"number": card_number(6)})
    with pytest.raises(IdempotencyKeyReusedError):
        await core.issue_card(CENTRE, user_id, other, "key")


async def test_no_column_holds_a_card_number(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    await pay(life, await card.tap(life.clock.now))
    tables = await rows(
        life,
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'cardcore'"
        " AND table_type = 'BASE TABLE'",
    )
    assert len(tables) > 20
    raw = card.number.encode().hex()
    for (table,) in tables:
        for row in await rows(life, f"SELECT t::text FROM cardcore.{table} t"):
            assert card.number not in row[0], table
            assert raw not in row[0], table


async def test_every_change_leaves_an_event_an_audit_row_and_a_thin_message(life: Life) -> None:
    user_id = await life.person(balance_fen=0)
    view, _ = await issue(life, user_id)
    await change(life, view.card_id, CardVerb.LOSE)
    with pytest.raises(CardStateError):
        await change(life, view.card_id, CardVerb.FREEZE)
    events = await rows(life, "SELECT event_no, kind, status FROM cardcore.card_event ORDER BY 1")
    assert events == [(1, "issued", "active"), (2, "lost", "lost")]
    audit = await rows(
        life,
        "SELECT action, outcome FROM cardcore.audit_event"
        f" WHERE object = 'card/{view.card_id}' ORDER BY seq",
    )
    assert audit == [("card.issued", "done"), ("card.lost", "done"), ("card.frozen", "card_state")]
    messages = await rows(
        life, "SELECT topic, payload FROM cardcore.outbox WHERE topic LIKE 'card.%' ORDER BY seq"
    )
    assert [topic for topic, _ in messages] == ["card.issued", "card.lost"]
    assert all(set(payload) == {"card_id", "event_id"} for _, payload in messages)


async def test_a_merged_person_takes_the_cards_along_and_a_leaving_one_closes_them(
    life: Life,
) -> None:
    leaving, survivor = await life.person(balance_fen=0), await life.person(balance_fen=500)
    view, card = await issue(life, leaving)
    cards = Cards(CardVault(life.city.hsm), bytes)
    async with life.city.engine.begin() as connection:
        await cards.move(connection, leaving, survivor)
    await pay(life, await card.tap(life.clock.now))
    assert await life.balance_fen(survivor) == 500 - FLAT_FARE_FEN
    assert (await life.city.core.user_cards(CENTRE, leaving)).cards == []
    async with life.city.engine.begin() as connection:
        cards = Cards(CardVault(life.city.hsm), lambda size: b"\x01" * size)
        note = Note(client_id="card-centre", reason="left", now=life.clock.now)
        assert await cards.close_of_user(connection, survivor, note) == 1
        assert await cards.close_of_user(connection, survivor, note) == 0
    (closed,) = (await life.city.core.user_cards(CENTRE, survivor)).cards
    assert (closed.card_id, closed.status) == (view.card_id, "closed")


async def test_a_printed_card_has_no_token_and_cannot_be_tapped(life: Life) -> None:
    user_id = await life.person(balance_fen=0)
    view, card = await issue(life, user_id, kind="printed")
    assert (view.tokens, view.key_version) == ([], None)
    with pytest.raises(CardTapError):
        await pay(life, await card.tap(life.clock.now))


async def test_cards_need_their_scopes(life: Life) -> None:
    user_id = await life.person(balance_fen=0)
    view, card = await issue(life, user_id)
    core = life.city.core
    nobody = Caller(
        client_id="x", merchant_id=None, scopes=ALL_SCOPES - {"cards:write", "cards:read"}
    )
    bind = BindCardRequest(number=card.number, user_id=user_id)
    for call in (
        core.user_cards(nobody, user_id),
        core.bind_card(nobody, bind, "k"),
        core.change_card(nobody, view.card_id, CardVerb.LOSE, REASON, "k"),
    ):
        with pytest.raises(ForbiddenError):
            await call
