"""What every benchmark prints: one shape, each figure by a name of its own."""

import json

import pytest

from adapters.bench.report import Result, compared, print_report


def test_a_figure_stands_beside_its_reference(capsys: pytest.CaptureFixture[str]) -> None:
    figures = [
        compared("taps", 30.0, "1/s", reference="bare", reference_value=40.0, target=0.8),
        Result(name="memory", value=12.5, unit="MiB", target=64.0, met=True),
    ]
    print_report(figures, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["results"] == [
        {
            "name": "taps",
            "value": 30.0,
            "unit": "1/s",
            "reference": "bare",
            "reference_value": 40.0,
            "ratio": 0.75,
            "target": 0.8,
            "met": False,
        },
        {
            "name": "memory",
            "value": 12.5,
            "unit": "MiB",
            "reference": None,
            "reference_value": None,
            "ratio": None,
            "target": 64.0,
            "met": True,
        },
    ]
    assert document["machine"]["cpu_count"] >= 1


@pytest.mark.parametrize("as_json", [True, False])
def test_two_figures_of_one_name_are_a_bug(*, as_json: bool) -> None:
    """Why: who reads the document could not tell them apart."""
    twice = [Result(name="taps", value=value, unit="1/s") for value in (1.0, 2.0)]
    with pytest.raises(AssertionError, match="taps"):
        print_report(twice, as_json=as_json)
