"""The life of a card and its taps, in the demo city."""

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters import demo_city
from adapters.first_keys import ISSUER_ID
from cardcore.business.request import CardTapText, Mode, OrderRequest, User, VerifyRequest
from cardcore.business.views import OrderView
from cardcore.caller import Caller
from cardcore.errors import (
    CardcoreError,
    CodeRefusedError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    LimitExceededError,
    ServiceUnavailableError,
    UserFrozenError,
    UserUnknownError,
)
from cardcore.user.card_errors import (
    CardBoundError,
    CardCounterError,
    CardDomainError,
    CardInactiveError,
    CardLostError,
    CardNumberError,
    CardStateError,
    CardTapError,
    CardTapExpiredError,
    CardUnknownError,
)
from cardcore.user.card_life import CardVerb
from cardcore.user.card_request import (
    BindCardRequest,
    CardDomain,
    CardReasonRequest,
    IssueCardRequest,
    ReplaceCardRequest,
)
from cardcore.user.card_status import CardStatuses, card_statuses
from cardcore.user.card_taps import CardTaps, TapPlace, find_late_tap, find_tap, register_card_key
from cardcore.user.card_vault import CardVault, key_number
from cardcore.user.card_views import CardView, IssuedCardView
from cardcore.user.cards import Cards, Note
from codes.card_hash_list import CardHashList, sorted_hashes
from codes.card_tap import CardSuite, CardTap
from codes.status import Status
from hsm_sim import card as hsm_card
from hsm_sim import key_block
from hsm_sim.ceremony import new_components
from hsm_sim.in_process import InProcessHSM
from hsm_sim.interface import (
    Algorithm,
    CardHSM,
    HSMError,
    HSMUnavailableError,
    KeyUnknownError,
    KeyUsage,
)
from hsm_sim.keys import BlockKey, load_key
from hsm_sim.session import Session
from hsm_sim.simulator import Simulator
from tests.city_life import ALL_SCOPES, BUS_OFFICE, CENTRE, FLAT_FARE_FEN, GATE, VALIDATOR, Life
from tests.virtual_card import VirtualCard, card_number

VALID: dict[str, Any] = {"valid_from": date(2026, 1, 1), "valid_to": date(2026, 12, 31)}
REASON = CardReasonRequest(reason="test")
BUS = TapPlace(scene="bus", merchant_id=demo_city.BUS_MERCHANT, terminal_id=demo_city.BUS_TERMINAL)


async def issue(
    life: Life,
    user_id: UUID,
    *domains: CardDomain,
    order: int | None = None,
    **changes: Any,  # noqa: ANN401  (any field)
) -> tuple[IssuedCardView, VirtualCard]:
    """A card of a person, and the thing in their hand; its token is the first one."""
    number = card_number(next(life.numbers) if order is None else order)
    given = VALID | changes
    request = IssueCardRequest(number=number, domains=list(domains), **given)
    key = f"issue-{next(life.numbers)}"
    view, _ = await life.city.core.issue_card(CENTRE, user_id, request, key)
    token = bytes.fromhex(view.tokens[0].token) if view.tokens else bytes(8)
    return view, VirtualCard(life.city.hsm, number, token)


async def change(life: Life, card_id: UUID, verb: CardVerb) -> CardView:
    key = f"{verb}-{next(life.numbers)}"
    view, _ = await life.city.core.change_card(CENTRE, card_id, verb, REASON, key)
    return view


def ride(life: Life, tap: CardTap | str) -> OrderRequest:
    """A ride on the flat line, paid by tap."""
    text = tap if isinstance(tap, str) else tap.to_text()
    user = User(card=CardTapText(tap=text))
    return life.ride("").model_copy(update={"user": user})


async def pay(life: Life, tap: CardTap | str) -> OrderView:
    order, _ = await life.city.core.order(VALIDATOR, ride(life, tap), f"tap-{next(life.numbers)}")
    return order


async def rows(life: Life, question: str) -> list[tuple[Any, ...]]:
    async with life.city.pool.connection() as connection:
        return list(await (await connection.execute(question.encode())).fetchall())


