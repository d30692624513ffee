"""The pure rules: sums, messages, the queue, the tables of states."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.hospital import queue
from scenes.hospital.messages import FUND_PARTS, SettlementInfo, fen_of, node, yuan_of
from scenes.hospital.payment_states import (
    FINAL,
    REFUND_FINAL,
    REFUND_STEPS,
    STEPS,
    PaymentState,
    RefundState,
)
from scenes.hospital.registration_rules import (
    Rules,
    blocked_until,
    slot_times,
    walk_in_numbers,
)
from scenes.hospital.split import (
    GivenBack,
    InsuranceSumsError,
    ResettledAboveError,
    Split,
    broken_laws,
    given_back,
    self_paid,
    split_of,
)

fens = st.integers(0, 10**9)
RULES = Rules(
    hold_s=600,
    cancel_before_s=7200,
    days_ahead=7,
    per_day_max=3,
    no_show_max=3,
    no_show_days=90,
    blocked_days=30,
)


@given(st.integers(-(10**14), 10**14))
def test_fen_survive_the_way_over_the_wire(fen: int) -> None:
    """Why: a float on the way would lose one sooner or later."""
    assert fen_of(yuan_of(fen)) == fen


@pytest.mark.parametrize(
    ("text", "fen"),
    [("12.3", 1230), ("0.01", 1), ("-3.00", -300), ("7", 700), (5, 500), ("1.500", 150)],
)
def test_amounts_are_read_as_they_are_written(text: object, fen: int) -> None:
    assert fen_of(text) == fen


@pytest.mark.parametrize("text", ["1.234", "1e2", "", "１", "12,00", 1.5, True, None, "+1", " 1"])
def test_what_is_no_amount_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="decimal of yuan"):
        fen_of(text)


@st.composite
def sound(draw: st.DrawFn) -> tuple[dict[str, int], int]:
    parts = {name: draw(fens) for name in FUND_PARTS}
    account, cash, hospital = draw(fens), draw(fens), draw(fens)
    fund = sum(parts.values())
    total = fund + account + cash + hospital
    return parts | {
        "medfee_sumamt": total,
        "fund_pay_sumamt": fund,
        "hosp_part_amt": hospital,
        "psn_part_amt": account + cash,
        "acct_pay": account,
        "psn_cash_pay": cash,
    }, total


def info_of(sums: dict[str, int]) -> SettlementInfo:
    written = {name: yuan_of(fen) for name, fen in sums.items()}
    return SettlementInfo.model_validate({"psn_no": "P", "mdtrt_id": "M", **written})


@given(sound())
def test_a_sound_answer_is_split_to_the_fen(answer: tuple[dict[str, int], int]) -> None:
    sums, total_fen = answer
    split = split_of(info_of(sums), sent_fen=total_fen)
    assert split.total_fen == total_fen
    assert split.insurer_fen + split.cash_fen + split.hospital_fen == total_fen
    assert split.due_fen == split.cash_fen


@given(
    sound(),
    st.sampled_from(
        [
            *FUND_PARTS,
            "medfee_sumamt",
            "fund_pay_sumamt",
            "hosp_part_amt",
            "psn_part_amt",
            "acct_pay",
            "psn_cash_pay",
        ]
    ),
    st.integers(-1000, 1000).filter(bool),
)
def test_one_wrong_sum_breaks_a_law(
    answer: tuple[dict[str, int], int], name: str, by_fen: int
) -> None:
    """Why: whatever single figure the insurer gets wrong, nothing of it may be booked."""
    sums, total_fen = answer
    wrong = info_of(sums | {name: sums[name] + by_fen})
    laws = broken_laws(wrong, sent_fen=total_fen)
    assert laws
    with pytest.raises(InsuranceSumsError) as refused:
        split_of(wrong, sent_fen=total_fen)
    assert refused.value.facts["laws"] == list(laws)


def test_what_goes_back_is_the_difference_and_never_below_zero() -> None:
    before = Split(fund_fen=70, account_fen=20, cash_fen=10, hospital_fen=5)
    rest = Split(fund_fen=30, account_fen=20, cash_fen=0, hospital_fen=5)
    assert given_back(before, rest) == GivenBack(fund_fen=40, account_fen=0, cash_fen=10)
    with pytest.raises(ResettledAboveError) as above:
        given_back(rest, before)
    assert above.value.facts["payers"] == ["fund", "cash"]
    assert self_paid(5).ordered_fen == 5


def test_an_answer_without_its_node_is_no_answer() -> None:
    with pytest.raises(ValueError, match="no node"):
        node({"setlinfo": []}, "setlinfo")


def test_every_state_of_a_payment_leads_to_an_end() -> None:
    for steps, final in ((STEPS, FINAL), (REFUND_STEPS, REFUND_FINAL)):
        assert set(steps) == set(PaymentState if steps is STEPS else RefundState)
        ends = set(final)
        while more := {one for one, to in steps.items() if to & ends} - ends:
            ends |= more
        assert ends == set(steps)
        assert all(not steps[one] for one in final)  # type: ignore[index]


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 50)), unique_by=lambda one: one[1]))
def test_priority_goes_first_and_then_the_turn(people: list[tuple[int, int]]) -> None:
    waiting = [
        queue.Waiting(
            registration_id=uuid4(),
            priority=priority,
            turn=number * queue.TURNS_APART,
            queue_no=number,
        )
        for priority, number in people
    ]
    order = queue.in_order(waiting)
    assert [(-one.priority, one.queue_no) for one in order] == sorted(
        (-one.priority, one.queue_no) for one in waiting
    )
    following = queue.next_of(waiting)
    assert following == (order[0] if order else None)
    for position, one in enumerate(order):
        assert queue.ahead_of(one.registration_id, waiting) == position
    assert queue.ahead_of(uuid4(), waiting) is None


@given(st.integers(0, 12))
def test_who_is_passed_over_comes_again_after_three(others: int) -> None:
    """Why: to the end of the row would cost half a day, to its head would hold up everybody."""
    passed = queue.Waiting(registration_id=uuid4(), priority=0, turn=1_000, queue_no=1)
    waiting = [
        queue.Waiting(registration_id=uuid4(), priority=0, turn=number * 1_000, queue_no=number)
        for number in range(2, others + 2)
    ]
    turn = queue.turn_after_passing(passed, waiting)
    again = queue.Waiting(registration_id=passed.registration_id, priority=0, turn=turn, queue_no=1)
    ahead = queue.ahead_of(passed.registration_id, [*waiting, again])
    assert ahead == min(others, queue.PASSED_BEHIND)


def test_three_misses_in_ninety_days_bar_for_thirty() -> None:
    first = date(2026, 1, 1)
    days = [first, first + timedelta(days=40), first + timedelta(days=80)]
    assert blocked_until(RULES, days) == days[-1] + timedelta(days=31)
    assert blocked_until(RULES, [*days[:2], first + timedelta(days=91)]) is None
    assert blocked_until(RULES, days[:2]) is None


@given(st.integers(1, 500).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count))))
def test_walk_in_places_are_as_many_as_were_planned(counts: tuple[int, int]) -> None:
    count, walk_in_count = counts
    numbers = walk_in_numbers(count, walk_in_count)
    assert len(numbers) == walk_in_count
    assert all(1 <= number <= count for number in numbers)
    starts_at = datetime(2026, 6, 1, tzinfo=UTC)
    times = slot_times(starts_at, starts_at + timedelta(hours=4), count)
    assert len(times) == count
    assert times == sorted(times)
    assert times[0] == starts_at
    assert times[-1] < starts_at + timedelta(hours=4)
