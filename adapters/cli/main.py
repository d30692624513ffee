"""``cardcore``: run the city, show it, look after it."""

import json
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console

from adapters.cli import (
    audit,
    bench,
    books,
    bus,
    codes,
    hsm,
    insurance,
    keys,
    ledger,
    operator,
    terminal,
)
from adapters.cli.city import (
    migrate_command,
    run_command,
    serve_command,
    token_command,
    worker_command,
)
from adapters.demo.job import Sources
from adapters.demo.main_job import run_demo

app = typer.Typer(
    name="cardcore",
    help="市民卡统一身份与支付核心 · citizen-card identity and payment core",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def log_beside_the_output() -> None:
    """市民卡统一身份与支付核心 · citizen-card identity and payment core."""
    # Logs go to stderr: stdout is what the command was asked for, and may be read by a program.
    # Asked for at each line, so that a stream closed since then is never written to.
    structlog.configure(logger_factory=lambda *_name: structlog.PrintLogger(sys.stderr))


app.command("run")(run_command)
app.command("serve")(serve_command)
app.command("worker")(worker_command)
app.command("migrate")(migrate_command)
app.command("token")(token_command)
app.add_typer(bench.app, name="bench")
bench.app.command("hsm")(hsm.bench_command)
app.add_typer(hsm.app, name="hsm")
app.add_typer(insurance.app, name="insurance")
app.add_typer(keys.app, name="keys")
app.add_typer(ledger.app, name="ledger")
app.add_typer(codes.app, name="codes")
app.add_typer(bus.app, name="bus")
app.add_typer(terminal.app, name="terminal")
app.add_typer(audit.app, name="audit")
app.add_typer(books.app, name="books")
app.add_typer(operator.app, name="operator")


@app.command()
def demo(
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
    worth = bus.worth_of(currency or [])
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


if __name__ == "__main__":
    app()
