"""The documents say what is there: links resolve, lists are complete, names are real."""

import json
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from adapters import demo_city
from adapters.cli.city import _TRY_IT
from adapters.demo.job import PEOPLE
from adapters.settings import Settings

PROJECT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh-CN.md")
# Folders that are made, not written.
MADE = frozenset({"__pycache__", "node_modules", "built", "built-tests"})
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_SPAN = re.compile(r"`([^`]+)`")
PATH = re.compile(r"[a-z_]+/[\w./-]+")
# Joined here, so that this file does not contain what it forbids.
FORBIDDEN = tuple(
    "".join(pieces)
    for pieces in (
        ("/wo", "rk/"),
        ("pypi.", "org"),
        ("python", "hosted"),
        (" --index", "-url"),
        ("--extra-index", "-url"),
        ("registry.", "npmjs"),
        ("proxy.", "golang"),
        ("/tmp/", "briefs"),
        ("issues ", "show"),
    )
)


def read(path: str) -> str:
    return (PROJECT / path).read_text(encoding="utf-8")


def rows_of(text: str) -> list[list[str]]:
    """Cells of all table rows, heads and rules left out."""
    lines = text.splitlines()
    rows = []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("| ") and not following.startswith("|---"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def texts_of_the_project() -> list[Path]:
    """Every file of text, build products and hidden folders left out."""
    found = []
    for path in PROJECT.rglob("*"):
        parts = path.relative_to(PROJECT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts)
        if hidden or MADE.intersection(parts) or not path.is_file():
            continue
        if path.suffix not in {".pyc", ".png", ".otf"}:
            found.append(path)
    return found


DOCUMENTS = sorted(
    str(path.relative_to(PROJECT)) for path in texts_of_the_project() if path.suffix == ".md"
)


def test_the_documents_are_found() -> None:
    """Why: every test below would hold for an empty list."""
    assert {*READMES, "ARCHITECTURE.md", "docs/glossary.md", "docs/adr/README.md"} <= {*DOCUMENTS}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_relative_link_resolves(document: str) -> None:
    folder = (PROJECT / document).parent
    links = LINK.findall(FENCE.sub("", read(document)))
    targets = [link.split("#")[0] for link in links if not link.startswith(("http", "#"))]
    assert [target for target in targets if not (folder / target).exists()] == []


def test_no_text_names_a_machine_or_a_registry() -> None:
    found = []
    for path in texts_of_the_project():
        text = path.read_text(encoding="utf-8", errors="ignore")
        found += [f"{path.relative_to(PROJECT)}: {word}" for word in FORBIDDEN if word in text]
    assert found == []


def test_every_path_the_architecture_names_exists() -> None:
    spans = CODE_SPAN.findall(FENCE.sub("", read("ARCHITECTURE.md")))
    paths = [span for span in spans if PATH.fullmatch(span)]
    assert len(paths) > 30
    assert [path for path in paths if not (PROJECT / path).exists()] == []


@pytest.mark.parametrize("package", ["hsm_sim", "codes", "ledger"])
def test_every_module_the_architecture_puts_in_a_room_is_there(package: str) -> None:
    (paragraph,) = [
        paragraph
        for paragraph in read("ARCHITECTURE.md").split("\n\n")
        if paragraph.startswith(f"**`{package}/`**")
    ]
    names = [span for span in CODE_SPAN.findall(paragraph) if "/" not in span]
    assert len(names) > 5
    assert [name for name in names if not (PROJECT / package / f"{name}.py").exists()] == []


def test_every_module_the_architecture_puts_in_the_core_is_there() -> None:
    rows = [row for row in rows_of(read("ARCHITECTURE.md")) if row[0].startswith("`cardcore/")]
    assert len(rows) == 3
    for room, modules in rows:
        folder = PROJECT / room.strip("`")
        names = set(CODE_SPAN.findall(modules))
        there = {path.stem for path in folder.glob("*.py")} - {"__init__", "request", "views"}
        assert names == there, room


def test_the_architecture_lists_the_contracts_that_hold() -> None:
    tools = tomllib.loads(read("pyproject.toml"))["tool"]
    held = {contract["id"] for contract in tools["importlinter"]["contracts"]}
    section = read("ARCHITECTURE.md").split("| contract | says |")[1].split("\n\n")[0]
    assert {row[0].strip("`") for row in rows_of(section)} == held


def test_every_decision_is_listed_and_carries_its_number() -> None:
    decisions = sorted((PROJECT / "docs" / "adr").glob("[0-9]*.md"))
    listed = LINK.findall(read("docs/adr/README.md"))
    assert sorted(listed) == [path.name for path in decisions]
    for path in decisions:
        title = path.read_text(encoding="utf-8").splitlines()[0]
        assert re.match(rf"# (ADR-)?0*{int(path.name[:4])}\b", title), path.name


def test_numbers_of_decisions_are_unique() -> None:
    numbers = Counter(path.name[:4] for path in (PROJECT / "docs" / "adr").glob("[0-9]*.md"))
    assert [number for number, count in numbers.items() if count > 1] == []


@pytest.mark.parametrize(("column", "of"), [(0, "term"), (1, "Chinese word")])
def test_the_glossary_has_each_word_once(column: int, of: str) -> None:
    """Why: one word per idea, in both languages."""
    counts = Counter(row[column] for row in rows_of(read("docs/glossary.md")))
    assert len(counts) > 100, of
    assert [word for word, count in counts.items() if count > 1] == []


def test_every_direct_dependency_has_its_reason_and_its_licence() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    wanted += [
        name for extra in project["project"]["optional-dependencies"].values() for name in extra
    ]
    names = {re.split(r"[\[<>=; ]", requirement)[0].lower() for requirement in wanted}
    packages = json.loads(read("adapters/pages/web/package.json"))
    names |= {*packages["dependencies"], *packages["devDependencies"]}
    names |= set(re.findall(r"^([\w-]+)==", read("locks/node.txt"), re.MULTILINE))
    rows = rows_of(read("docs/dependencies.md"))
    assert all(reason and licence for _, reason, licence in rows)
    assert {row[0] for row in rows} == names


@pytest.mark.parametrize("document", READMES)
def test_the_readme_shows_the_lines_the_program_prints(document: str) -> None:
    printed = _TRY_IT.format(
        set="",
        url="http://127.0.0.1:8000",
        id_no=PEOPLE[0].id_no,
        merchant=demo_city.BUS_MERCHANT,
        terminal=demo_city.BUS_TERMINAL,
    )
    lines = [line[2:] for line in printed.splitlines() if line.startswith("  ")]
    block = "\n".join(line for line in lines if line)
    shown = "\n".join(line for line in read(document).splitlines() if line)
    assert block in shown


@pytest.mark.parametrize("document", READMES)
def test_the_readme_names_every_setting(document: str) -> None:
    text = read(document)
    assert [
        name for name in Settings.model_fields if f"`CARDCORE_{name.upper()}`" not in text
    ] == []


def test_the_changelog_has_the_version_and_its_headings() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    section = read("CHANGELOG.md").split(f"\n## {version}")[1].split("\n## ")[0]
    assert re.findall(r"^### (\w+)", section, re.MULTILINE) == ["Safety", "Features", "Internals"]
