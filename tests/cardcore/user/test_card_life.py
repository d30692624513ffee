"""The table of a card's life, and the rules of card numbers. Pure."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.user.card_errors import CardNumberError, CardStateError
from cardcore.user.card_life import RULES, CardState, CardStatus, CardVerb, state_after
from cardcore.user.card_vault import CardFormat, format_of, key_number, mask_number
from tests.virtual_card import card_number

AT = datetime(2026, 6, 1, tzinfo=UTC)
HOLDER = UUID(int=1)
FORMATS = [
    CardFormat(prefix="37", issuer_id=1, digit_count=16, check_digit="luhn"),
    CardFormat(prefix="370406", issuer_id=2, digit_count=16, check_digit="luhn"),
    CardFormat(prefix="31", issuer_id=3, digit_count=19, check_digit="none"),
]


def _after(verb: CardVerb, state: CardState) -> CardState:
    user_id = HOLDER if verb is CardVerb.BIND else None
    return state_after(verb, state, at=AT, user_id=user_id)


# (status, bound) → what each verb leads to; every other verb is refused there.
TABLE = {
    ("active", True): {
        "unbound": ("active", False),
        "lost": ("lost", True),
        "frozen": ("frozen", True),
        "replaced": ("replaced", True),
        "closed": ("closed", True),
    },
    ("active", False): {
        "bound": ("active", True),
        "frozen": ("frozen", False),
        "closed": ("closed", False),
    },
    ("lost", True): {
        "found": ("active", True),
        "replaced": ("replaced", True),
        "closed": ("closed", True),
    },
    ("frozen", True): {
        "unfrozen": ("active", True),
        "lost": ("lost", True),
        "replaced": ("replaced", True),
        "closed": ("closed", True),
    },
    ("frozen", False): {"unfrozen": ("active", False), "closed": ("closed", False)},
    ("replaced", True): {},
    ("closed", True): {},
    ("closed", False): {},
}


@pytest.mark.parametrize(("before", "verbs"), TABLE.items())
def test_each_state_allows_its_verbs_and_no_other(
    before: tuple[str, bool], verbs: dict[str, tuple[str, bool]]
) -> None:
    state = CardState(status=CardStatus(before[0]), user_id=HOLDER if before[1] else None)
    for verb in RULES:
        if verb.value in verbs:
            after = _after(verb, state)
            assert (after.status.value, after.user_id is not None) == verbs[verb.value], verb
        else:
            with pytest.raises(CardStateError):
                _after(verb, state)


@given(st.lists(st.sampled_from(sorted(RULES)), max_size=12))
def test_the_issuer_answers_exactly_while_the_card_is_not_active(verbs: list[CardVerb]) -> None:
    """Why: liability without a date, or with one after the card was found, is a quarrel."""
    state = CardState(status=CardStatus.ACTIVE, user_id=HOLDER)
    ended = False
    for verb in verbs:
        try:
            state = _after(verb, state)
        except CardStateError:
            continue
        assert not ended, "no verb leads out of replaced or closed"
        assert (state.liability_from is None) == (state.status is CardStatus.ACTIVE)
        ended = state.status in (CardStatus.REPLACED, CardStatus.CLOSED)


def test_liability_keeps_its_first_instant() -> None:
    lost = CardState(status=CardStatus.LOST, user_id=HOLDER, liability_from=AT)
    later = state_after(CardVerb.REPLACE, lost, at=datetime(2027, 1, 1, tzinfo=UTC))
    assert later.liability_from == AT


def test_the_longest_prefix_names_the_issuer() -> None:
    assert format_of(card_number(1), FORMATS).issuer_id == 2
    assert format_of(card_number(1, prefix="370407"), FORMATS).issuer_id == 1
    assert format_of("3100000000000000000", FORMATS).issuer_id == 3


@given(st.integers(0, 999_999_999), st.integers(0, 15), st.integers(1, 9))
def test_one_wrong_digit_of_a_number_is_noticed(order: int, place: int, change: int) -> None:
    number = card_number(order)
    assert format_of(number, FORMATS).issuer_id == 2
    digit = str((int(number[place]) + change) % 10)
    with pytest.raises(CardNumberError):
        format_of(number[:place] + digit + number[place + 1 :], FORMATS)


@pytest.mark.parametrize("number", ["9999999999999995", "37040600000000181", "310000000000000000"])
def test_a_number_of_no_range_or_another_length_is_refused(number: str) -> None:
    with pytest.raises(CardNumberError) as refused:
        format_of(number, FORMATS)
    assert number not in str(refused.value)


def test_a_number_is_shown_masked_and_keyed_by_its_last_sixteen_digits() -> None:
    assert mask_number("3704060000000018") == "3704********0018"
    assert mask_number("3100000000000000007") == "3100***********0007"
    assert key_number("3109876543210987654").hex() == "9876543210987654"
