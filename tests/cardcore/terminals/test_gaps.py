"""Missing sequence numbers: known in any order of arrival, bounded whatever a terminal sends."""

from hypothesis import given
from hypothesis import strategies as st

from cardcore.terminals.gaps import GAPS_MAX, Chain


@given(st.lists(st.sets(st.integers(1, 60), min_size=1), min_size=1, max_size=6))
def test_the_gaps_are_the_numbers_that_did_not_come(batches: list[set[int]]) -> None:
    chain = Chain(0)
    for batch in batches:
        chain = chain.seen(batch)
    seen = set().union(*batches)
    missing = {number for first, last in chain.gaps for number in range(first, last + 1)}
    assert chain.highest_no == max(seen)
    assert missing == set(range(1, max(seen))) - seen
    assert list(chain.gaps) == sorted(chain.gaps)


def test_a_terminal_that_counts_in_leaps_does_not_fill_the_store() -> None:
    chain = Chain(0).seen(range(2, 4 * GAPS_MAX, 2))
    assert len(chain.gaps) == GAPS_MAX
    assert chain.gaps[0][0] == 1
    assert chain.gaps[-1][1] == chain.highest_no - 1
