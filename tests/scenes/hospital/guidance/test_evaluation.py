"""How good guidance is on the labelled cases, and the floor below which it must not fall."""

from importlib.resources import files

import pytest

from scenes.hospital.guidance.evaluation import (
    RED,
    UNCLEAR,
    Case,
    Figures,
    cases_of,
    figures_of,
)
from scenes.hospital.guidance.knowledge import current

CASES = files("scenes.hospital.guidance") / "cases"


def cases(name: str) -> list[Case]:
    """The cases of one part."""
    return cases_of((CASES / f"{name}.tsv").read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=["development", "held_out"])
def measured(request: pytest.FixtureRequest) -> tuple[str, Figures]:
    """Name and figures of a part."""
    return request.param, figures_of(current(), cases(request.param))


def test_no_emergency_of_the_sets_is_missed(measured: tuple[str, Figures]) -> None:
    name, figures = measured
    assert figures.red > 70, name
    assert figures.red_recall == 1.0, name


def test_accuracy_stays_above_its_floor(measured: tuple[str, Figures]) -> None:
    name, figures = measured
    first, three, wrongly = {
        "development": (0.98, 0.99, 0.01),
        "held_out": (0.90, 0.95, 0.025),
    }[name]
    assert figures.top_1 >= first
    assert figures.top_3 >= three
    assert figures.flagged_wrongly / figures.calm <= wrongly


@pytest.mark.parametrize("name", ["development", "held_out"])
def test_cases_name_specialties_that_there_are(name: str) -> None:
    expected = frozenset().union(*(case.expected for case in cases(name)))
    assert expected - current().specialties.keys() <= {RED, UNCLEAR}


def test_figures_count_what_they_say() -> None:
    lines = [
        "text\tage\tsex\tpregnant\texpected",
        "咳嗽\t40\tm\t\trespiratory",  # first
        "咳嗽，流鼻涕\t40\tm\t\tent",  # among three
        "咳嗽\t40\tm\t\tdermatology",  # wrong
        "你好\t40\tm\t\tunclear",  # rightly nothing
        "喝了百草枯\t40\tm\t\temergency!",  # seen
        "你好\t40\tm\t\temergency!",  # missed
        "喝了百草枯\t40\tm\t\tcardiology",  # flagged wrongly
    ]
    figures = figures_of(current(), cases_of("\n".join(lines)))
    assert figures == Figures(
        cases=7,
        ranked=5,
        first=2,
        among_three=3,
        red=2,
        flagged=1,
        calm=5,
        flagged_wrongly=1,
    )
    assert (figures.top_1, figures.red_recall, figures.red_precision) == (0.4, 0.5, 0.5)


def test_an_age_that_is_none_is_refused_with_its_line() -> None:
    with pytest.raises(ValueError, match="line 2: 'x'"):
        cases_of("text\tage\tsex\tpregnant\texpected\n咳嗽\tx\tm\t\trespiratory")
