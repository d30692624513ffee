"""Whatever is asked or sent, the answer is a resource of FHIR's, and never a fault of ours."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from adapters.fhir.endpoints import MEDIA_TYPE
from adapters.fhir.kinds import KINDS
from tests.adapters.fhir.conftest import Clinic
from tests.adapters.fhir.test_access import ACTS, example_of
from tests.adapters.fhir.test_searches import OF_THE_DAY

# Texts that break readers: of no type, of another, unstorable, too large, out of the calendar.
TEXTS = (
    "",
    "\x00",
    "a\x00b",
    "\u202e",
    "\ud7ff",
    "😀",
    "|",
    "||",
    "a|b|c",
    "\\",
    "\\,",
    ",",
    "'; --",
    "%",
    "_",
    "0" * 5_000,
    "-1",
    "9" * 30,
    "1e400",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999Z",
    "2026-06-01T24:00:00Z",
    "2026-06-01T10:00:60Z",
    "2026-06-01T10:00:00+99:99",
    "ge",
    "Slot/x",
    "Patient/" + "x" * 65,
    "00000000-0000-0000-0000-000000000000",
    "00000000-0000-0000-0000-000000000000.32767",
    "00000000-0000-0000-0000-000000000000.32768",
    "true",
    "null",
)
KEYS = (["\x00"], ["a", "\x00"], [1], ["a", 2**70], ["0" * 36, 10**9], [None], {}, "x", [[]])


def cursors() -> list[str]:
    made = [base64.urlsafe_b64encode(json.dumps(key).encode()).decode() for key in KEYS]
    uuid = "00000000-0000-0000-0000-000000000000"
    right = [[uuid], [uuid, 2**40], [uuid, -1], [uuid, "\x00"], ["\x00", "\x00"], ["a", "b"]]
    return [*made, *(base64.urlsafe_b64encode(json.dumps(one).encode()).decode() for one in right)]


async def test_no_search_and_no_id_is_a_fault_of_ours(clinic: Clinic) -> None:
    await clinic.plan()
    headers = await clinic.bearer()
    for turn, kind in enumerate(KINDS):
        # Every parameter gets a third of the texts, each type of parameter all of them.
        asked = [
            f"{kind.name}?{parameter.name}={quote(text)}"
            for number, parameter in enumerate(kind.parameters, start=turn)
            for text in TEXTS[number % 3 :: 3]
        ]
        asked += [f"{kind.name}?_cursor={quote(cursor)}" for cursor in cursors()]
        asked += [f"{kind.name}/{quote(text, safe='')}" for text in TEXTS if text]
        for path in asked:
            answer = await clinic.http.get(f"/fhir/{path}", headers=headers)
            assert answer.status_code in (200, 400, 404), (path, answer.status_code, answer.text)


VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**70,
    1e-300,
    "",
    "\x00",
    "\ud800",
    "x" * 10_000,
    [],
    {},
    [[]],
    {"reference": None},
    {"reference": "\x00"},
    {"value": 1e300, "currency": "CNY"},
    {"value": "1", "currency": []},
)


def spoilt(said: list[dict[str, Any]]) -> Iterator[list[Any]]:
    """The same parameters with one thing wrong, within parts too."""
    for at, one in enumerate(said):
        before, after = said[:at], said[at + 1 :]
        yield [*before, *after]
        yield [*said, one]
        yield [*before, {**one, "name": "\x00"}, *after]
        for element in one.keys() - {"name"}:
            for value in VALUES:
                yield [*before, {**one, element: value}, *after]
        for parts in spoilt(one.get("part", [])):
            yield [*before, {**one, "part": parts}, *after]


async def test_no_body_of_an_operation_is_a_fault_of_ours(clinic: Clinic) -> None:
    """How: with what stands there already, so that a body that happens to be sound is refused."""
    day = await clinic.day()
    headers = {**await clinic.bearer(), "Content-Type": MEDIA_TYPE}
    for turn, act in enumerate(ACTS):
        path = f"/fhir{act.path.format(id=OF_THE_DAY[act.kind](day))}"
        said = [example_of(one, day) for one in act.takes]
        for number, wrong in enumerate(spoilt(said)):
            if number % 2 != turn % 2:
                continue
            body = {"resourceType": "Parameters", "parameter": wrong}
            keyed = {**headers, "Idempotency-Key": f"{act.definition_id}-{number}"}
            content = json.dumps(body).encode()
            answer = await clinic.http.post(path, content=content, headers=keyed)
            assert answer.status_code < 500, (act.definition_id, wrong, answer.text)
