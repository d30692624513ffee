"""Counting offline uses against the caps of an authorisation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codes.errors import (
    AskOnlineError,
    CapCountExceededError,
    CapCumulativeExceededError,
    CodeError,
)
from codes.offline_uses import MemoryOfflineUses, OfflineUse

NOW_S = 1_790_000_000
USE = OfflineUse(
    issuer_id=1,
    token=b"TOKEN...",
    amount_fen=200,
    cumulative_cap_fen=500,
    uses_max=3,
    expires_at_s=NOW_S + 60,
)


def test_a_refused_use_is_not_counted() -> None:
    uses = MemoryOfflineUses()
    uses.add(USE, now_s=NOW_S)
    uses.add(USE, now_s=NOW_S)
    with pytest.raises(CapCumulativeExceededError):
        uses.add(USE, now_s=NOW_S)
    uses.add(USE._replace(amount_fen=100), now_s=NOW_S)
    with pytest.raises(CapCountExceededError):
        uses.add(USE._replace(amount_fen=0), now_s=NOW_S)


def test_authorisations_are_counted_apart() -> None:
    uses = MemoryOfflineUses()
    whole = USE._replace(amount_fen=500)
    uses.add(whole, now_s=NOW_S)
    uses.add(whole._replace(issuer_id=2), now_s=NOW_S)
    uses.add(whole._replace(token=b"another."), now_s=NOW_S)


def test_a_full_counter_forgets_ended_authorisations_and_no_others() -> None:
    uses = MemoryOfflineUses(authorisations_max=2)
    for token in (b"token--1", b"token--2"):
        uses.add(USE._replace(token=token, amount_fen=500), now_s=NOW_S)
    with pytest.raises(AskOnlineError):
        uses.add(USE._replace(token=b"token--3"), now_s=NOW_S)
    with pytest.raises(CapCumulativeExceededError):
        uses.add(USE._replace(token=b"token--1"), now_s=NOW_S)
    uses.add(USE._replace(token=b"token--3"), now_s=NOW_S + 61)


@given(st.lists(st.integers(0, 600), max_size=12), st.integers(0, 1000), st.integers(0, 5))
def test_exposure_never_passes_the_caps(
    amounts_fen: list[int], cap_fen: int, uses_max: int
) -> None:
    """Why: this bounds what a lost phone can cost at one terminal."""
    uses = MemoryOfflineUses()
    taken_fen = []
    for amount_fen in amounts_fen:
        use = USE._replace(amount_fen=amount_fen, cumulative_cap_fen=cap_fen, uses_max=uses_max)
        try:
            uses.add(use, now_s=NOW_S)
        except CodeError:
            continue
        taken_fen.append(amount_fen)
    assert sum(taken_fen) <= cap_fen
    assert len(taken_fen) <= uses_max