async def test_a_tap_pays_a_fare_as_a_code_does(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    tap = await card.tap(life.clock.now)
    order = await pay(life, tap)
    assert (order.status, order.citizen_fen) == ("captured", FLAT_FARE_FEN)
    assert await life.balance_fen(user_id) == 500 - FLAT_FARE_FEN
    assert await life.books_are_right()
    evidence = (await life.city.core.explain(BUS_OFFICE, order.order_id)).evidence
    assert tap.digest.hex() in str(evidence)
    (row,) = await rows(life, "SELECT tap_counter FROM cardcore.card")
    assert row == (1,)


async def test_the_same_tap_again_is_a_replay_and_has_no_effect(life: Life) -> None:
    """Row 20 of the faults, for cards."""
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    tap = await card.tap(life.clock.now)
    await pay(life, tap)
    with pytest.raises(CodeRefusedError) as refused:
        await pay(life, tap)
    assert refused.value.reason == "code_replayed"
    assert await life.balance_fen(user_id) == 500 - FLAT_FARE_FEN


async def test_one_tap_in_twenty_requests_at_once_pays_once(life: Life) -> None:
    """Row 1 of the faults, with other keys: the judge is the tap, not the request."""
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    tap = await card.tap(life.clock.now)
    answers = await asyncio.gather(*(pay(life, tap) for _ in range(20)), return_exceptions=True)
    refusals = [one for one in answers if isinstance(one, BaseException)]
    assert len(refusals) == 19
    assert {getattr(one, "reason", None) for one in refusals} == {"code_replayed"}
    assert await life.balance_fen(user_id) == 500 - FLAT_FARE_FEN


async def test_taps_in_flight_together_leave_the_highest_counter(life: Life) -> None:
    user_id = await life.person(balance_fen=5000)
    _, card = await issue(life, user_id)
    taps = [await card.tap(life.clock.now) for _ in range(20)]
    await asyncio.gather(*(pay(life, tap) for tap in reversed(taps)), return_exceptions=True)
    assert await rows(life, "SELECT tap_counter FROM cardcore.card") == [(20,)]


async def test_a_booked_tap_is_answered_again_whatever_became_of_the_card(life: Life) -> None:
    """Row 6 of the faults: the reply was lost, and the card too."""
    user_id = await life.person(balance_fen=500)
    view, card = await issue(life, user_id)
    request = ride(life, await card.tap(life.clock.now))
    first, _ = await life.city.core.order(VALIDATOR, request, "key")
    await change(life, view.card_id, CardVerb.LOSE)
    life.clock.advance(hours=3)
    again, replayed = await life.city.core.order(VALIDATOR, request, "key")
    assert replayed
    assert again == first


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


async def test_a_token_is_good_in_its_domain_alone(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    view, card = await issue(
        life,
        user_id,
        CardDomain(scene="bus"),
        CardDomain(scene="community", merchant_id=demo_city.GATE_MERCHANT),
        CardDomain(merchant_id="somebody-else"),
    )
    token = {(one.scene, one.merchant_id): bytes.fromhex(one.token) for one in view.tokens}
    assert len(set(token.values())) == 3
    for domain in (("community", demo_city.GATE_MERCHANT), (None, "somebody-else")):
        with pytest.raises(CardDomainError):
            await pay(life, await card.tap(life.clock.now, token=token[domain]))
    await pay(life, await card.tap(life.clock.now, token=token["bus", None]))


async def test_two_tokens_of_one_card_are_one_card_to_the_judge_of_replays(life: Life) -> None:
    """Why: the token stands outside the TAC, so another one can be put in its place."""
    user_id = await life.person(balance_fen=500)
    view, card = await issue(
        life, user_id, CardDomain(scene="bus"), CardDomain(merchant_id=demo_city.BUS_MERCHANT)
    )
    one, other = (bytes.fromhex(token.token) for token in view.tokens)
    tap = await card.tap(life.clock.now, token=one)
    await pay(life, tap)
    card.counter -= 1
    twin = await card.tap(life.clock.now, token=other)
    with pytest.raises(CodeRefusedError) as refused:
        await pay(life, twin)
    assert refused.value.reason == "code_replayed"


async def test_every_forged_tap_has_the_same_answer(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    _, other = await issue(life, user_id)
    now = life.clock.now
    good = await card.tap(now)
    flipped = bytearray(good.to_bytes())
    flipped[16] ^= 1
    forged: list[CardTap | str] = [
        await card.tap(now, key_number=other.number),
        await card.tap(now, token=b"nobody's"),
        await card.tap(now, token=other.token),
        replace(good, amount_fen=100),
        replace(good, key_version=9),
        replace(good, issuer_id=1),
        "",
        "A" * 55,
        "A" * 1024,
        "🚌",
    ]
    answers = set()
    for tap in forged:
        with pytest.raises(CardTapError) as refused:
            await pay(life, tap)
        answers.add((refused.value.code, refused.value.detail, refused.value.field))
    assert answers == {("card_tap_invalid", "The card tap is not valid", "user.card")}
    await pay(life, good)


@pytest.mark.parametrize(("late_s", "good"), [(-31, False), (-30, True), (300, True), (301, False)])
async def test_a_tap_is_good_around_its_instant(life: Life, late_s: int, good: bool) -> None:
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    tap = await card.tap(life.clock.now - timedelta(seconds=late_s))
    if good:
        await pay(life, tap)
    else:
        with pytest.raises(CardTapExpiredError):
            await pay(life, tap)


async def test_a_tap_of_another_terminal_is_refused(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    with pytest.raises(CardTapError):
        await pay(life, await card.tap(life.clock.now, terminal_id="bus-V9999"))


async def test_a_counter_that_goes_backwards_is_refused(life: Life) -> None:
    """Why: an old tap somebody kept, or the copy of a card."""
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    kept = await card.tap(life.clock.now)
    await pay(life, await card.tap(life.clock.now))
    with pytest.raises(CardCounterError):
        await pay(life, kept)


async def test_a_tap_pays_no_more_than_the_card_agreed_to(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    with pytest.raises(LimitExceededError):
        await pay(life, await card.tap(life.clock.now, amount_fen=FLAT_FARE_FEN - 1))
    with pytest.raises(CardTapError):
        await pay(life, await card.tap(life.clock.now, amount_fen=0))
    assert await life.balance_fen(user_id) == 500


async def test_a_tap_opens_a_door_and_is_quoted_and_verified_like_a_code(life: Life) -> None:
    user_id = await life.person(balance_fen=500, concession="senior")
    _, card = await issue(life, user_id)
    tap = await card.tap(life.clock.now, amount_fen=0)
    verify = VerifyRequest(
        user=User(card=CardTapText(tap=tap.to_text())),
        scene="bus",
        merchant_id=demo_city.BUS_MERCHANT,
        terminal_id=demo_city.BUS_TERMINAL,
    )
    seen = await life.city.core.verify(VALIDATOR, verify)
    assert (seen.code_class, seen.concessions) == ("T", ["senior"])
    assert seen.expires_at == datetime.fromtimestamp(tap.made_at_s + 300, UTC)
    quoted = await life.city.core.quote(VALIDATOR, ride(life, await card.tap(life.clock.now)))
    assert quoted.nominal_fen == FLAT_FARE_FEN
    record = ride(life, tap).model_copy(update={"mode": Mode.RECORD})
    with pytest.raises(CardcoreError):
        await life.city.core.order(VALIDATOR, record, "a fare is not recorded")


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


async def test_row_23_terminals_are_told_what_to_refuse_without_a_card_number(life: Life) -> None:
    user_id = await life.person(balance_fen=0)
    async with life.city.engine.begin() as connection:
        await register_card_key(
            connection,
            issuer_id=ISSUER_ID,
            key_version=2,
            suite=CardSuite.TDES,
            label="legacy",
            now=life.clock.now,
        )
    good_view, good = await issue(life, user_id)
    lost_view, _ = await issue(life, user_id)
    closed_view, _ = await issue(life, user_id)
    unbound_view, unbound = await issue(life, user_id)
    old_view, _ = await issue(life, user_id, valid_to=date(2026, 5, 31))
    legacy_view, legacy = await issue(life, user_id, kind="legacy")
    assert legacy_view.status_index is None
    for view, verb in (
        (lost_view, CardVerb.LOSE),
        (closed_view, CardVerb.CLOSE),
        (unbound_view, CardVerb.UNBIND),
        (old_view, CardVerb.CLOSE),
        (legacy_view, CardVerb.LOSE),
    ):
        await change(life, view.card_id, verb)

    async def told(issuer_id: int = ISSUER_ID) -> CardStatuses:
        async with life.city.engine.connect() as connection:
            return await card_statuses(connection, issuer_id=issuer_id, on=date(2026, 6, 1))

    before = await told()
    assert before.indexed == {
        lost_view.status_index: Status.SUSPENDED,
        closed_view.status_index: Status.REVOKED,
        unbound_view.status_index: Status.SUSPENDED,
    }
    assert good_view.status_index not in before.indexed
    assert before.denied == [legacy.token.hex()]
    assert good.token.hex() not in before.denied
    nobodys = await told(issuer_id=1)
    assert (nobodys.indexed, nobodys.denied) == ({}, [])
    await change(life, lost_view.card_id, CardVerb.FIND)
    await change(life, legacy_view.card_id, CardVerb.FIND)
    bind = BindCardRequest(number=unbound.number, user_id=user_id)
    await life.city.core.bind_card(CENTRE, bind, "bind")
    after = await told()
    assert after.indexed == {closed_view.status_index: Status.REVOKED}
    assert after.denied == [unbound.token.hex()]
    hashes = CardHashList(
        issuer_id=ISSUER_ID,
        version=1,
        issued_at_s=0,
        expires_at_s=1,
        ttl_s=1,
        salt=b"01234567",
        hash_size=5,
        hashes=sorted_hashes(before.denied, b"01234567"),
    )
    assert hashes.must_ask_online(legacy.token.hex())
    assert not hashes.must_ask_online(good.token.hex())


class BoxWithLegacyKey(InProcessHSM):
    """A box that got a 3DES master key in a ceremony; numbers lie in the city's own box."""

    def __init__(self, numbers: CardHSM, master: BlockKey) -> None:
        session = Session(Simulator.in_memory(), "test")
        super().__init__(session)
        self._numbers = numbers
        components = new_components(secrets.token_bytes)
        named = tuple(zip(("one", "two", "three"), components, strict=True))
        session.load_components("zmk", Algorithm.AES256, KeyUsage.TRANSPORT, named)
        whole = bytes(a ^ b ^ c for a, b, c in zip(*(one.value for one in components), strict=True))
        transport = load_key("zmk", Algorithm.AES256, KeyUsage.TRANSPORT, whole)
        assert isinstance(transport, BlockKey)
        sealed = key_block.seal(master, transport, secrets.token_bytes)
        session.import_key(master.info.label, sealed, transport="zmk")

    async def unwrap(self, label: str, wrapped: bytes, *, context: bytes) -> bytes:
        return await self._numbers.unwrap(label, wrapped, context=context)


async def test_a_legacy_card_is_read_by_its_3des_key(life: Life) -> None:
    user_id = await life.person(balance_fen=0)
    master = load_key("legacy", Algorithm.TDES, KeyUsage.CARD, bytes(range(16)))
    assert isinstance(master, BlockKey)
    taps = CardTaps(BoxWithLegacyKey(life.city.hsm, master))
    async with life.city.engine.begin() as connection:
        await register_card_key(
            connection,
            issuer_id=ISSUER_ID,
            key_version=2,
            suite=CardSuite.TDES,
            label="legacy",
            now=life.clock.now,
        )
    view, legacy = await issue(life, user_id, kind="legacy")
    sm4 = await legacy.tap(life.clock.now)
    unsigned = replace(sm4, suite=CardSuite.TDES, key_version=2)
    key = hsm_card.card_key(master, key_number(legacy.number))
    tap = replace(unsigned, tac=hsm_card.transaction_code(key, unsigned.tac_message))
    now, on = life.clock.now, date(2026, 6, 1)
    async with life.city.pool.connection() as connection:
        found = await find_tap(connection, tap.to_text())
        shown = await taps.judge(found, BUS, pays=True, at=now, on=on)
        assert (shown.user_id, shown.card_id) == (user_id, view.card_id)
        for forged in (sm4, unsigned, replace(tap, suite=CardSuite.SM4)):
            found = await find_tap(connection, forged.to_text())
            with pytest.raises(CardTapError):
                await taps.judge(found, BUS, pays=True, at=now, on=on)


class SilentBox(InProcessHSM):
    """A box that does not answer, or answers with a fault of its own."""

    def __init__(self, fault: HSMError) -> None:
        super().__init__(Session(Simulator.in_memory(), "test"))
        self._fault = fault

    async def unwrap(self, label: str, wrapped: bytes, *, context: bytes) -> bytes:
        raise self._fault


async def test_a_box_that_does_not_answer_is_no_refusal_of_the_card(life: Life) -> None:
    """Why: the same tap may be sent again; a card refused for our own fault would not be."""
    user_id = await life.person(balance_fen=0)
    _, card = await issue(life, user_id)
    tap = await card.tap(life.clock.now)
    cases: list[tuple[HSMError, type[Exception]]] = [
        (HSMUnavailableError(), ServiceUnavailableError),
        (KeyUnknownError(), KeyUnknownError),
    ]
    for fault, answer in cases:
        async with life.city.pool.connection() as connection:
            found = await find_tap(connection, tap.to_text())
        with pytest.raises(answer):
            await CardTaps(SilentBox(fault)).judge(
                found, BUS, pays=True, at=life.clock.now, on=date(2026, 6, 1)
            )


async def test_a_box_away_is_told_to_the_terminal_as_a_service_away(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    core = life.city.core
    core._taps = CardTaps(SilentBox(HSMUnavailableError()))
    request = ride(life, await card.tap(life.clock.now))
    with pytest.raises(ServiceUnavailableError):
        await core.order(VALIDATOR, request, "key")
    core._taps = CardTaps(life.city.hsm)
    _, replayed = await core.order(VALIDATOR, request, "key")
    assert not replayed


async def test_an_identity_tap_opens_the_gate_of_a_community(life: Life) -> None:
    user_id = await life.person(balance_fen=0)
    _, card = await issue(life, user_id, CardDomain(scene="community"))
    tap = await card.tap(life.clock.now, amount_fen=0, terminal_id=demo_city.GATE_TERMINAL)
    user = User(card=CardTapText(tap=tap.to_text()))
    passage = life.passage("").model_copy(update={"user": user})
    order, _ = await life.city.core.order(GATE, passage, "passage")
    assert (order.status, order.nominal_fen) == ("recorded", 0)
    with pytest.raises(CodeRefusedError):
        await life.city.core.order(
            GATE, life.passage("").model_copy(update={"user": user}), "again"
        )


async def test_row_23_a_late_record_is_judged_by_the_state_at_its_instant(life: Life) -> None:
    """Why: the loss report parts what the holder bears from what the issuer bears."""
    first, second = await life.person(balance_fen=0), await life.person(balance_fen=0)
    taps, core, clock = CardTaps(life.city.hsm), life.city.core, life.clock
    early = await VirtualCard(life.city.hsm, card_number(1), bytes(8)).tap(clock.now)
    clock.advance(minutes=10)
    view, card = await issue(life, first)
    clock.advance(minutes=10)
    before = await card.tap(clock.now)
    clock.advance(minutes=10)
    await change(life, view.card_id, CardVerb.LOSE)
    clock.advance(minutes=10)
    after = await card.tap(clock.now)
    clock.advance(minutes=10)
    await change(life, view.card_id, CardVerb.FIND)
    await change(life, view.card_id, CardVerb.UNBIND)
    await core.bind_card(CENTRE, BindCardRequest(number=card.number, user_id=second), "bind")
    clock.advance(days=2)

    async def late(tap: CardTap, made_at: datetime | None = None) -> UUID:
        at = made_at or datetime.fromtimestamp(tap.made_at_s, UTC)
        async with life.city.pool.connection() as connection:
            found = await find_late_tap(connection, tap.to_bytes(), at)
        shown = await taps.judge(found, BUS, pays=True, at=at, on=date(2026, 6, 1))
        assert (shown.card_id, shown.code.token) == (view.card_id, tap.token)
        return shown.user_id

    assert await late(before) == first
    with pytest.raises(CardLostError):
        await late(after)
    with pytest.raises(CardTapExpiredError):
        await late(before, clock.now)
    with pytest.raises(CardTapError):
        await late(early)
    assert card.token != bytes(8)
    too_early = await card.tap(clock.now - timedelta(days=30))
    with pytest.raises(CardInactiveError):
        await late(too_early)
    async with life.city.pool.connection() as connection:
        with pytest.raises(CardTapError):
            await find_late_tap(connection, b"\x19", clock.now)


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
