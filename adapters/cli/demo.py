"""``cardcore demo``: the main job, once."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from adapters.cli.bus import worth_of
from adapters.demo.job import Sources
from adapters.demo.main_job import run_demo


def demo_command(
    gtfs: Annotated[
        Path | None, typer.Option(help="Folder or ZIP of a GTFS feed; default: the bundled one.")
    ] = None,
    lines: Annotated[
        Path | None,
        typer.Option(help="Folder of distance lines, one JSON file each; default: bundled."),
    ] = None,
    currency: Annotated[
        list[str] | None,
        typer.Option(help="CODE=FEN: what one unit of the feed's currency is worth in fen."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run the main job once: from key ceremony to closed books. Exit code 0 when all is shown."""
    console = Console(stderr=as_json)
    worth = worth_of(currency or [])
    report = run_demo(Sources(gtfs=gtfs, lines=lines, fen_per_unit=worth), console.print)
    if as_json:
        print(json.dumps(report.as_dict(), ensure_ascii=False, indent=2))  # noqa: T201
    else:
        console.print(
            f"trial balance {report.trial_balance_fen} fen · "
            f"custody difference {report.custody_difference_fen} fen · "
            + ("[bold green]ok[/]" if report.ok else "[bold red]failed[/]")
        )
    raise typer.Exit(0 if report.ok else 1)
