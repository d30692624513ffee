"""``cardcore keys``: which keys sign, which wait, until when each is believed."""

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from adapters.database import open_engine
from adapters.embedded_postgres import EmbeddedPostgres
from adapters.first_keys import ISSUER_ID
from adapters.settings import Settings
from adapters.wiring import utc_now
from cardcore.books import transaction
from cardcore.platform.access_epochs import good_epochs
from cardcore.platform.key_epochs import IssuerKeysView, read_keys

app = typer.Typer(no_args_is_help=True, help="Keys of the issuer and of access tokens: list.")

_STATES = {
    "waiting": "待用 waiting",
    "signing": "签发中 signing",
    "believed": "仅验签 believed",
    "ended": "已终止 ended",
}


@app.callback()
def group() -> None:
    """Keep ``list`` a word of its own beside what may come."""


@app.command("list")
def list_command(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the keys as JSON.")] = False,
    database_url: Annotated[
        str | None,
        typer.Option(help="Default: CARDCORE_DATABASE_URL, else the embedded server."),
    ] = None,
) -> None:
    """Show all epochs. They are changed by proposal: see docs/access.md."""
    settings = Settings()
    url = database_url or settings.database_url
    if url is None:
        with EmbeddedPostgres(settings.postgres_home) as server:
            keys, epochs = asyncio.run(_read(server.url()))
    else:
        keys, epochs = asyncio.run(_read(url))
    if as_json:
        shown = {**keys.model_dump(mode="json"), "access_epochs": epochs}
        print(json.dumps(shown, indent=2))  # noqa: T201  (its purpose)
        return
    table = Table("use 用途", "kid", "suite 算法", "state 状态", "signs from 起签", "ends 终止")
    for one in keys.keys:
        begins, ends = (at.isoformat(timespec="seconds") for at in (one.signs_from, one.ends_at))
        table.add_row(one.use, str(one.kid), one.suite, _STATES[one.state], begins, ends)
    console = Console(soft_wrap=True)
    console.print(table)
    console.print(f"access tokens 访问令牌: epoch {epochs[-1]} signs, good {epochs}")


async def _read(url: str) -> tuple[IssuerKeysView, list[int]]:
    async with (
        open_engine(url, connections_max=2) as engine,
        transaction(engine) as (connection, _),
    ):
        now = utc_now()
        keys = await read_keys(connection, ISSUER_ID, now)
        return keys, await good_epochs(connection, now=now)
