"""What a command logs never mixes with what it prints."""

import subprocess
import sys

import pytest
import structlog
from typer.testing import CliRunner

from adapters.cli.main import app

PROGRAM = """
import structlog
from adapters.cli.main import app

@app.command("probe")
def probe() -> None:
    structlog.get_logger("probe").info("logged")
    print("printed")

app(["probe"])
"""


def test_logs_go_to_stderr_and_leave_stdout_to_the_answer() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout == "printed\n"
    assert "logged" in done.stderr


def test_a_log_of_a_later_command_goes_to_the_stderr_of_its_own_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configured = structlog.get_config()
    try:
        CliRunner().invoke(app, ["audit", "--help"])
        structlog.get_logger("probe").info("said_later")
    finally:
        structlog.configure(**configured)
    assert "said_later" in capsys.readouterr().err
