"""Commands for the prices of the bus network: import, compare, go back."""

import asyncio
import csv
import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import psycopg
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from adapters.database import migrate
from adapters.embedded_postgres import EmbeddedPostgres
from adapters.feed_files import FeedFilesError, read_feed_files
from adapters.settings import Settings
from adapters.wiring import utc_now
from scenes.bus import service
from scenes.bus.clearing import clear_days
from scenes.bus.clearing_files import FORMS, view_of
from scenes.bus.clearing_models import ClearingQuery
from scenes.bus.clearing_service import read_clearing_rules
from scenes.bus.fare_table import LineConflictError, fares_of
from scenes.bus.feed_differences import Differences
from scenes.bus.feed_prices import price_list, price_patterns
from scenes.bus.feed_rows import FeedFault, FeedInvalidError
from scenes.bus.feed_store import Connection
from scenes.bus.gtfs import read_feed
from scenes.bus.leg_fares import Medium
from scenes.bus.rule_set import RuleSetInvalidError, rule_set_document

app = typer.Typer(help="公交票价 · prices of the bus network", no_args_is_help=True)

_Answer = TypeVar("_Answer")
_SHOWN_MAX = 20
_Source = Annotated[str, typer.Option(help="Name of the source; the next import replaces it.")]
_Operator = Annotated[str, typer.Option("--by", help="Who imports, for the record.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")]


@app.command("import-feed")
def import_feed(
    path: Annotated[Path, typer.Argument(help="Folder or ZIP archive of a GTFS feed.")],
    source: _Source,
    operator: _Operator = "operator",
    currency: Annotated[
        list[str] | None,
        typer.Option(help="CODE=FEN: what one unit of the feed's currency is worth in fen."),
    ] = None,
    *,
    lenient: Annotated[
        bool,
        typer.Option(help="Leave out records that refer to nothing or stand twice; say which."),
    ] = False,
    dry_run: _DryRun = False,
) -> None:
    """Read, check, store and activate a GTFS feed; with --dry-run only compare."""
    worth = worth_of(currency or ["CNY=100"])

    async def work(connection: Connection) -> None:
        files = read_feed_files(path, ".txt")
        if dry_run:
            _show_preview(
                await service.preview_feed(
                    connection, source=source, files=files, minor_per_unit=worth, lenient=lenient
                )
            )
            return
        imported = await service.import_feed(
            connection,
            source=source,
            files=files,
            minor_per_unit=worth,
            imported_by=operator,
            at=utc_now(),
            lenient=lenient,
        )
        _show_imported(imported)

    _run(work)


