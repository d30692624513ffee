"""The page for validator makers tells the truth: its example runs, its reasons are complete."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codes import CodeError
from codes.fields import TAG_AUTHORISATION, TAG_D, TAG_P, TAG_S
from codes.signed_document import DocumentError
from codes.validator_record import TAG_RECORD
from tests.codes import city

PAGE = (Path(__file__).parents[2] / "docs" / "codes.md").read_text(encoding="utf-8")


def _kin(base: type[CodeError | DocumentError]) -> Iterator[type[CodeError | DocumentError]]:
    yield base
    for child in base.__subclasses__():
        yield from _kin(child)


def _run_example(text: str) -> dict[str, Any]:
    match = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert match is not None
    shown: list[str] = []
    names: dict[str, Any] = {
        "text": text,
        "ring_json": city.RING.to_json(),
        "status_lists": None,
        "now": city.NOW_S,
        "show": shown.append,
        "log": shown.append,
    }
    exec(match.group(1), names)
    return names | {"shown": shown}


def test_the_example_of_the_page_runs() -> None:
    assert _run_example(city.code_s())["accepted"].cap_fen == 2000
    assert _run_example("M1:")["shown"][0] == "code_invalid"


@pytest.mark.parametrize("error", [*_kin(CodeError), *_kin(DocumentError)])
def test_every_reason_stands_on_the_page(error: type[CodeError | DocumentError]) -> None:
    assert f"`{error.code}`" in PAGE


def test_every_tag_stands_on_its_page() -> None:
    for tag in (TAG_S, TAG_AUTHORISATION, TAG_D, TAG_P):
        assert f"`{tag.decode()}`" in PAGE
    record_page = Path(__file__).parents[2] / "docs" / "validator-record.md"
    assert f"`{TAG_RECORD.decode()}`" in record_page.read_text(encoding="utf-8")
