"""``cardcore hsm``: what an operator and three custodians do with a running box."""

import asyncio
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from adapters.cli.hsm import app, bench_command
from hsm_sim import key_block
from hsm_sim.ceremony import combine, parse_component
from hsm_sim.client import HSMClient
from hsm_sim.home import HSMHome
from hsm_sim.interface import Algorithm, KeyUsage
from hsm_sim.keys import BlockKey, load_key
from hsm_sim.process import HSMProcess


def _run(*arguments: str | Path, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments], input=typed)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An open development box."""
    with HSMProcess(tmp_path / "hsm"):
        yield tmp_path / "hsm"


def test_a_key_is_rotated_and_listed(home: Path) -> None:
    arguments = ("rotate", "issuer", "--algorithm", "p256", "--usage", "sign", "--home", home)
    assert _run(*arguments).output.startswith("issuer@1 0")
    assert _run(*arguments).output.startswith("issuer@2 0")
    listed = _run("keys", "--home", home).output
    assert "issuer@1" in listed
    assert "issuer@2" in listed
    wrong = _run("rotate", "x", "--algorithm", "p256", "--usage", "nonsense", "--home", home)
    assert wrong.exit_code == 2
    assert "a usage is one of" in wrong.output


def test_status_is_a_health_check(home: Path, tmp_path: Path) -> None:
    healthy = _run("status", "--home", home)
    assert healthy.exit_code == 0
    assert healthy.output.startswith("open, process ")
    assert _run("lock", "--home", home).output == "locked\n"
    locked = _run("status", "--home", home)
    assert (locked.exit_code, locked.output.split(",")[0]) == (1, "locked")
    absent = _run("status", "--socket", tmp_path / "nobody")
    assert absent.exit_code == 1
    assert "hsm_unavailable" in absent.output


def test_three_custodians_open_a_new_box_from_three_terminals(tmp_path: Path) -> None:
    files = [tmp_path / f"envelope {number}" for number in (1, 2, 3)]
    outs = [part for file in files for part in ("--out", str(file))]
    made = _run("components", *outs)
    assert made.output.count("check value") == 3
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert _run("components", *outs).exit_code == 2  # never over an existing component
    assert _run("components", "--out", files[0]).exit_code == 2
    with HSMProcess(tmp_path / "hsm", development=False) as process:
        give = ("give", "--home", process.home)
        assert _run("status", "--home", process.home).output.startswith("new")
        one = _run(*give, "--custodian", "1", "--name", "李", "--file", files[0])
        assert one.output == "waiting for custodians (2, 3)\n"
        twice = _run(*give, "--custodian", "2", "--name", "李", "--file", files[1])
        assert twice.exit_code == 1
        assert "dual_control" in twice.output
        typed = _run(
            *give, "--custodian", "2", "--name", "王", typed=files[1].read_text(encoding="ascii")
        )
        assert "waiting for custodians (3,)" in typed.output
        assert files[1].read_text(encoding="ascii")[:9] not in typed.output
        last = _run(*give, "--custodian", "3", "--name", "张", "--file", files[2])
        assert last.output == "the box is open\n"


def test_the_audit_log_is_checked_with_and_without_the_box(home: Path, tmp_path: Path) -> None:
    _run("rotate", "issuer", "--algorithm", "ed25519", "--usage", "sign", "--home", home)
    audit_key = _run("status", "--home", home).output.split()[-1]
    assert "entries in order" in _run("verify-audit", "--home", home).output
    _run("lock", "--home", home)
    copy = tmp_path / "copy.log"
    lines = HSMHome(home).audit_path.read_bytes().splitlines(keepends=True)
    copy.write_bytes(b"".join(lines))
    assert "of them sealed" in _run("verify-audit", "--log", copy, "--audit-key", audit_key).output
    copy.write_bytes(b"".join([lines[0], lines[1].replace(b"ok", b"no"), *lines[2:]]))
    broken = _run("verify-audit", "--log", copy)
    assert broken.exit_code == 1
    assert "audit entry 2" in broken.output


async def _load_transport_key(home: Path, value: bytes, components: list[str]) -> None:
    async with HSMClient(HSMHome(home).socket_path()) as client:
        parts = [parse_component(number, text) for number, text in enumerate(components, 1)]
        assert combine(tuple(parts)) == value
        await client.load_components(
            "zmk", Algorithm.AES256, KeyUsage.TRANSPORT, list(zip("abc", parts, strict=True))
        )


def test_a_partners_key_comes_in_by_key_block(home: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"zmk {number}" for number in (1, 2, 3)]
    _run("components", *[part for file in files for part in ("--out", str(file))])
    texts = [file.read_text(encoding="ascii") for file in files]
    value = combine(tuple(parse_component(number, text) for number, text in enumerate(texts, 1)))
    asyncio.run(_load_transport_key(home, value, texts))
    transport = load_key("zmk", Algorithm.AES256, KeyUsage.TRANSPORT, value)
    card_key = load_key("legacy", Algorithm.TDES, KeyUsage.CARD, bytes(range(16)))
    assert isinstance(transport, BlockKey)
    block = tmp_path / "block"
    block.write_bytes(key_block.seal(card_key, transport, secrets.token_bytes))
    arguments = ("--block", block, "--transport", "zmk", "--home", home)
    assert "legacy 3des check value" in _run("import", "legacy", *arguments).output
    again = _run("import", "legacy", *arguments)
    assert again.exit_code == 1
    assert "key_exists" in again.output


def test_serve_passes_everything_on_and_tells_why_it_cannot_run(tmp_path: Path) -> None:
    home = HSMHome(tmp_path / "hsm")
    lock = home.take()
    result = _run(
        "serve", "--home", home.path, "--socket", tmp_path / "s", "--development",
        "--user", "1001", "--manager", "1002", "--rate-per-s", "10",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "another process" in result.output
    os.close(lock)


def test_bench_prints_the_one_shape(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("adapters.cli.hsm.BENCH_QUICK_DURATION_S", 0.2)
    alone = typer.Typer()
    alone.command()(bench_command)
    result = CliRunner().invoke(alone, ["--quick", "--json"])
    assert result.exception is None, result.exception
    report = json.loads(result.stdout)
    assert len(report["results"]) == 6
    assert all(one["value"] > 0 and one["ratio"] > 0 for one in report["results"])
    assert list(tmp_path.iterdir()) == []  # it cleans up after itself


def test_looking_for_a_box_makes_none(tmp_path: Path) -> None:
    assert _run("status", "--home", tmp_path / "nobody").exit_code == 1
    assert list(tmp_path.iterdir()) == []
