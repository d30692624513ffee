import itertools
import re
from pathlib import Path

import pytest

from cardcore.errors import PersonStateError
from cardcore.user.credentials import CREDENTIAL_STEPS
from cardcore.user.life import LEVELS, STEPS, Status, Step, after, is_higher

DOCS = Path(__file__).parents[3] / "docs" / "people.md"
ARROW = re.compile(r"^\s*(\w+) --> (\w+): (\w+)$", re.MULTILINE)


def test_a_step_leads_where_the_table_says_or_nowhere() -> None:
    for status in Status:
        for step in Step:
            if (status, step) in STEPS:
                assert after(status, step) is STEPS[status, step]
            else:
                with pytest.raises(PersonStateError) as refused:
                    after(status, step)
                assert refused.value.facts["status"] == status


def test_whoever_was_closed_or_merged_stays_so() -> None:
    """Why: money and credentials have moved on; a new registration is a new life."""
    assert not [at for at, _ in STEPS if at in (Status.CLOSED, Status.MERGED)]


def test_only_the_living_are_given_credentials_back() -> None:
    assert after("deceased", Step.DEATH_WITHDRAWN) is Status.FROZEN


def test_levels_ask_for_more_one_after_the_other() -> None:
    assert [is_higher(high, low) for low, high in itertools.pairwise(LEVELS)] == [
        True,
        True,
    ]
    assert not is_higher("phone", "phone")


def test_the_pictures_in_the_documents_show_these_tables() -> None:
    pictures = re.findall(r"```mermaid\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    person, credential = (set(ARROW.findall(one)) for one in pictures[:2])
    assert person == {(at.value, to.value, step.value) for (at, step), to in STEPS.items()}
    assert credential == {(at, to, step.value) for (at, step), to in CREDENTIAL_STEPS.items()}
