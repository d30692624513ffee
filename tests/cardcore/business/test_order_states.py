import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.business.order_states import AS_MADE, HOLDING, STEPS, OrderStatus, OrderStep, after
from cardcore.business.request import Mode
from cardcore.errors import OrderStateError

FINAL = frozenset(
    {OrderStatus.VOIDED, OrderStatus.EXPIRED, OrderStatus.RECORDED, OrderStatus.REFUNDED}
)


@given(st.sampled_from(Mode), st.lists(st.sampled_from(OrderStep), max_size=12))
def test_no_walk_leaves_the_table(mode: Mode, steps: list[OrderStep]) -> None:
    status = AS_MADE[mode]
    for step in steps:
        if (status, step) in STEPS:
            status = after(status, step)
        else:
            with pytest.raises(OrderStateError) as refused:
                after(status, step)
            assert refused.value.facts == {"status": status}


@pytest.mark.parametrize("status", OrderStatus)
def test_only_a_final_state_has_no_way_out(status: OrderStatus) -> None:
    assert (status in FINAL) == (not any(before == status for before, _ in STEPS))


def test_a_hold_always_ends_by_time() -> None:
    for status in HOLDING:
        assert after(status, OrderStep.EXPIRE) not in HOLDING


def test_every_state_is_reached() -> None:
    assert set(AS_MADE.values()) | set(STEPS.values()) == set(OrderStatus)
