"""Importing, comparing, activating and loading the prices of the bus network.

Every call runs on a psycopg connection it is given, in one transaction of its own: an import that
fails leaves nothing. Parsing runs beside the event loop. The loaded table is handed to the pricer.
"""

import asyncio
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from psycopg.types.json import Jsonb

from scenes.bus import feed_store
from scenes.bus.distance_lines import DistanceLine, read_distance_line
from scenes.bus.fare_table import FareTable, LineConflictError, LineFares, fares_of
from scenes.bus.feed_differences import Differences, compare_feeds, compare_lines
from scenes.bus.feed_rows import Faults, FeedFault
from scenes.bus.feed_store import DISTANCE, GTFS, Connection
from scenes.bus.gtfs import read_feed
from scenes.bus.gtfs_fares_v2 import FILES as PRODUCT_FILES
from scenes.bus.network import Feed
from scenes.bus.rule_set import (
    DEFAULT_RULES,
    RuleSet,
    RuleSetInvalidError,
    read_rule_set,
    rule_set_document,
)

IMPORT_LOCK: Final = 0x5CB05  # advisory lock: imports run one after another


class VersionUnknownError(Exception):
    """There is no such version of this source."""

    code: ClassVar[str] = "version_unknown"
    retryable: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did. ``new`` False: the same bytes had been imported before."""

    version_no: int
    activation_no: int
    new: bool
    differences: Differences
    notices: tuple[FeedFault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an import would do. ``conflicts``: lines that another active source prices already."""

    differences: Differences
    notices: tuple[FeedFault, ...]
    conflicts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version, and whether rides are priced by it now."""

    version_no: int
    source: str
    format: str
    imported_by: str
    recorded_at: datetime
    active: bool


async def import_feed(
    connection: Connection,
    *,
    source: str,
    files: Mapping[str, bytes],
    minor_per_unit: Mapping[str, int],
    imported_by: str,
    at: datetime,
    lenient: bool = False,
) -> Imported:
    """Read, check, store and activate a GTFS feed, or leave everything as it was.

    Args:
        connection: any open connection; a transaction (or savepoint) is opened on it.
        source: name of the publisher's feed; the next import under the same name replaces it.
        files: name to bytes.
        minor_per_unit: fen per unit of each currency the feed may use.
        imported_by: operator, for the record.
        at: now, aware UTC.
        lenient: leave out records that refer to nothing or stand twice, each with a notice.

    Raises:
        FeedInvalidError: with every fault.
        LineConflictError: another active source prices one of the lines.
    """
    feed = await asyncio.to_thread(read_feed, files, minor_per_unit, lenient=lenient)
    digest = _digest(files, minor_per_unit)
    async with connection.transaction():
        await _lock(connection)
        before = await _active_feed(connection, source)
        differences = await asyncio.to_thread(compare_feeds, before, feed)
        version_no = await feed_store.find_version(connection, source, digest)
        new = version_no is None
        if version_no is None:
            version_no = await feed_store.add_version(
                connection,
                source=source,
                kind=GTFS,
                timezone=feed.timezone,
                digest=digest,
                notices=feed.notices,
                imported_by=imported_by,
                at=at,
            )
            await feed_store.write_feed(connection, version_no, feed)
            product_files = {name: files[name] for name in PRODUCT_FILES if name in files}
            await feed_store.write_product_files(
                connection, version_no, product_files, minor_per_unit
            )
        activation_no = await _activate(connection, source, version_no, imported_by, at)
    return Imported(
        version_no=version_no,
        activation_no=activation_no,
        new=new,
        differences=differences,
        notices=feed.notices,
    )


async def preview_feed(
    connection: Connection,
    *,
    source: str,
    files: Mapping[str, bytes],
    minor_per_unit: Mapping[str, int],
    lenient: bool = False,
) -> Preview:
    """The dry run of ``import_feed``: what riders would notice. Writes nothing."""
    feed = await asyncio.to_thread(read_feed, files, minor_per_unit, lenient=lenient)
    async with connection.transaction():
        before = await _active_feed(connection, source)
        conflicts = await _conflicts(connection, source, feed.lines)
    return Preview(
        differences=await asyncio.to_thread(compare_feeds, before, feed),
        notices=feed.notices,
        conflicts=conflicts,
    )


async def import_lines(
    connection: Connection,
    *,
    source: str,
    files: Mapping[str, bytes],
    imported_by: str,
    at: datetime,
) -> Imported:
    """As ``import_feed``, for lines priced by a distance sentence (one JSON file each)."""
    lines = await asyncio.to_thread(read_distance_lines, files)
    digest = _digest(files, {})
    async with connection.transaction():
        await _lock(connection)
        before = await _active_lines(connection, source)
        version_no = await feed_store.find_version(connection, source, digest)
        new = version_no is None
        if version_no is None:
            version_no = await feed_store.add_version(
                connection,
                source=source,
                kind=DISTANCE,
                timezone="",
                digest=digest,
                notices=(),
                imported_by=imported_by,
                at=at,
            )
            await feed_store.write_lines(connection, version_no, lines.values())
        activation_no = await _activate(connection, source, version_no, imported_by, at)
    return Imported(
        version_no=version_no,
        activation_no=activation_no,
        new=new,
        differences=compare_lines(before, lines),
        notices=(),
    )


async def preview_lines(
    connection: Connection, *, source: str, files: Mapping[str, bytes]
) -> Preview:
    """The dry run of ``import_lines``. Writes nothing."""
    lines = await asyncio.to_thread(read_distance_lines, files)
    async with connection.transaction():
        before = await _active_lines(connection, source)
        conflicts = await _conflicts(connection, source, lines)
    return Preview(differences=compare_lines(before, lines), notices=(), conflicts=conflicts)


async def activate_version(
    connection: Connection,
    *,
    source: str,
    version_no: int | None,
    activated_by: str,
    at: datetime,
) -> int:
    """Go back to an earlier version of a source, or withdraw it with None.

    Returns:
        The number of the activation.

    Raises:
        VersionUnknownError: the source has no such version.
        LineConflictError: another active source prices one of its lines.
    """
    async with connection.transaction():
        await _lock(connection)
        if version_no is not None:
            cursor = await connection.execute(
                "SELECT 1 FROM scene_bus.tariff_version WHERE source = %s AND version_no = %s",
                (source, version_no),
            )
            if await cursor.fetchone() is None:
                raise VersionUnknownError(f"{source!r} has no version {version_no}")
        return await _activate(connection, source, version_no, activated_by, at)


async def load_fare_table(connection: Connection, *, activation_no: int | None = None) -> FareTable:
    """The prices in force now, or as they were at an earlier activation (for replay)."""
    sources: list[LineFares] = []
    async with connection.transaction():
        latest, versions = await feed_store.active_versions(connection, activation_no)
        for version_no, kind in versions.values():
            if kind == DISTANCE:
                sources += (await feed_store.read_lines(connection, version_no)).values()
            else:
                feed = await feed_store.read_feed_version(connection, version_no)
                sources.append(await asyncio.to_thread(fares_of, feed))
    return FareTable.of(latest, sources)


async def activate_rules(
    connection: Connection, *, document: str | bytes, activated_by: str, at: datetime
) -> RuleSet:
    """Store a rule set and let it hold from now on. The same version again changes nothing.

    Raises:
        RuleSetInvalidError: the document is not a rule set, or its version names other rules.
    """
    rules = read_rule_set(document)
    async with connection.transaction():
        await _lock(connection)
        cursor = await connection.execute(
            "SELECT document FROM scene_bus.rule_set WHERE version = %s", (rules.version,)
        )
        known = await cursor.fetchone()
        if known is not None and read_rule_set(json.dumps(known[0])) != rules:
            raise RuleSetInvalidError([f"version: {rules.version!r} names other rules already"])
        if known is None:
            await connection.execute(
                "INSERT INTO scene_bus.rule_set (version, document, activated_by, recorded_at)"
                " VALUES (%s, %s, %s, %s)",
                (rules.version, Jsonb(rule_set_document(rules)), activated_by, at),
            )
    return rules


async def load_rules(connection: Connection) -> RuleSet:
    """The rules in force: the latest set, or the default one where none was stored."""
    cursor = await connection.execute(
        "SELECT document FROM scene_bus.rule_set ORDER BY rule_set_no DESC LIMIT 1"
    )
    row = await cursor.fetchone()
    return DEFAULT_RULES if row is None else read_rule_set(json.dumps(row[0]))


async def latest_activation_no(connection: Connection) -> int:
    """Number of the newest activation, 0 for none: cheap to ask, to see whether to load anew."""
    cursor = await connection.execute(
        "SELECT coalesce(max(activation_no), 0) FROM scene_bus.activation"
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def prices_version(connection: Connection) -> tuple[int, int]:
    """Numbers of the newest activation and the newest rules: they tell whether to load anew."""
    cursor = await connection.execute(
        "SELECT coalesce((SELECT max(activation_no) FROM scene_bus.activation), 0),"
        " coalesce((SELECT max(rule_set_no) FROM scene_bus.rule_set), 0)"
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


async def list_versions(connection: Connection) -> list[VersionRow]:
    """Every version of every source, newest first."""
    _, active = await feed_store.active_versions(connection, None)
    in_force = {version_no for version_no, _ in active.values()}
    cursor = await connection.execute(
        "SELECT version_no, source, format, imported_by, recorded_at"
        " FROM scene_bus.tariff_version ORDER BY version_no DESC"
    )
    return [
        VersionRow(
            version_no=row[0],
            source=row[1],
            format=row[2],
            imported_by=row[3],
            recorded_at=row[4],
            active=row[0] in in_force,
        )
        for row in await cursor.fetchall()
    ]


def read_distance_lines(files: Mapping[str, bytes]) -> dict[str, DistanceLine]:
    """Read a set of line files. Raises ``FeedInvalidError`` with the faults of all of them."""
    faults = Faults()
    lines: dict[str, DistanceLine] = {}
    for name, content in sorted(files.items()):
        line = read_distance_line(name, content, faults)
        if line is not None and line.line_id in lines:
            faults.add(name, 0, "name", "duplicate", f"{line.line_id!r} stands in two files")
        elif line is not None:
            lines[line.line_id] = line
    faults.raise_if_any()
    return lines


async def _activate(
    connection: Connection, source: str, version_no: int | None, activated_by: str, at: datetime
) -> int:
    """Activate, unless it is active already; refuse a line that two sources would price."""
    latest, versions = await feed_store.active_versions(connection, None)
    current = versions.get(source)
    if (current and current[0]) == version_no:
        return latest
    in_force = {number for name, (number, _) in versions.items() if name != source}
    if version_no is not None:
        in_force.add(version_no)
    twice = await feed_store.lines_priced_twice(connection, in_force)
    if twice:
        raise LineConflictError(twice)
    return await feed_store.activate(connection, source, version_no, activated_by, at)


async def _active_feed(connection: Connection, source: str) -> Feed | None:
    _, versions = await feed_store.active_versions(connection, None)
    version_no, kind = versions.get(source, (0, ""))
    return await feed_store.read_feed_version(connection, version_no) if kind == GTFS else None


async def _active_lines(connection: Connection, source: str) -> dict[str, DistanceLine]:
    _, versions = await feed_store.active_versions(connection, None)
    version_no, kind = versions.get(source, (0, ""))
    return await feed_store.read_lines(connection, version_no) if kind == DISTANCE else {}


async def _conflicts(
    connection: Connection, source: str, line_ids: Collection[str]
) -> tuple[str, ...]:
    """Those of these lines that another active source prices."""
    _, versions = await feed_store.active_versions(connection, None)
    others = [number for name, (number, _) in versions.items() if name != source]
    return tuple(await feed_store.lines_of(connection, others, line_ids))


async def _lock(connection: Connection) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (IMPORT_LOCK,))


def _digest(files: Mapping[str, bytes], minor_per_unit: Mapping[str, int]) -> bytes:
    """What makes two imports the same: every file's bytes and what the money was worth."""
    digest = hashlib.sha256(json.dumps(sorted(minor_per_unit.items())).encode())
    for name, content in sorted(files.items()):
        digest.update(json.dumps([name, len(content)]).encode())
        digest.update(content)
    return digest.digest()
