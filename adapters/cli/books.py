"""``cardcore books``: does the bank hold what it must cover, and are merchants paid?"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Annotated, TypeVar

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
from cardcore.connections import RawConnection
from cardcore.settlement.overview import Overview, read_overview

app = typer.Typer(no_args_is_help=True, help="The books of the city: custody, settlement.")


DatabaseURL = Annotated[
    str | None,
    typer.Option(help="Default: CARDCORE_DATABASE_URL, else the embedded server."),
]
AsJSON = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
ReadT = TypeVar("ReadT")


@app.command("custody")
def custody_command(
    *,
    on: Annotated[
        str, typer.Option(help="Business date, YYYY-MM-DD; default: the last that is over.")
    ] = "",
    as_json: AsJSON = False,
    database_url: DatabaseURL = None,
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
    found = _read(settings, database_url, lambda raw: read_custody(raw, day))
    if as_json:
        shown = found.model_dump(mode="json", exclude={"seal_number", "checked_at"})
        print(json.dumps(shown, indent=2))  # noqa: T201  (its purpose)
    else:
        _tell(found)
    raise typer.Exit(0 if found.ok else 1)


@app.command("settlement")
def settlement_command(
    *,
    windows: Annotated[int, typer.Option(min=1, max=500, help="How many windows.")] = 10,
    as_json: AsJSON = False,
    database_url: DatabaseURL = None,
) -> None:
    """The last windows, and what differs between books. Exit code 1 where people are needed."""
    found = _read(Settings(), database_url, lambda raw: read_overview(raw, windows))
    if as_json:
        print(json.dumps(found.model_dump(mode="json"), indent=2))  # noqa: T201  (its purpose)
    else:
        _tell_settlement(found)
    raise typer.Exit(0 if found.ok else 1)


def _read(
    settings: Settings,
    database_url: str | None,
    read: Callable[[RawConnection], Awaitable[ReadT]],
) -> ReadT:
    async def ask(url: str) -> ReadT:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            return await read(connection)

    url = database_url or settings.database_url
    if url is not None:
        return asyncio.run(ask(url))
    with EmbeddedPostgres(settings.postgres_home) as server:
        return asyncio.run(ask(server.url()))


def _tell_settlement(found: Overview) -> None:
    console = Console(soft_wrap=True)
    table = Table(
        "窗口 window",
        "营业日 date",
        "状态 state",
        "商户 merchants",
        "手续费 fees",
        "付款 payouts",
        "待定 held",
        "拒付 refused",
        "未付 unpaid",
        title="结算 settlement · 分 fen",
    )
    for one in found.windows:
        sums = (one.merchants, one.fees_fen, one.payouts_fen, one.held_fen, one.refused_fen)
        table.add_row(
            str(one.number), str(one.business_on or ""), one.state, *map(str, (*sums, one.unpaid))
        )
    console.print(table)
    for difference in found.differences:
        console.print(
            f"[bold red]{difference.source} {difference.kind}[/] {difference.count}"
            f" · 自 since {difference.since}"
        )
    mark = "[bold green]ok[/]" if found.ok else "[bold red]有待处理 people are waited for[/]"
    console.print(mark)


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
