"""Parameters read by declaration: types, exact money, what is not declared."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.fhir.act import Taken
from adapters.fhir.comparison import comparison_of
from adapters.fhir.json_text import json_text
from adapters.fhir.parameters_body import read_parameters
from cardcore.field_faults import FieldsInvalidError
from scenes.hospital.views import DifferenceView, ReconciliationView
from tests.adapters.fhir import rows as any_of
from tests.adapters.fhir.judged import judge

URL = "https://card.example/fhir"
TAKES = (
    Taken(name="words", words="", type="string"),
    Taken(name="code", words="", type="code"),
    Taken(name="flag", words="", type="boolean"),
    Taken(name="count", words="", type="integer"),
    Taken(name="measure", words="", type="decimal"),
    Taken(name="day", words="", type="date"),
    Taken(name="slot", words="", type="Reference", target="Slot"),
    Taken(name="price", words="", type="Money"),
    Taken(name="part", words="", max="*", parts=(Taken(name="a", words="", type="string", min=1),)),
)


def taken(parameter: str) -> Any:  # noqa: ANN401  (a value of any type)
    """What is read of one parameter, written as JSON."""
    raw = f'{{"resourceType":"Parameters","parameter":[{parameter}]}}'.encode()
    return read_parameters(raw, TAKES, depth_max=24, base_url=URL)


PART = '{"name":"part","part":[{"name":"a","valueString":"1"}]}'
GOOD = [
    ('{"name":"words","valueString":" 内科 "}', {"words": " 内科 "}),
    ('{"name":"code","valueCode":"AMB"}', {"code": "AMB"}),
    ('{"name":"flag","valueBoolean":false}', {"flag": False}),
    ('{"name":"count","valueInteger":-1}', {"count": -1}),
    ('{"name":"measure","valueDecimal":0.50}', {"measure": Decimal("0.50")}),
    ('{"name":"measure","valueDecimal":2}', {"measure": Decimal(2)}),
    ('{"name":"day","valueDate":"2026-02-28"}', {"day": date(2026, 2, 28)}),
    ('{"name":"slot","valueReference":{"reference":"Slot/a.1"}}', {"slot": "a.1"}),
    (f'{{"name":"slot","valueReference":{{"reference":"{URL}/Slot/a.1"}}}}', {"slot": "a.1"}),
    ('{"name":"price","valueMoney":{"value":12.3}}', {"price": 1230}),
    ('{"name":"price","valueMoney":{"value":1.23e1,"currency":"CNY"}}', {"price": 1230}),
    ('{"name":"price","valueMoney":{"value":0.01000}}', {"price": 1}),
    (f"{PART},{PART}", {"part": [{"a": "1"}, {"a": "1"}]}),
    ("", {}),
]


@pytest.mark.parametrize(("said", "meant"), GOOD)
def test_what_is_declared_is_read(said: str, meant: dict[str, Any]) -> None:
    assert taken(said) == meant


BAD = [
    ('{"name":"words","valueString":" "}', "wrong_type"),
    ('{"name":"words","valueString":1}', "wrong_type"),
    ('{"name":"words","valueCode":"x"}', "wrong_type"),
    ('{"name":"words","valueString":"x","extension":[]}', "wrong_type"),
    ('{"name":"flag","valueBoolean":"true"}', "wrong_type"),
    ('{"name":"count","valueInteger":true}', "wrong_type"),
    ('{"name":"count","valueInteger":1.0}', "wrong_type"),
    ('{"name":"measure","valueDecimal":"1"}', "wrong_type"),
    ('{"name":"measure","valueDecimal":1e20}', "out_of_range"),
    ('{"name":"measure","valueDecimal":1e-20}', "out_of_range"),
    ('{"name":"day","valueDate":"2026-02-30"}', "wrong_format"),
    ('{"name":"day","valueDate":"2026-02"}', "wrong_type"),
    ('{"name":"slot","valueReference":"Slot/1"}', "wrong_type"),
    ('{"name":"slot","valueReference":{"reference":"Other/1"}}', "wrong_format"),
    ('{"name":"price","valueMoney":{"value":0.001}}', "wrong_format"),
    ('{"name":"price","valueMoney":{"value":1,"unit":"yuan"}}', "wrong_type"),
    ('{"name":"price","valueMoney":{"value":1,"currency":"USD"}}', "not_allowed"),
    ('{"name":"price","valueMoney":12.3}', "wrong_type"),
    ('{"name":"part","valueString":"x"}', "unknown_field"),
    ('{"name":"part","part":[]}', "missing"),
    ('{"name":"part","part":[{"name":"b","valueString":"1"}]}', "unknown_field"),
    ('{"name":"other","valueString":"x"}', "unknown_field"),
    ('{"valueString":"x"}', "unknown_field"),
    ('{"name":"code","valueCode":"a"},{"name":"code","valueCode":"b"}', "not_allowed"),
]


@pytest.mark.parametrize(("said", "code"), BAD)
def test_what_is_not_declared_is_a_fault_of_its_field(said: str, code: str) -> None:
    with pytest.raises(FieldsInvalidError) as refused:
        taken(said)
    fault = refused.value.faults[0]
    assert fault.code == code
    assert fault.field.startswith("Parameters.parameter")


@given(any_of.FEN)
def test_money_is_read_as_exactly_as_it_is_written(fen: int) -> None:
    yuan = f"{fen // 100}.{fen % 100:02d}"
    assert taken(f'{{"name":"price","valueMoney":{{"value":{yuan}}}}}') == {"price": fen}


COMPARED = st.builds(
    ReconciliationView,
    business_on=st.dates(date(2020, 1, 1), date(2099, 1, 1)),
    totals_agree=st.none() | st.booleans(),
    **dict.fromkeys(
        ("payments", "insurer_items", "his_items", "differences", "new", "gone", "returned"),
        st.integers(0, 1_000_000),
    ),
)
STANDING = st.builds(
    DifferenceView,
    business_on=st.dates(date(2020, 1, 1), date(2099, 1, 1)),
    kind=st.sampled_from(("insurer_only", "his_amount")),
    item=any_of.CODES,
    owner=st.sampled_from(("city", "insurer", "hospital")),
    expected_fen=st.none() | any_of.FEN,
    found_fen=st.none() | any_of.FEN,
    found_at=any_of.INSTANTS,
    age_days=st.integers(0, 999),
)


@given(COMPARED, st.lists(STANDING, max_size=3))
def test_a_comparison_is_a_parameters_resource(
    compared: ReconciliationView, standing: list[DifferenceView]
) -> None:
    told = comparison_of(compared, standing)
    judge(json_text(told))
    differences = [one for one in told["parameter"] if one["name"] == "difference"]
    assert len(differences) == len(standing)


def test_what_is_not_json_of_fhir_is_a_mistake_of_ours() -> None:
    """Why: a null or a float must not slip into what hospitals read."""
    for wrong in (None, 1.5, b"x"):
        with pytest.raises(TypeError):
            json_text({"value": wrong})
    assert json.loads(json_text({"a": [True, 1, '\u2028"\\']})) == {"a": [True, 1, '\u2028"\\']}
