"""The bus commands against a real database, as an operator would use them."""

import csv
import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.cli.bus import app
from adapters.database import migrate
from adapters.demo_feed import feed_files, line_files
from adapters.feed_files import FeedFilesError, read_feed_files

RUNNER = CliRunner(env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def city_url(make_database: object) -> str:
    assert callable(make_database)
    url = str(make_database())
    migrate(url)
    return url


@pytest.fixture
def folder(tmp_path: Path, city_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CARDCORE_DATABASE_URL", city_url)
    for name, content in (feed_files() | line_files()).items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    result = RUNNER.invoke(app, list(arguments))
    return result.exit_code, result.output


def test_a_feed_is_compared_imported_changed_and_taken_back(folder: Path) -> None:
    code, output = run("import-feed", str(folder), "--source", "town", "--dry-run")
    assert code == 0
    assert "lines added: 4: 101, 102, K1, K2" in output
    assert run("versions")[1].count("town") == 0
    code, output = run("import-feed", str(folder), "--source", "town", "--by", "op-7")
    assert (code, "version 1, activation 1" in output) == (0, True)
    fares = folder / "fare_attributes.txt"
    fares.write_text(fares.read_text().replace("flat_1,1.00", "flat_1,1.50"))
    code, output = run("import-feed", str(folder), "--source", "town")
    assert "K1 →: [100] → [150] fen" in output
    assert "version 2, activation 2" in output
    assert run("import-feed", str(folder), "--source", "town", "--dry-run")[1].startswith(
        "没有变化"
    )
    assert run("activate", "town", "1") == (0, "activation 3\n")
    listed = run("versions")[1].splitlines()
    assert [line.count("*") for line in listed if "town" in line] == [0, 1]
    assert "op-7" in run("versions")[1]
    assert run("activate", "town") == (0, "activation 4\n")
    assert "*" not in run("versions")[1]


def test_lines_are_imported_from_an_archive(folder: Path) -> None:
    archive = folder / "lines.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name, content in line_files().items():
            packed.writestr(f"lines/{name}", content)
    assert "lines added: 2" in run("import-lines", str(archive), "--source", "km", "--dry-run")[1]
    code, output = run("import-lines", str(archive), "--source", "km")
    assert (code, "lines added: 2" in output) == (0, True)
    assert "(imported before)" in run("import-lines", str(archive), "--source", "km")[1]


def test_every_fault_of_a_feed_is_printed_with_its_line(folder: Path) -> None:
    fares = folder / "fare_attributes.txt"
    fares.write_text(fares.read_text().replace("1.00", "１.00").replace("6.00", "-6"))
    code, output = run("import-feed", str(folder), "--source", "bad")
    assert code == 1
    assert "fare_attributes.txt:2: price: '１.00' is not a price [not_a_number]" in output
    assert "fare_attributes.txt:8: price: '-6' is negative [negative]" in output
    fares.write_text(fares.read_text() + "x,1,CNY,0,0,\nx,1,CNY,0,0,\n" * 100)
    assert "and more" in run("import-feed", str(folder), "--source", "bad")[1]


def test_a_fault_is_one_line_however_long(folder: Path) -> None:
    """Why: other programs look for file, line and reason in it."""
    rules = folder / "fare_rules.txt"
    header, first, *rest = rules.read_text().splitlines()
    fare = "x" * 120
    row = ",".join([fare, *first.split(",")[1:]])
    rules.write_text("\n".join([header, row, *rest]) + "\n")
    code, output = run("import-feed", str(folder), "--source", "town", "--dry-run")
    assert code == 1
    assert (
        f"fare_rules.txt:2: fare_id: fare_attributes.txt has no '{fare}' [unknown_reference]"
        in (output.splitlines())
    )


def test_loose_ends_are_left_out_and_told_where_that_is_asked_for(folder: Path) -> None:
    rules = folder / "fare_rules.txt"
    rules.write_text(rules.read_text() + "nothing,K1,,,\n")
    at_fault = "fare_attributes.txt has no 'nothing' [unknown_reference]"
    code, output = run("import-feed", str(folder), "--source", "loose", "--dry-run")
    assert (code, at_fault in output) == (1, True)
    code, output = run("import-feed", str(folder), "--source", "loose", "--lenient", "--dry-run")
    assert code == 0
    assert f"left out: {at_fault}" in output


def test_every_ride_of_a_feed_is_priced_into_a_list(folder: Path) -> None:
    """Why: an outside reader holds the list against what the operator publishes."""
    out = folder / "prices.csv"
    code, output = run("price-feed", str(folder), "--out", str(out), "--category", "senior")
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert code == 0
    counted = Counter(row["basis"] for row in rows)
    assert output == "rides: " + ", ".join(f"{k} {counted[k]}" for k in sorted(counted)) + "\n"
    ride = {"line": "K1", "on_stop": "SC01", "off_stop": "SC06"}
    (row,) = [row for row in rows if row | ride == row]
    assert (row["fare_fen"], row["basis"]) == ("100", "flat")
    (folder / "fare_attributes.txt").write_text("fare_id\n")
    assert run("price-feed", str(folder))[0] == 1


def test_refusals_end_with_their_code(folder: Path) -> None:
    assert "[version_unknown]" in run("activate", "nobody", "99")[1]
    assert "[feed_files]" in run("import-feed", str(folder / "none"), "--source", "x")[1]
    code, output = run("import-feed", str(folder), "--source", "x", "--currency", "yuan")
    assert (code, "is not CODE=FEN" in output) == (2, True)
    run("import-feed", str(folder), "--source", "one")
    assert "[line_conflict]" in run("import-feed", str(folder), "--source", "two")[1]
    code, output = run("import-feed", str(folder), "--source", "two", "--dry-run")
    assert (code, "[line_conflict]" in output) == (1, True)
    run("activate", "one")


def test_the_citys_rules_are_shown_replaced_and_refused(folder: Path) -> None:
    shown = json.loads(run("rules")[1])
    assert "senior" in {rule["concession"] for rule in shown["concessions"]}
    shown["version"] = "town-2"
    shown["caps"] = [{"name": "day", "period": "day", "cap_fen": 800}]
    document = folder / "rules"
    document.write_text(json.dumps(shown))
    assert run("rules", str(document)) == (0, "rules town-2\n")
    assert json.loads(run("rules")[1])["caps"][0]["cap_fen"] == 800
    document.write_text(json.dumps(shown | {"capps": []}))
    code, output = run("rules", str(document))
    assert (code, "capps: no such field [rule_set_invalid]" in output) == (1, True)


def test_a_path_that_holds_no_feed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeedFilesError):
        read_feed_files(tmp_path, ".txt")
    (tmp_path / "a.zip").write_bytes(b"no archive")
    with pytest.raises(FeedFilesError):
        read_feed_files(tmp_path / "a.zip", ".txt")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["stops.txt", "__MACOSX/._stops.txt", "._trips.txt"], {"stops.txt"}),
        (["feed/stops.txt", "feed/old/stops.txt", "feed/.hidden.txt"], {"stops.txt"}),
        (["stops.txt", "notes/readme.txt"], {"stops.txt"}),
        (["a/stops.txt", "b/stops.txt"], None),
        (["._stops.txt"], None),
    ],
)
def test_an_archive_has_one_folder_that_is_meant(
    tmp_path: Path, names: list[str], found: set[str] | None
) -> None:
    archive = tmp_path / "feed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in names:
            packed.writestr(name, name)
    if found is None:
        with pytest.raises(FeedFilesError):
            read_feed_files(archive, ".txt")
    else:
        assert read_feed_files(archive, ".txt").keys() == found


def test_an_archive_that_unpacks_to_more_than_a_feed_is_not_unpacked(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("stops.txt", bytes(1 << 20))
    assert bomb.stat().st_size < 2000
    with pytest.raises(FeedFilesError, match="1048576 bytes unpacked"):
        read_feed_files(bomb, ".txt", size_max=1 << 19)
    assert len(read_feed_files(bomb, ".txt")["stops.txt"]) == 1 << 20


def test_a_day_is_cleared_on_screen_and_into_files(folder: Path) -> None:
    code, output = run("clearing", "2026-06-01")
    assert code == 0
    assert json.loads(output)["total"]["journeys"] == 0
    for name in ("day.csv", "day.xlsx"):
        assert run("clearing", "2026-06-01", "2026-06-02", "--out", str(folder / name))[0] == 0
        assert (folder / name).stat().st_size > 0
    assert run("clearing", "2026-06-01", "--out", str(folder / "day.pdf"))[0] == 2
    assert run("clearing", "June")[0] == 2
