"""``cardcore ledger``: each command over small books."""

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

import ledger
from adapters.cli.ledger import app
from hsm_sim.process import HSMProcess
from ledger import Account, Ledger, Transfer, check_proof

RUNNER = CliRunner()
TRANSFER = f"{7:032x}"
ACCOUNT = "00000000-0000-0000-0000-000000000002"


@pytest.fixture
def url(lend_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Books with one transfer, made by the commands themselves."""
    url = lend_database()
    monkeypatch.setenv("CARDCORE_DATABASE_URL", url)
    monkeypatch.setenv("CARDCORE_HSM_SOCKET", "/nonexistent/hsm.sock")
    assert RUNNER.invoke(app, ["install"]).exit_code == 0

    async def fill() -> None:
        async with await Ledger.open(url) as book:
            await book.create_accounts([Account(id=n, ledger=1, code=n) for n in (1, 2)])
            await book.create_transfers(
                [Transfer(id=7, debit_account_id=1, credit_account_id=2, amount=150, ledger=1,
                          code=3)]
            )  # fmt: skip

    asyncio.run(fill())
    return url


@pytest.fixture
def box() -> Iterator[HSMProcess]:
    with (
        tempfile.TemporaryDirectory(prefix="cch-", dir="/tmp") as home,
        HSMProcess(Path(home) / "hsm") as box,
    ):
        yield box


def test_sound_books_verify_and_changed_books_do_not(url: str) -> None:
    result = RUNNER.invoke(app, ["verify"])
    assert result.exit_code == 0, result.output
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ledger.transfer SET amount = 151")
    result = RUNNER.invoke(app, ["verify"])
    assert result.exit_code == 1
    assert "row_changed" in result.output
    assert TRANSFER in result.output.replace("\n", "")


def test_a_day_is_sealed_and_a_transfer_proved_under_the_seal(
    url: str, box: HSMProcess, tmp_path: Path
) -> None:
    socket = ["--socket", str(box.socket_path)]
    missing = RUNNER.invoke(app, ["seal", "2026-05-01", *socket])
    assert missing.exit_code == 1
    assert "key_unknown" in missing.output
    for expected in ("seal 1", "nothing was booked"):
        result = RUNNER.invoke(app, ["seal", "2026-05-01", "--make-key", *socket])
        assert result.exit_code == 0, result.output
        assert expected in result.output
    assert RUNNER.invoke(app, ["verify", *socket]).exit_code == 0
    proof = tmp_path / "proof.json"
    assert RUNNER.invoke(app, ["prove", TRANSFER, "--out", str(proof)]).exit_code == 0
    holds, shown = check_proof.check(json.loads(proof.read_text()), None)
    assert holds
    assert "under seal 1" in shown
    assert json.loads(RUNNER.invoke(app, ["prove", TRANSFER]).stdout)["version"] == 1


def test_without_a_security_module_nothing_is_sealed(url: str) -> None:
    result = RUNNER.invoke(app, ["seal", "2026-05-01"])
    assert result.exit_code == 1
    assert "security module" in result.output


def test_an_unknown_or_malformed_transfer_is_told(url: str) -> None:
    unknown = RUNNER.invoke(app, ["prove", "99"])
    assert unknown.exit_code == 1
    assert "transfer_unknown" in unknown.output
    assert RUNNER.invoke(app, ["prove", "xyz"]).exit_code == 2


def test_the_trial_balance_is_printed(url: str) -> None:
    result = RUNNER.invoke(app, ["trial-balance"])
    assert result.exit_code == 0
    assert "difference 0" in result.output


@pytest.mark.parametrize(("name", "start"), [("s.csv", b"\xef\xbb\xbf"), ("s.xlsx", b"PK"),
                                             ("s.pdf", b"%PDF")])  # fmt: skip
def test_a_statement_is_written_in_each_form(
    url: str, tmp_path: Path, name: str, start: bytes
) -> None:
    out = tmp_path / name
    result = RUNNER.invoke(app, ["statement", ACCOUNT, "2020-01-01", "2100-01-01", str(out)])
    assert result.exit_code == 0, result.output
    assert out.read_bytes().startswith(start)


def test_a_statement_in_an_unknown_form_is_refused(url: str, tmp_path: Path) -> None:
    arguments = ["statement", ACCOUNT, "2020-01-01", "2100-01-01", str(tmp_path / "s.txt")]
    assert RUNNER.invoke(app, arguments).exit_code == 2
    assert RUNNER.invoke(app, [*arguments, "--form", "csv"]).exit_code == 0


def test_partitions_are_made(url: str) -> None:
    result = RUNNER.invoke(app, ["partitions", "--months-ahead", "1"])
    assert result.exit_code == 0
    assert "made 20" in result.output  # the month to come; this one has rows in the default


def test_installing_again_is_harmless(url: str) -> None:
    assert RUNNER.invoke(app, ["install", "--database-url", url]).exit_code == 0
    assert ledger.schema_files()
