import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import codes
from adapters.embedded_postgres import running_postmaster
from adapters.infrastructure import Addresses
from tests.adapters import outside_verifier

PROJECT = Path(__file__).parents[2]
CARDCORE = Path(sys.executable).parent / "cardcore"


def cardcore(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, from the project's folder."""
    return subprocess.run(
        [CARDCORE, *arguments],
        cwd=PROJECT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_report(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What an outside reader relies on; returns the steps by name."""
    assert report["ok"] is True
    assert report["trial_balance_fen"] == 0
    assert report["custody_difference_fen"] == 0
    assert all(step["ok"] and step["ms"] >= 0 for step in report["steps"])
    steps = {step["name"]: step for step in report["steps"]}
    assert steps["bus_orders"]["fen_per_payer"]["finance_bureau"] > 0
    assert steps["refusals"]["replayed"] == "code_replayed"
    assert steps["refusals"]["bit_flipped"] == "code_invalid"
    assert steps["refusals"]["expired"] == "code_expired"
    assert steps["explain"]["ledger_transfers"] > 0
    return steps


@pytest.fixture(scope="module")
def demo_report() -> dict[str, Any]:
    result = cardcore("demo", "--json")
    assert result.returncode == 0, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_the_demo_shows_the_main_job_and_its_codes_verify_elsewhere(
    demo_report: dict[str, Any],
) -> None:
    report = demo_report
    check_report(report)
    ring = codes.KeyRing.from_json(json.dumps(report["key_ring"]))
    policy = codes.Policy(scope=codes.Scope.BUS, place_ids=())
    assert {code["holder"] for code in report["codes"]} >= {"adult", "senior", "student"}
    for code in report["codes"]:
        issued_at_s = codes.decode(code["text"]).issued_at_s  # type: ignore[union-attr]
        accepted = codes.verify(code["text"], ring, None, policy, issued_at_s, None)
        assert accepted.code_class.name == code["code_class"]


def test_another_house_checks_the_demos_codes_by_the_published_layout(
    demo_report: dict[str, Any],
) -> None:
    assert {"ok", "steps", "trial_balance_fen", "custody_difference_fen", "codes"} <= set(
        demo_report
    )
    for code in demo_report["codes"]:
        seen = outside_verifier.check(code["text"], code["key_ring"])
        assert datetime.fromtimestamp(seen.issued_at_s, UTC) == datetime.fromisoformat(
            code["issued_at"]
        ).replace(microsecond=0)
        assert seen.scope == 0b10001  # bus and community
        assert seen.ttl_s == 30
        last = code["text"][-1]
        altered = code["text"][:-1] + ("0" if last != "0" else "1")
        assert outside_verifier.refuses(altered, code["key_ring"])


def test_the_demo_runs_on_a_real_feed(test_data: Path) -> None:
    result = cardcore(
        "demo",
        "--json",
        "--gtfs",
        test_data / "bus" / "donan_gtfs",
        "--lines",
        test_data / "bus" / "beijing_routes",
    )
    assert result.returncode == 0, result.stderr
    steps = check_report(json.loads(result.stdout))
    assert steps["import_network"]["fare_rules"] == 64_977
    assert steps["import_network"]["distance_lines"] == 31


def test_a_broken_feed_ends_the_demo_with_file_line_and_reason(tmp_path: Path) -> None:
    feed = tmp_path / "feed"
    feed.mkdir()
    for source in (PROJECT / "adapters" / "demo_feed" / "gtfs").iterdir():
        feed.joinpath(source.name).write_bytes(source.read_bytes())
    fares = (feed / "fare_attributes.txt").read_text(encoding="utf-8").replace("2.00", "two", 1)
    (feed / "fare_attributes.txt").write_text(fares, encoding="utf-8")
    result = cardcore("demo", "--json", "--gtfs", feed)
    assert result.returncode == 1
    report = json.loads(result.stdout)
    assert report["ok"] is False
    failed = report["steps"][-1]
    assert failed["name"] == "import_network"
    assert "fare_attributes.txt:3" in failed["error"]
    assert "price" in failed["error"]


@pytest.fixture(scope="module")
def running_city() -> Iterator[tuple[str, dict[str, str]]]:
    """``cardcore run`` as a user starts it; gives what it printed, and its settings."""
    with tempfile.TemporaryDirectory(prefix="ccr-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        settings = {"CARDCORE_HOME": f"{folder}/home", "CARDCORE_PORT": str(free_port())}
        process = subprocess.Popen(
            [CARDCORE, "run"],
            cwd=PROJECT,
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            printed.append(line)
            if line.startswith("Ctrl-C"):
                break
        yield "".join(printed), settings
        process.send_signal(signal.SIGINT)
        stopped = process.wait(timeout=60)
        process.stdout.close()
        assert stopped in (0, 128 + signal.SIGINT)
        assert running_postmaster(Path(folder) / "home" / "postgres" / "data") is None


def test_the_lines_that_run_prints_work_when_pasted(
    running_city: tuple[str, dict[str, str]],
) -> None:
    printed, settings = running_city
    lines = [line for line in printed.splitlines() if line.startswith("  ")]
    assert lines[0].strip().startswith("TOKEN=")
    pasted = subprocess.run(
        ["bash", "-eu", "-o", "pipefail"],
        input="\n".join(lines),
        cwd=PROJECT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert pasted.returncode == 0, pasted.stderr
    explained = json.loads(re.search(r"^\{\n.*?^\}", pasted.stdout, re.DOTALL | re.MULTILINE)[0])  # type: ignore[index]
    assert explained["explained_fen"] == explained["nominal_fen"] > 0
    assert '"trial_balance_fen": 0' in pasted.stdout
    assert '"custody_difference_fen": 0' in pasted.stdout


def test_a_taken_port_is_named(running_city: tuple[str, dict[str, str]]) -> None:
    with tempfile.TemporaryDirectory(prefix="ccr-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        port = running_city[1]["CARDCORE_PORT"]
        result = cardcore("run", CARDCORE_HOME=f"{folder}/home", CARDCORE_PORT=port)
        assert not Path(folder, "home").exists()  # nothing was begun
    assert result.returncode == 1
    assert port in result.stdout
    assert "CARDCORE_PORT" in result.stdout


def test_an_unknown_client_gets_no_token_but_the_list() -> None:
    result = cardcore("token", "nobody")
    assert result.returncode == 2
    assert "card-centre" in result.stderr


@pytest.mark.parametrize("command", [("serve",), ("worker", "--once")])
def test_a_part_for_a_container_says_what_it_needs(command: tuple[str, ...]) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("CARDCORE_")
    }
    result = subprocess.run(
        [CARDCORE, *command], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "CARDCORE_DATABASE_URL" in result.stderr


def test_the_worker_does_a_round_and_ends(city_addresses: Addresses, tmp_path: Path) -> None:
    result = cardcore(
        "worker",
        "--once",
        CARDCORE_DATABASE_URL=city_addresses.database_url,
        CARDCORE_HSM_SOCKET=str(city_addresses.hsm_socket),
        # With all partners that are simulated: a channel, a bank, the insurer.
        CARDCORE_SANDBOX="true",
        CARDCORE_HOME=str(tmp_path),
    )
    assert result.returncode == 0, result.stderr
    for duty in ("forget_and_release", "seal_audit_log", "settle_windows", "compare_books"):
        assert duty in result.stderr


def test_migrate_names_the_versions(empty_database_url: str) -> None:
    result = cardcore("migrate", CARDCORE_DATABASE_URL=empty_database_url)
    assert result.returncode == 0, result.stderr
    assert "empty →" in result.stdout


def test_python_without_assertions_is_refused() -> None:
    """Why: assertions guard money."""
    result = subprocess.run(
        [sys.executable, "-O", "-m", "adapters.cli.main", "run"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "python -O" in result.stderr
