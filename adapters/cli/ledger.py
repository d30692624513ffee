"""``cardcore ledger``: verify the books, prove one transfer, seal a day, print statements."""

import asyncio
import datetime as dt
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeVar

import psycopg
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import ledger as ledger_package
from adapters.embedded_postgres import EmbeddedPostgres
from adapters.settings import Settings
from hsm_sim.client import HSMClient
from hsm_sim.home import find_socket
from hsm_sim.interface import HSM, Algorithm, HSMError, KeyUnknownError, KeyUsage
from ledger import Ledger, LedgerError
from ledger.chart import trial_balance
from ledger.partitions import make_partitions
from ledger.proof import prove
from ledger.seals import seal_day
from ledger.statement_files import to_csv, to_pdf, to_xlsx
from ledger.statements import Statement, read_statement
from ledger.verify import verify

app = typer.Typer(no_args_is_help=True, help="The books: verify, prove, seal, print.")

SEAL_KEY: Final = "ledger-seal"

T = TypeVar("T")

DatabaseURL = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        help="The ledger's database; default: CARDCORE_DATABASE_URL, else the embedded server.",
    ),
]
Socket = Annotated[
    Path | None,
    typer.Option("--socket", help="Socket of the security module; default: the home's."),
]


class Form(StrEnum):
    """How a statement is printed."""

    csv = "csv"
    xlsx = "xlsx"
    pdf = "pdf"


@app.command("verify")
def verify_command(*, database_url: DatabaseURL = None, socket: Socket = None) -> None:
    """Check every row, batch, seal and counter. Exit code 1 names the first that is wrong.

    Signatures of seals are checked where the security module can be reached.
    """
    console = Console(stderr=True)

    async def run(book: Ledger) -> bool:
        with Progress(console=console) as progress:
            task = progress.add_task("核对账本 · verifying", total=None)
            async with _box(socket) as box:
                if box is None:
                    console.print("no security module: signatures of seals are not checked")
                findings = await verify(
                    book,
                    verifier=box,
                    progress=lambda done, total: progress.update(task, completed=done, total=total),
                )
        for finding in findings:
            console.print(f"[bold red]{finding.kind}[/] {finding.message}")
        return not findings

    if not _with_book(database_url, run):
        raise typer.Exit(1)
    console.print("[bold green]ok[/] the books are what was booked")


@app.command("prove")
def prove_command(
    transfer_id: Annotated[str, typer.Argument(help="Id of the transfer, as a UUID or 32 hex.")],
    *,
    out: Annotated[Path | None, typer.Option(help="File for the proof; default: stdout.")] = None,
    database_url: DatabaseURL = None,
) -> None:
    """Write the inclusion proof of one transfer; ``ledger/check_proof.py`` checks it alone."""
    proof = _with_book(database_url, lambda book: prove(book, _id(transfer_id)))
    text = json.dumps(proof, indent=2)
    if out is None:
        sys.stdout.write(text + "\n")
    else:
        out.write_text(text + "\n", encoding="utf-8")


@app.command("seal")
def seal_command(
    day: Annotated[str, typer.Argument(help="Business date, YYYY-MM-DD.")],
    *,
    key: Annotated[str, typer.Option(help="Label of the signing key.")] = SEAL_KEY,
    make_key: Annotated[
        bool, typer.Option("--make-key", help="Make the key (Ed25519) where it is missing.")
    ] = False,
    database_url: DatabaseURL = None,
    socket: Socket = None,
) -> None:
    """Sign everything booked since the last seal."""
    console = Console(stderr=True)

    async def run(book: Ledger) -> None:
        async with _box(socket) as box:
            if box is None:
                console.print("the security module cannot be reached: start it, or set --socket")
                raise typer.Exit(1)
            if make_key:
                await _ensure_key(box, key)
            seal = await seal_day(
                book, box, key_label=key, day=dt.date.fromisoformat(day), now_ns=time.time_ns()
            )
        if seal is None:
            console.print("nothing was booked since the last seal")
        else:
            console.print(f"seal {seal.number} of {seal.day}: {seal.batches} batches")

    _with_book(database_url, run)


