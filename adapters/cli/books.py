"""``cardcore books``: does the bank hold what it must cover?"""

import asyncio
import json
from datetime import date, timedelta
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from adapters.embedded_postgres import EmbeddedPostgres
from adapters.settings import Settings
from adapters.wiring import utc_now
from cardcore.account.custody import read_custody
from cardcore.account.views import CustodyView
from cardcore.calendar import business_date

app = typer.Typer(no_args_is_help=True, help="The books of the city: custody.")


@app.callback()
def group() -> None:
    """Keep ``custody`` a word of its own beside what may come."""


@app.command("custody")
def custody_command(
    *,
    on: Annotated[
        str, typer.Option(help="Business date, YYYY-MM-DD; default: the last that is over.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    database_url: Annotated[
        str | None,
        typer.Option(help="Default: CARDCORE_DATABASE_URL, else the embedded server."),
    ] = None,
) -> None:
    """What the bank holds against what it must cover. Exit code 1 where they differ."""
    settings = Settings()
    try:
        day = (
            date.fromisoformat(on)
            if on
            else business_date(utc_now(), settings.cut_off) - timedelta(days=1)
        )
    except ValueError:
        raise typer.BadParameter("a date is written YYYY-MM-DD", param_hint="--on") from None
    url = database_url or settings.database_url
    if url is None:
        with EmbeddedPostgres(settings.postgres_home) as server:
            found = asyncio.run(_read(server.url(), day))
    else:
        found = asyncio.run(_read(url, day))
    if as_json:
        shown = found.model_dump(mode="json", exclude={"seal_number", "checked_at"})
        print(json.dumps(shown, indent=2))  # noqa: T201  (its purpose)
    else:
        _tell(found)
    raise typer.Exit(0 if found.ok else 1)


async def _read(database_url: str, on: date) -> CustodyView:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        return await read_custody(connection, on)


def _tell(found: CustodyView) -> None:
    console = Console(soft_wrap=True)
    table = Table("账户 account", "分 fen", title=f"备付金 custody · {found.business_on}")
    for sign, sums in (("+", found.covering), ("−", found.covered)):
        for name, fen in sums.items():
            table.add_row(f"{sign} {name}", str(fen))
    console.print(table)
    for name in found.counters_off:
        console.print(f"[bold red]{name}[/] 账户余额与流水不符 · counters disagree with transfers")
    mark = "[bold green]ok[/]" if found.ok else "[bold red]difference[/]"
    console.print(
        f"{mark} 差额 difference {found.difference_fen} fen · "
        f"试算 trial balance {found.trial_balance_fen} fen"
    )
