"""The commands by name, each loaded when it is asked for.

A validator's agent or a signature check need not wait for a web server to be loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:  # the library tells of them nowhere else
    from typer._click.core import Command, Context

_CITY: Final = {
    name: f"adapters.cli.city:{name}_command"
    for name in ("run", "serve", "worker", "migrate", "token")
}
_PLACES: Final = {
    **_CITY,
    "demo": "adapters.cli.demo:demo_command",
    **{
        name: f"adapters.cli.{name}:app"
        for name in (
            "bench",
            "hsm",
            "insurance",
            "keys",
            "ledger",
            "codes",
            "bus",
            "terminal",
            "audit",
            "books",
            "operator",
        )
    },
}
"""Where each command is: a module and what of it, a function or the group of a room."""


class Rooms(TyperGroup):
    """The group of all commands."""

    def list_commands(self, ctx: "Context") -> list[str]:
        """Their names, those of the city first."""
        return [*super().list_commands(ctx), *_PLACES]

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":
        """The command of this name, loaded now; None where there is none."""
        place = _PLACES.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = place.partition(":")
        found = getattr(import_module(module), attribute)
        whole = typer.Typer(add_completion=False)
        if isinstance(found, typer.Typer):
            whole.add_typer(found, name=cmd_name)
        else:
            whole.command(cmd_name)(found)
        loaded = typer.main.get_command(whole)
        return loaded.commands[cmd_name] if isinstance(loaded, TyperGroup) else loaded
