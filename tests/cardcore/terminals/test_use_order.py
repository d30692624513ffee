"""The order of a key's uses, beside a comparison of each with each."""

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from cardcore.terminals.use_order import Use, UseOrder, pack_uses

USES = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=12)


def told(uses: list[tuple[int, int]]) -> list[Use]:
    return [Use(at, counter, UUID(int=number)) for number, (at, counter) in enumerate(uses)]


def first_contradiction(known: list[Use], use: Use, apart_s_min: int) -> UUID | None:
    for one in known:
        later_s, further = one.made_at_s - use.made_at_s, one.counter - use.counter
        if later_s * further < 0 and abs(later_s) > apart_s_min:
            return one.record_id
    return None


@settings(max_examples=300)
@given(known=USES, further=USES, apart_s_min=st.sampled_from([0, 3]))
def test_a_contradiction_is_found_as_by_comparing_with_all(
    known: list[tuple[int, int]], further: list[tuple[int, int]], apart_s_min: int
) -> None:
    uses = told(known + further)
    order = UseOrder(pack_uses(uses[: len(known)]))
    for place in range(len(known), len(uses)):
        found = order.contradicted_by(uses[place], apart_s_min)
        assert found == first_contradiction(uses[:place], uses[place], apart_s_min)
        order.add(uses[place])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
def test_uses_that_rise_with_time_contradict_nothing(steps: list[tuple[int, int]]) -> None:
    order, at, counter = UseOrder(), 0, 0
    for later_s, further in steps:
        at, counter = at + later_s, counter + further
        use = Use(at, counter, UUID(int=counter))
        assert order.contradicted_by(use, 0) is None
        order.add(use)
