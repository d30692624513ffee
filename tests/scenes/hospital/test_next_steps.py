"""What comes next in a visit: a table, and laws for whatever is known of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes.hospital.next_steps import MARKED, WORDS, Standing, Step, step_of_item, steps_of

DRUG, BLOOD, CT, DRIP = "XA01AAA001", "250101001", "210300001", "310100001"
ITEMS = [DRUG, BLOOD, CT, DRIP, "110200001", "C0101"]


def standing(
    registration: str | None = "seen",
    *,
    open_bill: bool = False,
    paid: frozenset[str] = frozenset(),
    reported: frozenset[str] = frozenset(),
    done: frozenset[str] = frozenset(),
) -> Standing:
    """What is known, most of it nothing."""
    return Standing(
        registration=registration,
        open_bill=open_bill,
        paid_items=paid,
        reported=reported,
        done=done,
    )


@pytest.mark.parametrize(
    ("item_code", "step"),
    [
        (DRUG, Step.PHARMACY),
        ("ZA01", Step.PHARMACY),
        ("T0001", Step.PHARMACY),
        (BLOOD, Step.LABORATORY),
        ("002501010010000-250101001", Step.LABORATORY),
        ("270300001", Step.LABORATORY),
        (CT, Step.IMAGING),
        ("220301001", Step.IMAGING),
        (DRIP, Step.TREATMENT),
        ("240100001", Step.TREATMENT),
        ("110200001", None),
        ("C0101", None),
        ("", None),
    ],
)
def test_an_item_leads_somewhere(item_code: str, step: Step | None) -> None:
    assert step_of_item(item_code) is step


@pytest.mark.parametrize(
    ("known", "steps"),
    [
        (standing("held"), [Step.PAY_REGISTRATION]),
        (standing("booked"), [Step.CHECK_IN]),
        (standing("checked_in"), [Step.WAIT]),
        (standing("passed"), [Step.WAIT]),
        (standing("called"), [Step.CONSULT]),
        (standing("seen"), []),
        (standing("cancelled"), []),
        (standing(None, open_bill=True), [Step.PAY]),
        (standing(paid=frozenset({BLOOD})), [Step.LABORATORY, Step.REPORT]),
        (standing(paid=frozenset({BLOOD}), done=frozenset({"laboratory"})), [Step.REPORT]),
        (standing(paid=frozenset({BLOOD}), reported=frozenset({"lab"})), [Step.REPORT]),
        (standing(paid=frozenset({BLOOD}), done=frozenset({"laboratory", "report"})), []),
        (
            standing(open_bill=True, paid=frozenset({DRUG, CT, DRIP})),
            [Step.PAY, Step.IMAGING, Step.TREATMENT, Step.REPORT, Step.PHARMACY],
        ),
        (standing(paid=frozenset({DRUG}), done=frozenset({"pharmacy"})), []),
        (standing("checked_in", paid=frozenset({DRUG})), [Step.WAIT, Step.PHARMACY]),
    ],
)
def test_what_comes_next(known: Standing, steps: list[Step]) -> None:
    assert steps_of(known) == steps


@given(
    st.sampled_from([None, "held", "booked", "checked_in", "passed", "called", "seen", "no_show"]),
    st.booleans(),
    st.frozensets(st.sampled_from(ITEMS)),
    st.frozensets(st.sampled_from(["lab", "imaging"])),
    st.frozensets(st.sampled_from([step.value for step in MARKED])),
)
@settings(max_examples=80)
def test_steps_come_once_in_their_order_and_not_when_done(
    registration: str | None,
    open_bill: bool,
    paid: frozenset[str],
    reported: frozenset[str],
    done: frozenset[str],
) -> None:
    found = steps_of(
        standing(registration, open_bill=open_bill, paid=paid, reported=reported, done=done)
    )
    order = list(Step)
    assert [order.index(step) for step in found] == sorted({order.index(step) for step in found})
    assert not {step.value for step in found} & done
    everything = frozenset(step.value for step in MARKED)
    left = steps_of(
        standing(registration, open_bill=False, paid=paid, reported=reported, done=everything)
    )
    assert len(left) <= 1


def test_every_step_has_words_in_both_languages() -> None:
    assert WORDS.keys() == set(Step)
    assert all(zh and en for zh, en in WORDS.values())