@app.command("trial-balance")
def trial_balance_command(*, database_url: DatabaseURL = None) -> None:
    """Counters per ledger and code. Exit code 1 where debits and credits differ."""
    lines = _with_book(database_url, trial_balance)
    table = Table("ledger", "code", "accounts", "debits", "credits", "pending debits",
                  "pending credits")  # fmt: skip
    for line in lines:
        table.add_row(
            *(f"{value:,}" for value in (
                line.ledger, line.code, line.accounts, line.debits_posted, line.credits_posted,
                line.debits_pending, line.credits_pending,
            ))
        )  # fmt: skip
    Console().print(table)
    difference = sum(line.debits_posted - line.credits_posted for line in lines)
    Console().print(f"difference {difference}")
    raise typer.Exit(0 if difference == 0 else 1)


@app.command("statement")
def statement_command(
    account_id: Annotated[str, typer.Argument(help="Id of the account, as a UUID or 32 hex.")],
    from_on: Annotated[str, typer.Argument(help="First business date, YYYY-MM-DD.")],
    to_on: Annotated[str, typer.Argument(help="Last business date, YYYY-MM-DD.")],
    out: Annotated[Path, typer.Argument(help="File to write.")],
    *,
    form: Annotated[Form | None, typer.Option(help="Default: by the file's name.")] = None,
    database_url: DatabaseURL = None,
) -> None:
    """Write the statement of one account as CSV, XLSX or PDF."""
    write: dict[str, Callable[[Statement], bytes]] = {
        "csv": to_csv,
        "xlsx": to_xlsx,
        "pdf": to_pdf,
    }
    chosen = form.value if form is not None else out.suffix.removeprefix(".")
    if chosen not in write:
        raise typer.BadParameter(f"{out}: not .csv, .xlsx or .pdf; say --form")
    statement = _with_book(
        database_url,
        lambda book: read_statement(
            book, _id(account_id), dt.date.fromisoformat(from_on), dt.date.fromisoformat(to_on)
        ),
    )
    out.write_bytes(write[chosen](statement))


@app.command("partitions")
def partitions_command(
    *,
    months_ahead: Annotated[int, typer.Option(min=0, max=60)] = 3,
    database_url: DatabaseURL = None,
) -> None:
    """Make the monthly partitions of this month and those to come. Run it daily."""
    today = dt.datetime.now(tz=dt.UTC).date()
    made = _with_book(
        database_url, lambda book: make_partitions(book, today, months_ahead=months_ahead)
    )
    Console(stderr=True).print(f"made {', '.join(f'{month:%Y-%m}' for month in made) or 'none'}")


@app.command("install")
def install_command(*, database_url: DatabaseURL = None) -> None:
    """Create the schema in a database where the ledger is used alone."""

    async def run(url: str) -> None:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await ledger_package.install(connection)

    with _database(database_url) as url:
        asyncio.run(run(url))


# -- parts ------------------------------------------------------------------------------------


def _with_book(database_url: str | None, use: Callable[[Ledger], Awaitable[T]]) -> T:
    """Open the books, use them, close them; a refusal is told and ends with exit code 1."""

    async def run(url: str) -> T:
        async with await Ledger.open(url) as book:
            return await use(book)

    with _database(database_url) as url:
        try:
            return asyncio.run(run(url))
        except (LedgerError, HSMError) as error:
            Console(stderr=True).print(f"[bold red]{error.code}[/] {error}")
            raise typer.Exit(1) from error


@contextmanager
def _database(database_url: str | None) -> Iterator[str]:
    settings = Settings()
    url = database_url or settings.database_url
    if url is not None:
        yield url
        return
    with EmbeddedPostgres(settings.postgres_home) as server:
        yield server.url()


@asynccontextmanager
async def _box(socket: Path | None) -> AsyncIterator["HSMClient | None"]:
    """The security module, or None where nobody answers."""
    settings = Settings()
    path = socket or settings.hsm_socket or find_socket(settings.hsm_home)
    if not path.exists():
        yield None
        return
    async with HSMClient(path, name="cardcore ledger") as client:
        yield client


async def _ensure_key(box: HSM, label: str) -> None:
    try:
        await box.describe(label)
    except KeyUnknownError:
        await box.generate(label, Algorithm.ED25519, KeyUsage.SIGN)


def _id(text: str) -> int:
    try:
        return int(text.replace("-", ""), 16)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a UUID") from error
