"""The commands of ``cardcore``, each loaded when it is asked for."""

import subprocess
import sys

import pytest
import typer
from typer.core import TyperGroup

from adapters.cli.main import app

HEAVY = ("fastapi", "sqlalchemy", "zxingcpp", "adapters.wiring", "uvicorn")


def test_every_command_that_is_listed_is_there() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    context = typer.Context(group)
    names = group.list_commands(context)
    assert len(names) == len(set(names))
    for name in names:
        found = group.get_command(context, name)
        assert found is not None
        assert found.name == name
        assert found.get_short_help_str(), f"{name} does not say what it does"


@pytest.mark.parametrize("words", [["nothing"], ["codes", "--help"]])
def test_what_is_not_asked_for_is_not_loaded(words: list[str]) -> None:
    """Why: a validator's agent, or a check of a code, should not wait for a web server."""
    program = (
        "import sys\n"
        "from adapters.cli.main import app\n"
        "try:\n"
        f"    app({words!r})\n"
        "finally:\n"
        f"    print([one for one in {HEAVY!r} if one in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
