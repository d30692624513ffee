"""The page a stranger reads says what is true."""

import re
import subprocess
import sys
from pathlib import Path

from ledger import CREATE_ACCOUNT_RESULTS, CREATE_TRANSFER_RESULTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")


def test_the_example_runs_and_prints_what_its_comments_say(
    empty_database_url: str, tmp_path: Path
) -> None:
    [example] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(example, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, script, empty_database_url],
        capture_output=True, text=True, check=False, cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == re.findall(r"print\(.*\)  # (.*)", example)


def test_the_result_names_stand_in_their_order() -> None:
    for heading, names in (
        ("create_accounts", CREATE_ACCOUNT_RESULTS), ("create_transfers", CREATE_TRANSFER_RESULTS),
    ):  # fmt: skip
        [_, section] = PAGE.split(f"### Results of `{heading}`, first applicable first")
        listed = re.findall(r"`(\w+)`", section.split("\n\n")[1])
        assert listed == list(names)
