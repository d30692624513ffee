"""Passages in any order make the same stays; each passage ends in exactly one."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.parking.clones import Sighting, elsewhere_meanwhile
from scenes.parking.stays import Direction, Passage, Stay, StayState, stays_of

DAWN = datetime(2026, 6, 1, tzinfo=UTC)


def passage(number: int, direction: str, second: int) -> Passage:
    return Passage(
        passage_id=UUID(int=number),
        direction=Direction(direction),
        at=DAWN + timedelta(seconds=second),
    )


def read(script: str) -> list[Stay]:
    """``in@0 out@600``: passages with their seconds."""
    parts = [word.split("@") for word in script.split()]
    return list(
        stays_of(
            passage(number, direction, int(second))
            for number, (direction, second) in enumerate(parts)
        )
    )


PASSAGES = st.lists(
    st.tuples(st.sampled_from(["in", "out"]), st.integers(0, 6000)), max_size=12
).map(lambda drawn: [passage(number, *one) for number, one in enumerate(drawn)])


@given(PASSAGES.flatmap(lambda one: st.tuples(st.just(one), st.permutations(one))))
def test_any_order_of_arrival_gives_the_same_stays(
    pair: tuple[list[Passage], list[Passage]],
) -> None:
    first, second = pair
    assert stays_of(first) == stays_of(second)


@given(PASSAGES)
def test_every_passage_ends_in_exactly_one_stay(passages: list[Passage]) -> None:
    ended = Counter(one for stay in stays_of(passages) for one in stay.passages)
    assert ended == Counter(passages)


@given(PASSAGES)
def test_stays_do_not_overlap_and_only_the_last_is_open(passages: list[Passage]) -> None:
    stays = stays_of(passages)
    for before, after in itertools.pairwise(stays):
        assert before.passages[-1].at <= after.first.at
        assert before.state is not StayState.OPEN
    for stay in stays:
        assert (stay.entry is None) == (stay.state is StayState.ENTRY_MISSED)
        assert (stay.exit is None) == (stay.state in (StayState.OPEN, StayState.EXIT_MISSED))


@given(PASSAGES, st.integers(0, 12))
def test_what_lies_before_a_stay_does_not_change_it(passages: list[Passage], since: int) -> None:
    """Why: the service reads again from the beginning of a stay, never from the first day on."""
    stays = stays_of(passages)
    kept = stays[min(since, len(stays)) :]
    assert list(stays_of(one for stay in kept for one in stay.passages)) == list(kept)


@pytest.mark.parametrize(
    ("script", "states"),
    [
        ("", []),
        ("in@0", ["open"]),
        ("in@0 out@600", ["complete"]),
        ("out@600 in@0", ["complete"]),
        ("in@0 in@60 out@600", ["complete"]),
        ("in@0 in@61 out@600", ["exit_missed", "complete"]),
        ("in@0 out@600 out@2400", ["complete"]),
        ("in@0 out@600 out@2401", ["complete", "entry_missed"]),
        ("out@600", ["entry_missed"]),
        ("out@600 out@630", ["entry_missed"]),
        ("in@0 out@600 in@600", ["complete", "open"]),
        ("in@600 out@600", ["complete"]),
        ("out@600 in@600 in@0", ["complete", "open"]),
    ],
)
def test_stays_are_read_by_the_table(script: str, states: list[str]) -> None:
    assert [stay.state.value for stay in read(script)] == states


def test_a_late_exit_and_entry_in_between_make_two_stays_of_one() -> None:
    whole = read("in@0 out@9000")
    cut = read("in@0 out@9000 out@3000 in@6000")
    assert [stay.ended_at for stay in whole] == [DAWN + timedelta(seconds=9000)]
    assert [(stay.first.at, stay.ended_at) for stay in cut] == [
        (DAWN, DAWN + timedelta(seconds=3000)),
        (DAWN + timedelta(seconds=6000), DAWN + timedelta(seconds=9000)),
    ]


@pytest.mark.parametrize(
    ("here", "there", "clones"),
    [
        ("in@0 out@600", "in@300 out@900", True),
        ("in@300 out@900", "in@0 out@600", True),
        ("in@0 out@900", "in@300 out@600", True),
        ("in@0 out@900", "in@300", True),
        ("in@0 out@900", "out@300", True),
        ("in@0 out@600", "in@600 out@900", False),  # at the same second: clocks are not that good
        ("in@0 out@600", "in@700 out@900", False),
        ("in@0", "in@300 out@600", False),  # perhaps its exit was missed
        ("out@900", "in@300 out@600", False),
    ],
)
def test_a_plate_is_in_two_places_only_where_it_is_proven(
    here: str, there: str, clones: bool
) -> None:
    one, other = (
        Sighting(car_park_id=park, stay=read(script)[0])
        for park, script in (("P1", here), ("P2", there))
    )
    assert elsewhere_meanwhile(one, [other]) == ([other] if clones else [])
    assert elsewhere_meanwhile(other, [one]) == ([one] if clones else [])
    same = Sighting(car_park_id="P1", stay=other.stay)
    assert elsewhere_meanwhile(one, [same]) == []