@app.command("price-feed")
def price_feed(
    path: Annotated[Path, typer.Argument(help="Folder or ZIP archive of a GTFS feed.")],
    currency: Annotated[
        list[str] | None,
        typer.Option(help="CODE=FEN: what one unit of the feed's currency is worth in fen."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write every ride with its price, CSV.")] = None,
    at: Annotated[
        datetime | None, typer.Option(help="Instant of the rides (UTC), where hours matter.")
    ] = None,
    category: Annotated[list[str] | None, typer.Option(help="A class of the rider.")] = None,
    *,
    cash: Annotated[
        bool, typer.Option("--cash", help="Paid in cash, not by card or code.")
    ] = False,
    lenient: Annotated[bool, typer.Option(help="As for import-feed.")] = False,
) -> None:
    """Price every ride a feed allows, without a database: to be compared with what is published."""
    with _refusals():
        feed = read_feed(
            read_feed_files(path, ".txt"), worth_of(currency or ["CNY=100"]), lenient=lenient
        )
    _show_notices(feed.notices)
    rides = price_patterns(
        feed,
        fares_of(feed),
        at=None if at is None else at.replace(tzinfo=UTC),
        medium=Medium.CASH if cash else Medium.CARD,
        categories=frozenset(category or ()),
    )
    bases: Counter[str] = Counter()
    with (out or Path(os.devnull)).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(price_list(rides, bases))
    Console().print("rides: " + ", ".join(f"{name} {bases[name]}" for name in sorted(bases)))


@app.command("import-lines")
def import_lines(
    path: Annotated[Path, typer.Argument(help="Folder or ZIP archive of line files (JSON).")],
    source: _Source,
    operator: _Operator = "operator",
    *,
    dry_run: _DryRun = False,
) -> None:
    """As import-feed, for lines priced by a distance sentence."""

    async def work(connection: Connection) -> None:
        files = read_feed_files(path, ".json")
        if dry_run:
            _show_preview(await service.preview_lines(connection, source=source, files=files))
            return
        imported = await service.import_lines(
            connection, source=source, files=files, imported_by=operator, at=utc_now()
        )
        _show_imported(imported)

    _run(work)


@app.command("versions")
def versions() -> None:
    """List every version of every source; a star marks those in force."""

    async def work(connection: Connection) -> None:
        table = Table("", "version", "source", "format", "by", "imported")
        for row in await service.list_versions(connection):
            table.add_row(
                "*" if row.active else "",
                str(row.version_no),
                row.source,
                row.format,
                row.imported_by,
                f"{row.recorded_at:%Y-%m-%d %H:%M}Z",
            )
        Console().print(table)

    _run(work)


@app.command("activate")
def activate(
    source: Annotated[str, typer.Argument(help="Name of the source.")],
    version: Annotated[
        int | None, typer.Argument(help="Version to go back to; none withdraws the source.")
    ] = None,
    operator: _Operator = "operator",
) -> None:
    """Price a source by an earlier version from now on, or withdraw it."""

    async def work(connection: Connection) -> None:
        activation_no = await service.activate_version(
            connection, source=source, version_no=version, activated_by=operator, at=utc_now()
        )
        Console().print(f"activation {activation_no}")

    _run(work)


@app.command("rules")
def rules(
    document: Annotated[
        Path | None, typer.Argument(help="Rule set to activate (JSON); none shows what holds.")
    ] = None,
    operator: _Operator = "operator",
) -> None:
    """Show or replace the city's own rules: concessions, transfer offers, caps."""

    async def work(connection: Connection) -> None:
        if document is None:
            held = rule_set_document(await service.load_rules(connection))
            print(json.dumps(held, ensure_ascii=False, indent=2))  # noqa: T201  (its purpose)
            return
        text = document.read_bytes()
        taken = await service.activate_rules(
            connection, document=text, activated_by=operator, at=utc_now()
        )
        Console().print(f"rules {taken.version}", markup=False)

    _run(work)


@app.command("clearing")
def clearing(
    from_on: Annotated[str, typer.Argument(help="First business date, YYYY-MM-DD.")],
    to_on: Annotated[str, typer.Argument(help="Last business date; default: the first.")] = "",
    *,
    merchant: Annotated[str | None, typer.Option(help="One operator alone.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a .csv or .xlsx file instead of printing JSON.")
    ] = None,
    language: Annotated[str, typer.Option(help="Of a file: zh or en.")] = "zh",
) -> None:
    """Ticket statistics and the operators' revenue of business dates."""
    form = "" if out is None else out.suffix.removeprefix(".")
    if form and form not in FORMS:
        raise typer.BadParameter("a file ends in .csv or .xlsx", param_hint="--out")
    try:
        query = ClearingQuery.model_validate(
            {
                "from_on": from_on,
                "to_on": to_on or None,
                "merchant_id": merchant,
                "language": language,
            }
        )
    except ValidationError as error:
        raise typer.BadParameter(error.errors()[0]["msg"]) from None

    async def work(connection: Connection) -> None:
        report = await clear_days(
            connection,
            query.from_on,
            query.last_on,
            merchant_id=query.merchant_id,
            rules=await read_clearing_rules(connection),
            cut_off=Settings().cut_off,
        )
        if out is None:
            print(view_of(report).model_dump_json(indent=2))  # noqa: T201  (its purpose)
        else:
            out.write_bytes(FORMS[form](report, query.language))

    _run(work)


def _run(work: Callable[[Connection], Awaitable[_Answer]]) -> _Answer:
    """Do the work on the settings' database; refusals are printed and end with code 1."""
    settings = Settings()
    with _refusals():
        if settings.database_url is not None:
            return asyncio.run(_on(settings.database_url, work))
        with EmbeddedPostgres(settings.postgres_home) as server:
            migrate(server.url())
            return asyncio.run(_on(server.url(), work))


@contextmanager
def _refusals() -> Iterator[None]:
    """Refusals are printed and end with code 1."""
    try:
        yield
    except FeedInvalidError as refused:
        # One fault, one line, however narrow the terminal: other programs read these.
        console = Console(stderr=True, soft_wrap=True)
        for fault in refused.faults:
            console.print(str(fault), markup=False, highlight=False)
        if refused.truncated:
            console.print("… 还有更多 · and more")
        raise typer.Exit(1) from None
    except (
        FeedFilesError,
        LineConflictError,
        RuleSetInvalidError,
        service.VersionUnknownError,
    ) as refused:
        Console(stderr=True, soft_wrap=True).print(f"{refused} [{refused.code}]", markup=False)
        raise typer.Exit(1) from None


async def _on(database_url: str, work: Callable[[Connection], Awaitable[_Answer]]) -> _Answer:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        return await work(connection)


def worth_of(texts: list[str]) -> dict[str, int]:
    """Fen per unit by currency, from ``CODE=FEN`` texts. Raises ``typer.BadParameter``."""
    worth: dict[str, int] = {}
    for text in texts:
        code, _, fen = text.partition("=")
        if not (len(code) == 3 and code.isupper() and fen.isdecimal() and int(fen) > 0):
            raise typer.BadParameter(f"{text!r} is not CODE=FEN, as in CNY=100")
        worth[code] = int(fen)
    return worth


def _show_notices(notices: Sequence[FeedFault]) -> None:
    console = Console(soft_wrap=True)
    for notice in notices[:_SHOWN_MAX]:
        console.print(f"注意 · notice: {notice}", markup=False, highlight=False)
    if len(notices) > _SHOWN_MAX:
        console.print(f"注意 · notices: {len(notices)}", markup=False, highlight=False)


def _show_preview(preview: service.Preview) -> None:
    _show_notices(preview.notices)
    _show_differences(preview.differences)
    if preview.conflicts:
        raise LineConflictError(preview.conflicts)


def _show_imported(imported: service.Imported) -> None:
    console = Console()
    _show_notices(imported.notices)
    _show_differences(imported.differences)
    console.print(
        f"version {imported.version_no}, activation {imported.activation_no}"
        + ("" if imported.new else " (imported before)")
    )


def _show_differences(differences: Differences) -> None:
    console = Console()
    if differences.none:
        console.print("没有变化 · nothing would change")
    for name, keys in (
        ("lines added", differences.lines_added),
        ("lines removed", differences.lines_removed),
        ("stops added", differences.stops_added),
        ("stops removed", differences.stops_removed),
        ("rules changed", differences.rules_changed),
        ("sentences changed", differences.sentences_changed),
    ):
        if keys:
            more = " …" if len(keys) > _SHOWN_MAX else ""
            console.print(
                f"{name}: {len(keys)}: {', '.join(keys[:_SHOWN_MAX])}{more}", markup=False
            )
    if differences.price_change_count:
        console.print(f"prices changed: {differences.price_change_count}")
    for change in differences.price_changes[:_SHOWN_MAX]:
        place = f"{change.line_id} {change.origin}→{change.destination} {change.contains}".strip()
        console.print(
            f"  {place}: {list(change.before_fen)} → {list(change.after_fen)} fen", markup=False
        )
