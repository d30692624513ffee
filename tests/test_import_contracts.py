"""The import contracts hold for the project, and each of them catches what it is there for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGES = ("adapters", "scenes", "cardcore", "ledger", "codes", "hsm_sim")
LINT_IMPORTS = Path(sys.executable).parent / "lint-imports"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts over a tree."""
    return subprocess.run(
        [LINT_IMPORTS],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's packages and contracts."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copy(PROJECT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(
            PROJECT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return folder


def test_the_project_keeps_its_contracts(tree: Path) -> None:
    result = lint(tree)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "forbidden", "contract"),
    [
        ("ledger/wire.py", "cardcore.errors", "One way down"),
        ("ledger/wire.py", "codes.base45", "One way down"),
        ("codes/base45.py", "ledger.events", "One way down"),
        ("hsm_sim/interface.py", "codes.base45", "One way down"),
        ("cardcore/errors.py", "scenes.catalogue", "One way down"),
        ("scenes/bus/pricing.py", "ledger.events", "Scenes reach money"),
        ("scenes/bus/pricing.py", "scenes.community.access", "Scenes never import"),
        ("adapters/http/orders.py", "ledger.events", "HTTP reaches money"),
        ("cardcore/user/people.py", "cardcore.business.orders", "business may call account"),
        ("cardcore/account/funds.py", "cardcore.business.orders", "business may call account"),
        ("codes/base45.py", "psycopg", "codes runs on a validator"),
        ("cardcore/business/quote.py", "psycopg", "Pure rules"),
        ("scenes/bus/fares.py", "random", "Pure rules"),
    ],
)
def test_a_broken_contract_is_caught(
    tree: Path, module: str, forbidden: str, contract: str
) -> None:
    file = tree / module
    sound = file.read_text(encoding="utf-8")
    file.write_text(f"{sound}\nimport {forbidden}\n", encoding="utf-8")
    try:
        result = lint(tree)
    finally:
        file.write_text(sound, encoding="utf-8")
    assert result.returncode != 0
    broken = [line for line in result.stdout.splitlines() if line.rstrip().endswith("BROKEN")]
    assert any(line.startswith(contract) for line in broken), result.stdout
