"""Every reason a guard may meet on the gate page has a sentence in Chinese and in English."""

import re
from collections.abc import Iterator

import pytest

from adapters.http.app import NOUNS
from adapters.http.openapi import refusals_of
from adapters.pages.build import WEB
from codes.errors import CodeError
from scenes.community.access import Decision

GATE = WEB / "src" / "gate"
# What the page asks whose refusal stands on the screen.
ASKED = {("POST", "/v1/orders"), ("POST", "/v1/enrolments")}


def kinds(kind: type[CodeError]) -> Iterator[type[CodeError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from kinds(narrower)


def reasons() -> set[str]:
    """Of codes, of doors, and of the server to what the page asks."""
    told = {
        entry.code
        for noun in NOUNS
        for operation in noun.operations
        if (operation.method, operation.path) in ASKED
        for entry in refusals_of(operation)
    }
    doors = {one.value for one in Decision if one is not Decision.OPEN}
    return {kind.code for kind in kinds(CodeError)} | doors | told


def worded() -> set[str]:
    """The reasons that the page's own source has a sentence for."""
    source = (GATE / "reasons.ts").read_text(encoding="utf-8")
    return set(re.findall(r"^  (\w+): (?:words\(|[A-Z]+,$)", source, re.MULTILINE))


def test_every_reason_of_the_catalogue_has_words() -> None:
    asked = {(one.method, one.path) for noun in NOUNS for one in noun.operations}
    assert asked >= ASKED
    assert reasons() - worded() == set()


@pytest.mark.parametrize("name", ["reasons.ts", "words.ts"])
def test_what_is_said_in_one_language_is_said_in_the_other(name: str) -> None:
    """Chinese first, then English; neither stands in the other's place, and no code in either's."""
    source = (GATE / name).read_text(encoding="utf-8")
    said = re.findall(r'words\(\s*"([^"]+)",\s*"([^"]+)",?\s*\)', source)
    assert len(said) == len(re.findall(r"(?<!function )\bwords\(", source))
    chinese = re.compile(r"[\u4e00-\u9fff]")
    for zh, en in said:
        assert "_" not in zh + en
        assert chinese.search(zh) or (zh, en) == ("English", "中文"), zh
        assert not chinese.search(en) or (zh, en) == ("English", "中文"), en
