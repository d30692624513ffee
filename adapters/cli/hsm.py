"""``cardcore hsm``: run the box, hold its key ceremony, look at its keys and its audit log."""

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from adapters.bench.report import Result, compared, print_report
from adapters.settings import Settings
from hsm_sim.__main__ import main as run_box
from hsm_sim.audit import read_lines, verify_lines
from hsm_sim.ceremony import new_components, parse_component
from hsm_sim.client import HSMClient
from hsm_sim.home import find_socket
from hsm_sim.in_process import InProcessHSM
from hsm_sim.interface import HSM, Algorithm, HSMError, KeyInfo, KeyUsage
from hsm_sim.labels import next_epoch_label
from hsm_sim.process import HSMProcess

app = typer.Typer(no_args_is_help=True, help="The security module: run it, open it, look at it.")

T = TypeVar("T")

Home = Annotated[
    Path | None, typer.Option("--home", help="Folder of the box; default: CARDCORE_HOME/hsm.")
]
Socket = Annotated[
    Path | None,
    typer.Option("--socket", help="Socket of the box; default: CARDCORE_HSM_SOCKET or the home's."),
]

BENCH_CONCURRENCY: Final = 32
BENCH_MESSAGE: Final = b"CC1-S" + bytes(40)  # what one class S code asks to be signed
BENCH_DURATION_S: Final = 5.0
BENCH_QUICK_DURATION_S: Final = 1.0


@app.command()
def serve(
    *,
    home: Home = None,
    socket: Socket = None,
    development: Annotated[
        bool, typer.Option(help="Give a new box unlock files, so that it opens itself.")
    ] = False,
    user: Annotated[
        list[int] | None, typer.Option(help="Further user id that may use keys.")
    ] = None,
    manager: Annotated[
        list[int] | None, typer.Option(help="Further user id that may also make keys.")
    ] = None,
    rate_per_s: Annotated[float, typer.Option(help="Requests a user may make each second.")] = 20e3,
) -> None:
    """Run the box until it is told to stop."""
    arguments = ["--home", str(home or Settings().hsm_home), "--rate-per-s", str(rate_per_s)]
    arguments += ["--development"] if development else []
    arguments += ["--socket", str(socket)] if socket is not None else []
    for option, users in (("--user", user), ("--manager", manager)):
        for one in users or []:
            arguments += [option, str(one)]
    raise typer.Exit(run_box(arguments))


@app.command()
def status(*, home: Home = None, socket: Socket = None) -> None:
    """Say whether the box is there and open; ends with 0 only then (a health check)."""

    async def ask(client: HSMClient) -> bool:
        found = await client.status()
        state = "open" if found.unlocked else "locked" if found.initialised else "new"
        typer.echo(f"{state}, process {found.process_id}, audit key {found.audit_key.hex() or '-'}")
        return found.unlocked

    if not _with_client(home, socket, ask):
        raise typer.Exit(1)


@app.command()
def keys(*, home: Home = None, socket: Socket = None) -> None:
    """List the keys: label, algorithm, usage, public key or check value."""

    async def ask(client: HSMClient) -> list[KeyInfo]:
        return await client.list_keys()

    table = Table("label", "algorithm", "usage", "public key or check value")
    for info in _with_client(home, socket, ask):
        shown = (info.public_key or info.check_value).hex()
        table.add_row(info.label, info.algorithm.value, info.usage.name, shown)
    Console().print(table)


@app.command()
def rotate(
    name: Annotated[str, typer.Argument(help="Name of the key, without an epoch.")],
    algorithm: Annotated[Algorithm, typer.Option(help="Its algorithm.")],
    usage: Annotated[str, typer.Option(help="sign, mac, wrap, derive, card or pin.")],
    *,
    home: Home = None,
    socket: Socket = None,
) -> None:
    """Make the next epoch of a key (or its first); the old ones stay."""

    async def make(client: HSMClient) -> KeyInfo:
        label = next_epoch_label(name, await client.list_keys())
        return await client.generate(label, algorithm, _usage(usage))

    info = _with_client(home, socket, make)
    typer.echo(f"{info.label} {(info.public_key or info.check_value).hex()}")


@app.command()
def components(
    out: Annotated[
        list[Path], typer.Option(help="Three times: where each custodian's component goes.")
    ],
) -> None:
    """Make three components of a new master key, each in a file of its own (mode 0600).

    Give each file to its custodian and remove it here: three files on one machine are one hand.
    """
    made = new_components(secrets.token_bytes)
    if len(set(out)) != len(made):
        raise typer.BadParameter(f"name {len(made)} different files")
    for path, component in zip(out, made, strict=True):
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as problem:
            raise typer.BadParameter(str(problem)) from problem
        with os.fdopen(file, "w", encoding="ascii") as writer:
            writer.write(component.text() + "\n")
        check_value = component.check_value.hex().upper()
        typer.echo(f"custodian {component.custodian}: {path}, check value {check_value}")


@app.command()
def give(
    custodian: Annotated[int, typer.Option(min=1, max=3, help="Which component.")],
    name: Annotated[str, typer.Option(help="Your name, for the audit log.")],
    file: Annotated[
        Path | None, typer.Option(help="Where your component lies; else it is asked for, hidden.")
    ] = None,
    *,
    home: Home = None,
    socket: Socket = None,
) -> None:
    """Give your component of the master key; the third custodian's opens the box."""
    text = file.read_text(encoding="ascii") if file is not None else _ask_for_component()

    async def hand_over(client: HSMClient) -> tuple[int, ...]:
        return await client.give_component(parse_component(custodian, text), name=name)

    missing = _with_client(home, socket, hand_over)
    typer.echo(f"waiting for custodians {missing}" if missing else "the box is open")


