"""The access book a gate carries: the same answers as the server's, people known by alias only."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.calendar import LOCAL_ZONE
from scenes.community.access import AccessBook, Decision, Grant, PassUses, Relation
from scenes.community.access_part import AccessPartError, read_access_part, write_access_part

RESIDENT, COURIER, NOBODY = uuid4(), uuid4(), uuid4()
ALIASES = {RESIDENT: [b"resident", b"RESIDENT"], COURIER: [b"courier!"], NOBODY: [b"a nobody"]}
BOOK = AccessBook(
    groups_of_door={"N01": frozenset({"all", "b1"}), "S01": frozenset({"b2"})},
    grants_of_user={
        RESIDENT: (
            Grant(
                door_group="all",
                relation=Relation.RESIDENT,
                valid_from=date(2026, 1, 1),
                valid_to=date(2026, 12, 31),
            ),
        ),
        COURIER: (
            Grant(
                door_group="b1",
                relation=Relation.COURIER,
                valid_from=date(2026, 6, 1),
                valid_to=date(2026, 6, 30),
                weekdays=frozenset({0, 2}),
                starts=time(8),
                ends=time(20, 30),
            ),
        ),
        uuid4(): (),
    },
)


@given(
    st.sampled_from([(user_id, alias) for user_id, names in ALIASES.items() for alias in names]),
    st.sampled_from(["N01", "S01", "X"]),
    st.datetimes(datetime(2025, 12, 1), datetime(2027, 2, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_a_gate_answers_as_the_server_does(
    who: tuple[UUID, bytes], door: str, at: datetime
) -> None:
    user_id, alias = who
    local = at.astimezone(LOCAL_ZONE)
    expected = BOOK.decide(user_id, door, local.date(), local.time())
    assert read_access_part(write_access_part(BOOK, ALIASES)).decide(alias, door, at) is expected


def test_an_alias_nobody_gave_out_opens_nothing() -> None:
    gate = read_access_part(write_access_part(BOOK, ALIASES))
    assert gate.decide(b"stranger", "N01", datetime(2026, 6, 1, tzinfo=UTC)) is Decision.NO_RELATION


@given(uses_max=st.integers(1, 20), used=st.integers(0, 25))
def test_a_pass_is_open_while_a_use_may_be_left(uses_max: int, used: int) -> None:
    """Why: a gate that was told of too few uses counts its own; one told of all must close."""
    book = replace(BOOK, uses_of_user={COURIER: PassUses(uses_max=uses_max, used=used)})
    part = write_access_part(book, ALIASES)
    assert json.loads(part)["format"] == 2
    gate = read_access_part(part)
    at = datetime(2026, 6, 1, 4, tzinfo=UTC)
    expected = Decision.PASS_USED_UP if used >= uses_max else Decision.OPEN
    assert gate.decide(b"courier!", "N01", at) is expected
    assert gate.uses_max(b"courier!") == uses_max
    assert gate.uses_max(b"resident") is None
    assert gate.decide(b"courier!", "S01", at) is Decision.NO_RELATION


def test_no_persons_id_travels_and_the_same_book_is_the_same_bytes() -> None:
    part = write_access_part(BOOK, ALIASES)
    assert not any(str(user_id).encode() in part for user_id in BOOK.grants_of_user)
    turned = AccessBook(
        groups_of_door=dict(reversed(list(BOOK.groups_of_door.items()))),
        grants_of_user=dict(reversed(list(BOOK.grants_of_user.items()))),
    )
    assert write_access_part(turned, ALIASES) == part


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 3},
        {"uses": {"00": [1]}},
        {"grants": [{}]},
        {"holders": {"00": [9]}},
        {"doors": 1},
        {"grants": 1},
    ],
)
def test_a_part_of_another_form_is_refused(changes: dict[str, object]) -> None:
    document = json.loads(write_access_part(BOOK, ALIASES)) | changes
    with pytest.raises(AccessPartError):
        read_access_part(json.dumps(document).encode())


@given(st.binary(max_size=64) | st.sampled_from([b"{}", b"[]", b"null", b"[" * 100_000]))
def test_hostile_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(AccessPartError):
        read_access_part(data)
