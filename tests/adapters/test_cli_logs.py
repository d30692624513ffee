"""What a command logs never mixes with what it prints."""

import subprocess
import sys

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
