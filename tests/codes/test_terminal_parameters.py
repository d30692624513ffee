"""The parameters of a terminal package: read back as written, or refused as a whole."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codes import Purpose, Scope
from codes.terminal_parameters import ParametersInvalidError, TariffClass, TerminalParameters

SENIOR = TariffClass(tariff_class=3, name_zh="老年卡", name_en="senior", concession="senior_65")
PARAMETERS = TerminalParameters(
    skew_s=20,
    list_age_max_s=600,
    stale_cap_fen=200,
    domain=7,
    context_required=True,
    user_verified_required=True,
    tariff_classes=(SENIOR,),
)


@pytest.mark.parametrize("parameters", [PARAMETERS, TerminalParameters()])
def test_parameters_are_read_back_as_written(parameters: TerminalParameters) -> None:
    assert TerminalParameters.from_json(parameters.to_json()) == parameters


def test_the_policy_demands_what_the_parameters_say_and_is_offline() -> None:
    policy = PARAMETERS.policy(scope=Scope.BUS, needs=Purpose.PAY, place_ids=("bus-1",))
    assert not policy.online
    assert (policy.skew_s, policy.list_age_max_s, policy.stale_cap_fen) == (20, 600, 200)
    assert (policy.domain, policy.place_ids) == (7, ("bus-1",))
    assert policy.context_required
    assert policy.user_verified_required


def test_a_tariff_class_is_found_by_its_number() -> None:
    assert PARAMETERS.tariff_class(3) == SENIOR
    assert PARAMETERS.tariff_class(4) is None


def test_a_name_that_is_new_is_ignored_and_a_missing_one_has_its_default() -> None:
    """Why: an issuer may describe more before every terminal has been updated."""
    read = TerminalParameters.from_json(b'{"format":1,"colour":"green","skew_s":5}')
    assert read == TerminalParameters(skew_s=5)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"skew_s": 31},
        {"skew_s": True},
        {"list_age_max_s": -1},
        {"list_age_max_s": "600"},
        {"stale_cap_fen": 1.5},
        {"domain": 65_536},
        {"context_required": 1},
        {"user_verified_required": None},
        {"tariff_classes": 5},
        {"tariff_classes": [{"tariff_class": 32, "name_zh": "", "name_en": ""}]},
        {"tariff_classes": [{"tariff_class": 1, "name_zh": "x" * 65, "name_en": ""}]},
        {"tariff_classes": [{"tariff_class": 1, "name_zh": 1, "name_en": ""}]},
        {"tariff_classes": [{"tariff_class": 1, "name_zh": ""}]},
        {"tariff_classes": [{"tariff_class": 1, "name_zh": "", "name_en": ""}] * 2},
    ],
)
def test_what_is_out_of_range_is_refused(changes: dict[str, Any]) -> None:
    document = json.loads(PARAMETERS.to_json()) | changes
    with pytest.raises(ParametersInvalidError):
        TerminalParameters.from_json(json.dumps(document).encode())


@given(st.binary(max_size=64) | st.sampled_from([b"{}", b"[]", b"null", b"[" * 100_000]))
def test_hostile_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ParametersInvalidError):
        TerminalParameters.from_json(data)
