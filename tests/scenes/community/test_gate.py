"""Passing a gate: the access rule and the pricer that records the passage."""

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from cardcore.business.quote import Payer, PricingFacts, Subject
from cardcore.errors import AmountInvalidError, RequestInvalidError
from scenes.community.access import AccessBook, Decision, Grant, Relation
from scenes.community.pricing import AccessRefusedError, GatePricer

if TYPE_CHECKING:
    from cardcore.ports import ScenePricer

RESIDENT = UUID(int=1)
COURIER = UUID(int=2)
NIGHT_GUARD = UUID(int=3)
STRANGER = UUID(int=4)
WORKDAYS = frozenset(range(5))
YEAR = (date(2026, 1, 1), date(2026, 12, 31))

BOOK = AccessBook(
    groups_of_door={"gate": frozenset({"all"}), "lobby": frozenset({"all", "building_3"})},
    grants_of_user={
        RESIDENT: (
            Grant(
                door_group="building_3",
                relation=Relation.RESIDENT,
                valid_from=YEAR[0],
                valid_to=YEAR[1],
            ),
        ),
        COURIER: (
            Grant(
                door_group="all",
                relation=Relation.COURIER,
                valid_from=YEAR[0],
                valid_to=date(2026, 6, 30),
                weekdays=WORKDAYS,
                starts=time(8),
                ends=time(18),
            ),
            Grant(
                door_group="all",
                relation=Relation.VISITOR,
                valid_from=date(2026, 9, 1),
                valid_to=date(2026, 9, 2),
                weekdays=WORKDAYS,
            ),
        ),
        NIGHT_GUARD: (
            Grant(
                door_group="all",
                relation=Relation.STAFF,
                valid_from=YEAR[0],
                valid_to=YEAR[1],
                weekdays=frozenset({4}),
                starts=time(22),
                ends=time(6),
            ),
        ),
    },
)


@pytest.mark.parametrize(
    ("user_id", "door", "on", "at", "decision"),
    [
        (RESIDENT, "lobby", date(2026, 5, 15), time(3), Decision.OPEN),
        (RESIDENT, "gate", date(2026, 5, 15), time(3), Decision.NO_RELATION),
        (RESIDENT, "shed", date(2026, 5, 15), time(3), Decision.DOOR_UNKNOWN),
        (RESIDENT, "lobby", date(2027, 1, 1), time(3), Decision.EXPIRED),
        (STRANGER, "gate", date(2026, 5, 15), time(12), Decision.NO_RELATION),
        (COURIER, "gate", date(2025, 12, 31), time(12), Decision.NOT_YET_VALID),
        (COURIER, "gate", date(2026, 5, 15), time(8), Decision.OPEN),
        (COURIER, "gate", date(2026, 5, 15), time(18), Decision.OUTSIDE_HOURS),
        (COURIER, "gate", date(2026, 5, 16), time(12), Decision.OUTSIDE_HOURS),
        (COURIER, "gate", date(2026, 7, 15), time(12), Decision.NOT_YET_VALID),
        (COURIER, "gate", date(2026, 9, 1), time(23), Decision.OPEN),
        (NIGHT_GUARD, "gate", date(2026, 5, 15), time(22), Decision.OPEN),
        (NIGHT_GUARD, "gate", date(2026, 5, 16), time(5, 59), Decision.OPEN),
        (NIGHT_GUARD, "gate", date(2026, 5, 16), time(6), Decision.OUTSIDE_HOURS),
        (NIGHT_GUARD, "gate", date(2026, 5, 16), time(22), Decision.OUTSIDE_HOURS),
        (NIGHT_GUARD, "gate", date(2026, 5, 15), time(5), Decision.OUTSIDE_HOURS),
    ],
)
def test_a_door_opens_by_relation_time_and_door(
    user_id: UUID, door: str, on: date, at: time, decision: Decision
) -> None:
    assert BOOK.decide(user_id, door, on, at) is decision


def facts(amount_fen: int | None = None, kind: str = "passage", **details: object) -> PricingFacts:
    return PricingFacts(
        scene="community",
        type=kind,
        merchant_id="M1",
        terminal_id="T1",
        amount_fen=amount_fen,
        occurred_at=datetime(2026, 5, 14, 19, tzinfo=UTC),
        details=details,
    )


def person(user_id: UUID) -> Subject:
    return Subject(
        user_id=user_id,
        level="real_name",
        concessions=frozenset(),
        business_on=date(2026, 5, 14),
    )


def test_an_allowed_passage_is_one_zero_line() -> None:
    pricer: ScenePricer = GatePricer(BOOK)
    (line,) = pricer.price(facts(door="lobby", direction="in"), person(RESIDENT))
    assert (line.payer, line.amount_fen, line.rule_id) == (Payer.CITIZEN, 0, "access:grant")


def test_a_refused_passage_says_why_in_local_time() -> None:
    with pytest.raises(AccessRefusedError) as caught:
        GatePricer(BOOK).price(facts(door="gate", direction="in"), person(COURIER))
    assert caught.value.code == "access_refused"
    assert caught.value.facts == {"reason": "outside_hours"}


def test_nobody_is_kept_inside() -> None:
    (line,) = GatePricer(BOOK).price(facts(door="gate", direction="out"), person(STRANGER))
    assert line.amount_fen == 0


def test_without_a_book_the_gate_has_decided_and_the_passage_is_recorded() -> None:
    pricer = GatePricer()
    assert pricer.price(facts(door="any", direction="in"), person(STRANGER))
    pricer.activate(BOOK)
    with pytest.raises(AccessRefusedError):
        pricer.price(facts(door="any", direction="in"), person(STRANGER))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (facts(door="gate"), "business.details.direction"),
        (facts(direction="in"), "business.details.door"),
        (facts(door="gate", direction="up"), "business.details.direction"),
        (facts(door="gate", direction="in", photo="x"), "business.details.photo"),
        (facts(kind="fee", door="gate", direction="in"), "business.type"),
    ],
)
def test_details_that_are_not_of_the_schema_name_their_field(
    wrong: PricingFacts, field: str
) -> None:
    with pytest.raises(RequestInvalidError) as caught:
        GatePricer(BOOK).price(wrong, person(RESIDENT))
    assert caught.value.field == field


def test_a_passage_has_no_amount() -> None:
    with pytest.raises(AmountInvalidError):
        GatePricer(BOOK).price(facts(amount_fen=1, door="gate", direction="in"), person(RESIDENT))
