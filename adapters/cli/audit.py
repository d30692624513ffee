"""``cardcore audit``: check that the audit log is what was written."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Final

import psycopg
import typer
from rich.console import Console

from adapters.embedded_postgres import EmbeddedPostgres
from adapters.settings import Settings
from cardcore import audit
from hsm_sim.client import HSMClient
from hsm_sim.home import find_socket

app = typer.Typer(no_args_is_help=True, help="The audit log: check it.")

_KINDS: Final = {
    "row_missing": "审计行缺失 · an audit row is gone",
    "row_changed": "审计行被改 · an audit row was changed",
    "link_missing": "链环缺失 · a link is gone",
    "head_changed": "链被重做 · the chain was made anew",
    "head_forged": "签名不符 · a head's signature is not of the key",
    "row_unqueued": "审计行绕过封存 · an audit row was put in past the queue",
    "head_unknown": "链头不在链上 · the head noted elsewhere is not in the chain",
}


@app.callback()
def group() -> None:
    """Keep ``verify`` a word of its own beside what may come."""


@app.command("verify")
def verify_command(
    *,
    head: Annotated[
        str, typer.Option(help="A head noted elsewhere, POSITION:DIGEST; it must be in the chain.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    database_url: Annotated[
        str | None,
        typer.Option(help="Default: CARDCORE_DATABASE_URL, else the embedded server."),
    ] = None,
    socket: Annotated[
        Path | None, typer.Option(help="Socket of the security module; default: the home's.")
    ] = None,
) -> None:
    """Recompute the chain of the audit log. Exit code 1 names the first bad row."""
    settings = Settings()
    url = database_url or settings.database_url
    path: Path | None = socket or settings.hsm_socket or find_socket(settings.hsm_home)
    if path is not None and not path.exists():
        path = None
    if url is None:
        with EmbeddedPostgres(settings.postgres_home) as server:
            verdict = asyncio.run(_verify(server.url(), path, head))
    else:
        verdict = asyncio.run(_verify(url, path, head))
    if as_json:
        print(json.dumps(_as_dict(verdict)))  # noqa: T201  (its purpose)
    else:
        _tell(verdict, signatures=path is not None)
    raise typer.Exit(0 if verdict.finding is None else 1)


async def _verify(database_url: str, socket: Path | None, noted: str) -> audit.Verdict:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        if socket is not None:
            async with HSMClient(socket, name="cardcore audit") as box:
                verdict = await audit.verify(connection, box)
        else:
            verdict = await audit.verify(connection, None)
        if verdict.finding is None and noted:
            return await audit.expect_head(connection, verdict, noted)
        return verdict


def _as_dict(verdict: audit.Verdict) -> dict[str, object]:
    found = verdict.finding
    return {
        "ok": found is None,
        "links": verdict.links,
        "head": f"{verdict.links}:{verdict.head}",
        "unsealed": verdict.unsealed,
        "finding": found
        and {"kind": found.kind, "position": found.position, "audit_row": found.seq},
    }


def _tell(verdict: audit.Verdict, *, signatures: bool) -> None:
    console = Console(soft_wrap=True)
    if not signatures:
        console.print("密码机不可达，未验签 · no security module: signatures are not checked")
    found = verdict.finding
    if found is not None:
        console.print(
            f"[bold red]{found.kind}[/] {_KINDS[found.kind]}: "
            f"link {found.position or '-'}, audit row {found.seq or '-'}"
        )
        return
    console.print(
        f"[bold green]ok[/] {verdict.links} links, {verdict.unsealed} rows wait for their seal\n"
        f"head {verdict.links}:{verdict.head}"
    )
