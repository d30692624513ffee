"""``cardcore bench <name>``: figures beside a reference of the same run."""

import importlib
import importlib.util
from typing import Annotated, Any

import typer

from adapters.bench import bus as bus_bench
from adapters.bench import hospital as hospital_bench
from adapters.bench import ledger as ledger_bench
from adapters.bench import orders as orders_bench
from adapters.bench import records as records_bench
from adapters.bench import terminal as terminal_bench
from adapters.bench import verify as verify_bench
from adapters.bench.report import print_report
from adapters.cli import hsm

app = typer.Typer(help="Measure, always beside a reference of the same run.", no_args_is_help=True)
app.command("hsm")(hsm.bench_command)

Quick = Annotated[bool, typer.Option("--quick", help="A shorter run, under 45 seconds.")]
AsJSON = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


@app.command()
def orders(*, quick: Quick = False, as_json: AsJSON = False) -> None:
    """Whole orders per second, in process and over HTTP."""
    print_report(orders_bench.run(quick=quick), as_json=as_json)


@app.command()
def hospital(*, quick: Quick = False, as_json: AsJSON = False) -> None:
    """Registrations and payments of 32 counters, and a day's three books compared."""
    print_report(hospital_bench.run(quick=quick), as_json=as_json)


@app.command()
def ledger(*, quick: Quick = False, as_json: AsJSON = False) -> None:
    """Transfers per second in every shape, beside pgbench on the same server."""
    print_report(ledger_bench.run(quick=quick), as_json=as_json)


@app.command()
def records(*, quick: Quick = False, as_json: AsJSON = False) -> None:
    """Off-line records uploaded per second, beside the bare check of their two signatures."""
    print_report(records_bench.run(quick=quick), as_json=as_json)


@app.command()
def bus(
    *,
    quick: Quick = False,
    taps: Annotated[
        list[int] | None,
        typer.Option(
            min=1_000, max=5_000_000, help="Size of a day instead of the usual ones; repeatable."
        ),
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """A city's day of bus taps: taken in, priced, booked and cleared."""
    print_report(bus_bench.run(quick=quick, taps=taps or ()), as_json=as_json)


@app.command()
def verify(*, quick: Quick = False, as_json: AsJSON = False) -> None:
    """Codes verified per second, beside the bare signature check of the same library."""
    print_report(verify_bench.run(quick=quick), as_json=as_json)


@app.command()
def terminal(*, quick: Quick = False, as_json: AsJSON = False) -> None:
    """What one accepted scan costs a validator, beside a bare write to the same disk."""
    print_report(terminal_bench.run(quick=quick), as_json=as_json)


@app.command()
def gate(*, quick: Quick = False, as_json: AsJSON = False) -> None:
    """What the gate page does in a second, in headless Chromium; its verifier beside Python's."""
    print_report(_of_browser("gate").run(quick=quick), as_json=as_json)


@app.command()
def pages(*, quick: Quick = False, as_json: AsJSON = False) -> None:
    """From opening the citizen's page to the code on the screen, in headless Chromium."""
    print_report(_of_browser("pages").run(quick=quick), as_json=as_json)


def _of_browser(name: str) -> Any:  # noqa: ANN401  (a module)
    """A benchmark in a browser. Playwright is no part of a running city: loaded here alone."""
    if importlib.util.find_spec("playwright") is None:
        typer.echo("this benchmark needs the development environment of `make setup`", err=True)
        raise typer.Exit(2)
    return importlib.import_module(f"adapters.bench.{name}")
