"""The ceremony: three hands make one key, and nothing less does."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsm_sim.ceremony import (
    CEREMONY_LIFETIME,
    Ceremony,
    CeremonyRefusedError,
    Component,
    ComponentInvalidError,
    DualControlError,
    combine,
    new_components,
    parse_component,
)
from hsm_sim.interface import Algorithm
from hsm_sim.keys import secret_check_value

NOW = datetime(2026, 3, 1, tzinfo=UTC)
values = st.binary(min_size=32, max_size=32)


def _component(custodian: int, value: bytes) -> Component:
    check_value = secret_check_value(Algorithm.AES256, value)
    return Component(custodian=custodian, value=value, check_value=check_value)


@given(one=values, two=values, three=values)
def test_the_key_is_the_exclusive_or_in_any_order(one: bytes, two: bytes, three: bytes) -> None:
    components = [_component(number, value) for number, value in enumerate((one, two, three), 1)]
    expected = bytes(a ^ b ^ c for a, b, c in zip(one, two, three, strict=True))
    assert combine(tuple(components)) == combine(tuple(reversed(components))) == expected


@given(key=values, two=values, three=values)
def test_two_components_fit_every_key(key: bytes, two: bytes, three: bytes) -> None:
    """Why: nothing in one hand, nor in two: a third component exists for any key at all."""
    missing = bytes(a ^ b ^ c for a, b, c in zip(key, two, three, strict=True))
    assert combine((_component(1, missing), _component(2, two), _component(3, three))) == key


@given(value=values, custodian=st.integers(1, 3))
def test_what_is_written_down_can_be_typed_in(value: bytes, custodian: int) -> None:
    component = _component(custodian, value)
    text = component.text()
    assert parse_component(custodian, text) == component
    assert parse_component(custodian, "\n" + text.lower().replace(" ", "")) == component


@given(value=values, position=st.integers(0, 63), digit=st.sampled_from("0123456789ABCDEF"))
def test_a_typing_slip_is_found_by_the_check_value(value: bytes, position: int, digit: str) -> None:
    text = _component(1, value).text().replace(" ", "")
    changed = text[:position] + digit + text[position + 1 :]
    if changed == text:
        assert parse_component(1, changed).value == value
    else:
        # A slip passes once in 16 million; the digits here are drawn at random, not searched.
        with pytest.raises(ComponentInvalidError):
            parse_component(1, changed)


@pytest.mark.parametrize("text", ["", "/", "zz / 00", "00 / 8C A6", "/ 8CA64D", "键"])
def test_text_that_is_no_component_is_refused(text: str) -> None:
    with pytest.raises(ComponentInvalidError):
        parse_component(1, text)


@pytest.mark.parametrize("custodian", [0, 4])
def test_there_are_three_custodians(custodian: int) -> None:
    with pytest.raises(ComponentInvalidError):
        combine((_component(custodian, bytes(32)),))


def test_one_hand_cannot_give_two_components() -> None:
    one, two, three = new_components(secrets.token_bytes)
    ceremony = Ceremony(Algorithm.AES256, NOW)
    ceremony.give(one, name="李", session="s1", now=NOW)
    for component, name, session in (
        (one, "王", "s2"),  # the same component again
        (two, "李", "s2"),  # the same person in another session
        (two, "王", "s1"),  # another name in the same session
        (two, " ", "s2"),  # nobody
    ):
        with pytest.raises(DualControlError):
            ceremony.give(component, name=name, session=session, now=NOW)
    assert list(ceremony.missing) == [2, 3]
    ceremony.give(two, name="王", session="s2", now=NOW)
    with pytest.raises(CeremonyRefusedError, match="missing"):
        ceremony.finish()
    ceremony.give(three, name="张", session="s3", now=NOW)
    assert ceremony.finish() == combine((one, two, three))


def test_a_refused_component_leaves_the_ceremony_as_it_was() -> None:
    one, two, three = new_components(secrets.token_bytes)
    ceremony = Ceremony(Algorithm.AES256, NOW)
    ceremony.give(one, name="a", session="1", now=NOW)
    slip = Component(custodian=2, value=two.value, check_value=b"\0\0\0")
    with pytest.raises(ComponentInvalidError):
        ceremony.give(slip, name="b", session="2", now=NOW)
    ceremony.give(two, name="b", session="2", now=NOW)
    ceremony.give(three, name="c", session="3", now=NOW)
    assert ceremony.finish() == combine((one, two, three))


def test_a_ceremony_that_takes_too_long_forgets_everything() -> None:
    one, two, _ = new_components(secrets.token_bytes)
    ceremony = Ceremony(Algorithm.AES256, NOW)
    ceremony.give(one, name="a", session="1", now=NOW)
    with pytest.raises(CeremonyRefusedError, match="too long"):
        ceremony.give(two, name="b", session="2", now=NOW + CEREMONY_LIFETIME)
    assert len(ceremony.missing) == 3
    ceremony.give(two, name="b", session="2", now=NOW + CEREMONY_LIFETIME - timedelta(seconds=1))
    assert list(ceremony.missing) == [1, 3]


def test_a_finished_ceremony_holds_no_key() -> None:
    ceremony = Ceremony(Algorithm.AES256, NOW)
    for component in new_components(secrets.token_bytes):
        hand = str(component.custodian)
        ceremony.give(component, name=hand, session=hand, now=NOW)
    ceremony.finish()
    assert ceremony.missing == (1, 2, 3)
    assert ceremony._sum == bytearray(32)


def test_a_component_does_not_show_in_logs() -> None:
    component = new_components(secrets.token_bytes)[0]
    assert component.value.hex() not in repr(component)
    assert repr(component.value) not in repr(component)


def test_components_of_an_sm4_key_have_16_bytes() -> None:
    components = new_components(secrets.token_bytes, Algorithm.SM4)
    assert {len(component.value) for component in components} == {16}
    assert len(combine(components, Algorithm.SM4)) == 16
    with pytest.raises(ComponentInvalidError, match="32 bytes"):
        parse_component(1, components[0].text())