@app.command()
def lock(*, home: Home = None, socket: Socket = None) -> None:
    """Make the box forget its master key until three custodians come again."""
    _with_client(home, socket, lambda client: client.lock())
    typer.echo("locked")


@app.command("import")
def import_key(
    label: Annotated[str, typer.Argument(help="Label of the key; must be the block's own.")],
    block: Annotated[Path, typer.Option(help="File with the key block.")],
    transport: Annotated[str, typer.Option(help="Label of the transport key.")],
    *,
    home: Home = None,
    socket: Socket = None,
) -> None:
    """Take in a key from a key block sealed under a transport key."""
    data = block.read_bytes()
    info = _with_client(
        home, socket, lambda client: client.import_key(label, data, transport=transport)
    )
    typer.echo(f"{info.label} {info.algorithm.value} check value {info.check_value.hex()}")


@app.command("verify-audit")
def verify_audit(
    log: Annotated[Path | None, typer.Option(help="An audit log to check without the box.")] = None,
    audit_key: Annotated[
        str, typer.Option(help="The box's audit key, hex; else seals stay unchecked.")
    ] = "",
    *,
    home: Home = None,
    socket: Socket = None,
) -> None:
    """Check the audit log; names the first entry that is wrong or missing."""
    if log is None:
        report = _with_client(home, socket, lambda client: client.verify_audit())
    else:
        key = bytes.fromhex(audit_key) or None
        report = _refusing(lambda: verify_lines(read_lines(log), audit_key=key))
    typer.echo(
        f"{report.head.entry_count} entries in order, {report.sealed_count} of them sealed; "
        f"head {report.head.entry_hash}"
    )


def bench_command(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quick: Annotated[bool, typer.Option(help="Under 45 seconds.")] = False,
) -> None:
    """Signatures per second through the box's process, beside bare ones in this process."""
    duration_s = BENCH_QUICK_DURATION_S if quick else BENCH_DURATION_S
    print_report(asyncio.run(_measure(duration_s)), as_json=as_json)


async def _measure(duration_s: float) -> list[Result]:
    results = []
    home = Path(os.environ.get("TMPDIR", "/tmp")) / f"cardcore-hsm-bench-{secrets.token_hex(4)}"  # noqa: S108  (a random name, mode 0700)
    try:
        with HSMProcess(home, arguments=("--rate-per-s", "1e9")) as process:
            async with HSMClient(process.socket_path, name="bench") as client:
                for algorithm in (Algorithm.ED25519, Algorithm.P256, Algorithm.SM2):
                    results += await _measure_one(client, algorithm, duration_s)
    finally:
        for path in sorted(home.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        home.rmdir()
    return results


async def _measure_one(client: HSM, algorithm: Algorithm, duration_s: float) -> list[Result]:
    name = algorithm.value
    bare = InProcessHSM.in_memory()
    for hsm in (bare, client):
        await hsm.generate(name, algorithm, KeyUsage.SIGN)
    bare_per_s = await _signatures_per_s(bare, name, 1, duration_s)
    one_per_s = await _signatures_per_s(client, name, 1, duration_s)
    many_per_s = await _signatures_per_s(client, name, BENCH_CONCURRENCY, duration_s)
    reference = "signatures in this process"
    return [
        compared(
            f"hsm sign {name}, {how}",
            per_s,
            "1/s",
            reference=reference,
            reference_value=bare_per_s,
        )
        for how, per_s in (
            ("one at a time", one_per_s),
            (f"{BENCH_CONCURRENCY} at once", many_per_s),
        )
    ]


async def _signatures_per_s(hsm: HSM, label: str, concurrency: int, duration_s: float) -> float:
    counted = 0
    began_s = time.perf_counter()
    ends_s = began_s + duration_s

    async def work() -> None:
        nonlocal counted
        while time.perf_counter() < ends_s:
            await hsm.sign(label, BENCH_MESSAGE)
            counted += 1

    await asyncio.gather(*(work() for _ in range(concurrency)))
    return counted / (time.perf_counter() - began_s)


def _usage(text: str) -> KeyUsage:
    try:
        return KeyUsage[text.upper()]
    except KeyError as problem:
        names = ", ".join(str(one.name).lower() for one in KeyUsage)
        raise typer.BadParameter(f"a usage is one of {names}") from problem


def _ask_for_component() -> str:
    return str(typer.prompt("component / check value", hide_input=True))


def _with_client(
    home: Path | None, socket: Path | None, ask: Callable[[HSMClient], Awaitable[T]]
) -> T:
    """Ask something of the running box; a refusal ends the command with its message."""
    settings = Settings()

    async def session() -> T:
        path = socket or (settings.hsm_socket if home is None else None)
        path = path or find_socket(home or settings.hsm_home)
        async with HSMClient(path, name="cardcore hsm") as client:
            return await ask(client)

    return _refusing(lambda: asyncio.run(session()))


def _refusing(work: Callable[[], T]) -> T:
    try:
        return work()
    except (HSMError, OSError) as refusal:
        code = f" ({refusal.code})" if isinstance(refusal, HSMError) else ""
        typer.echo(f"hsm: {refusal}{code}", err=True)
        raise typer.Exit(1) from refusal
