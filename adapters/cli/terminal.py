"""``cardcore terminal``: the agent of a bus validator or gate.

Also started as ``python -m adapters.cli.terminal``, which loads nothing of the server: a validator
is back sooner after a power cut.
"""

import json
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from adapters.assertions import refuse_optimised_python
from adapters.terminal.agent import (
    Agent,
    Options,
    PlaceInvalidError,
    SceneNotOfflineError,
    Surroundings,
    open_agent,
)
from adapters.terminal.display import Display
from adapters.terminal.enrolment import EnrolmentError, enrol
from adapters.terminal.home import HomeError, TerminalHome
from adapters.terminal.journal import JournalError
from adapters.terminal.key import KeyUnreadableError
from adapters.terminal.server import (
    Server,
    ServerAwayError,
    ServerRefusedError,
    ServerURLError,
    http_client,
)
from adapters.terminal.status_report import status_of
from codes import Algorithm

app = typer.Typer(
    help="车载验票机与门禁终端 · the agent of a bus validator or gate.", no_args_is_help=True
)

_Home = Annotated[Path, typer.Option("--home", help="Folder of this terminal (mode 0700).")]
_AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_ALGORITHMS = {"ed25519": Algorithm.ED25519, "p256": Algorithm.ES256}
_AMOUNT_FEN_MAX = 10_000_000
_REFUSALS = (
    EnrolmentError,
    HomeError,
    JournalError,
    KeyUnreadableError,
    OSError,
    PlaceInvalidError,
    SceneNotOfflineError,
    ServerAwayError,
    ServerRefusedError,
    ServerURLError,
)


@app.command("enrol")
def enrol_command(
    *,
    server: Annotated[str, typer.Option(help="Where cardcore is served, https://…")],
    terminal: Annotated[str, typer.Option(help="Id of this terminal.")],
    code: Annotated[str, typer.Option(help="Activation code; - reads it from standard input.")],
    home: _Home,
    algorithm: Annotated[str, typer.Option(help="ed25519 or p256.")] = "ed25519",
    ca: Annotated[
        Path | None, typer.Option(help="Certificates to trust instead of the system's (PEM).")
    ] = None,
) -> None:
    """Make this terminal's key and enrol it with an activation code."""
    if algorithm not in _ALGORITHMS:
        raise typer.BadParameter(f"{algorithm!r} is neither ed25519 nor p256")
    typed = sys.stdin.readline() if code == "-" else code
    ca_file = None if ca is None else str(ca.resolve())
    try:
        own = TerminalHome(home)
        with own.locked(), http_client(server, ca_file) as http:
            enrolment = enrol(
                own,
                Server(http),
                server_url=server,
                terminal_id=terminal,
                activation_code=typed,
                algorithm=_ALGORITHMS[algorithm],
                ca_file=ca_file,
            )
    except _REFUSALS as refused:
        _refuse(refused)
    Console().print(
        f"已登记 · enrolled: {enrolment.terminal_id} ({enrolment.scene}), key {enrolment.kid}",
        markup=False,
        highlight=False,
    )


@app.command("run")
def run_command(  # noqa: PLR0913  (one parameter for each option)
    *,
    home: _Home,
    stdin: Annotated[bool, typer.Option("--stdin", help="Scans as lines.")] = False,
    images: Annotated[
        list[Path] | None, typer.Option(help="Picture files, or a folder to watch.", exists=True)
    ] = None,
    http: Annotated[
        int | None, typer.Option(help="POST /scan on 127.0.0.1.", min=0, max=65_535)
    ] = None,
    line: Annotated[str, typer.Option(help="Line of the vehicle.")] = "",
    stop: Annotated[str, typer.Option(help="Stop, where the terminal stands at one.")] = "",
    vehicle: Annotated[str, typer.Option(help="Vehicle.")] = "",
    gate: Annotated[str, typer.Option(help="Gate or door.")] = "",
    amount_fen: Annotated[
        int | None,
        typer.Option(help="The same for everybody, before any fares.", min=0, max=_AMOUNT_FEN_MAX),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never ask the network.")] = False,
    as_json: _AsJSON = False,
    bell: Annotated[bool, typer.Option("--bell", help="Sound the bell.")] = False,
) -> None:
    """Judge scans until the input ends; decides offline, uploads when there is a network."""
    refuse_optimised_python()
    options = Options(
        line_id=line,
        stop_id=stop,
        vehicle_id=vehicle,
        gate_id=gate,
        amount_fen=amount_fen,
        offline=offline,
        stdin=stdin,
        images=tuple(images or ()),
        http_port=http,
    )
    if not (stdin or images or http is not None):
        raise typer.BadParameter("give --stdin, --images or --http")
    display = Display(sys.stdout, as_json=as_json, bell=bell)
    try:
        with open_agent(TerminalHome(home), display, options, Surroundings()) as agent:
            _stop_on_signals(agent)
            agent.run(options)
    except _REFUSALS as refused:
        _refuse(refused)


@app.command("status")
def status_command(*, home: _Home, as_json: _AsJSON = False) -> None:
    """Show enrolment, package, queue and last contact; asks nobody."""
    try:
        status = status_of(TerminalHome(home), int(time.time() * 1000))
    except _REFUSALS as refused:
        _refuse(refused)
    if as_json:
        print(json.dumps(status, ensure_ascii=False, indent=2))  # noqa: T201  (its purpose)
        return
    table = Table(show_header=False)
    for name, value in _flat(status):
        table.add_row(name, value)
    Console().print(table)


@app.command("drain")
def drain_command(*, home: _Home, as_json: _AsJSON = False) -> None:
    """Send what waits, for example before a terminal is taken out of service."""
    display = Display(sys.stdout, as_json=as_json)
    try:
        with open_agent(TerminalHome(home), display, Options(), Surroundings()) as agent:
            assert agent.uplink is not None
            is_empty = agent.uplink.drain()
    except _REFUSALS as refused:
        _refuse(refused)
    raise typer.Exit(0 if is_empty else 1)


def _stop_on_signals(agent: Agent) -> None:
    def stop(_number: int, _frame: object) -> None:
        agent.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _refuse(refused: Exception) -> NoReturn:
    code = getattr(refused, "code", type(refused).__name__)
    console = Console(stderr=True, soft_wrap=True)
    console.print(f"{refused} [{code}]", markup=False, highlight=False)
    raise typer.Exit(1)


def _flat(value: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    rows = []
    for name, one in value.items():
        if isinstance(one, dict):
            rows += _flat(one, f"{before}{name}.")
        else:
            rows.append((before + name, "" if one is None else str(one)))
    return rows


if __name__ == "__main__":
    app()
