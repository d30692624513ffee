"""The page of faults tells the truth: all forty rows, each shown by tests that name it."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
ROWS = {
    int(match[1]): re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", match[2])
    for match in re.finditer(r"^\| (\d+) \|(.*)\|$", PAGE, re.MULTILINE)
}
NAMED = re.compile(r"\b(?:rows?|faults?)[ _](\d+)(?:(?:-|, | and )(\d+))*", re.IGNORECASE)
SPAN = re.compile(r"(\d+)(?:-(\d+))?")


@cache
def functions_of(file: str) -> dict[str, str]:
    """Tests of a file by name, each with the words that may name a row: its own and the file's."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    about = ast.get_docstring(tree) or ""
    return {
        one.name: f"{one.name} {ast.get_docstring(one) or ''} {about}"
        for one in ast.walk(tree)
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def rows_named(words: str) -> set[int]:
    """The rows that words name: ``row_7``, ``Rows 6 and 9``, ``(faults 20, 23-28)``."""
    found: set[int] = set()
    for match in NAMED.finditer(words.replace("test_row_", "row ").replace("test_fault_", "row ")):
        for first, last in SPAN.findall(match[0]):
            found |= set(range(int(first), int(last or first) + 1))
    return found


def test_the_page_has_all_forty_rows_each_with_a_test() -> None:
    assert sorted(ROWS) == list(range(1, 41))
    assert [number for number, tests in ROWS.items() if not tests] == []


@pytest.mark.parametrize("number", sorted(ROWS))
def test_the_tests_of_a_row_exist_and_name_it(number: int) -> None:
    for file, name in ROWS[number]:
        functions = functions_of(file)
        assert name in functions, f"{file} has no {name}"
        assert number in rows_named(functions[name]), f"{name} does not name row {number}"


def test_names_of_rows_are_read_in_every_form() -> None:
    assert rows_named("test_row_7_a_server") == {7}
    assert rows_named("Rows 6 and 9 of the faults: x") == {6, 9}
    assert rows_named("(faults 20, 23-26)") == {20, 23, 24, 25, 26}
    assert rows_named("no row at all, 7 of them") == set()
