"""Writing a version into ``scene_bus`` and reading it back. SQL only, no rules.

Both run on a connection that is given, inside the caller's transaction. A version is written with
COPY and never changed afterwards.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.types.json import Jsonb

from scenes.bus.distance_lines import DistanceLine, Mark
from scenes.bus.feed_rows import FeedFault
from scenes.bus.gtfs_fares_v2 import read_products
from scenes.bus.network import FareAttribute, FareRule, Feed, Line, PatternStop, Stop, Trip
from scenes.bus.service_days import Service

Connection = AsyncConnection[Any]

GTFS = "gtfs"
DISTANCE = "distance"


async def find_version(connection: Connection, source: str, digest: bytes) -> int | None:
    """The version that was imported from the same bytes, if any."""
    cursor = await connection.execute(
        "SELECT version_no FROM scene_bus.tariff_version WHERE source = %s AND digest = %s",
        (source, digest),
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def add_version(
    connection: Connection,
    *,
    source: str,
    kind: str,
    timezone: str,
    digest: bytes,
    notices: Sequence[FeedFault],
    imported_by: str,
    at: datetime,
) -> int:
    """A new, empty version. Returns its number."""
    cursor = await connection.execute(
        "INSERT INTO scene_bus.tariff_version"
        " (source, format, timezone, digest, notices, imported_by, recorded_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING version_no",
        (source, kind, timezone, digest, Jsonb([str(fault) for fault in notices]), imported_by, at),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def write_feed(connection: Connection, version_no: int, feed: Feed) -> None:
    """All rows of a feed's version."""
    tables: dict[str, Iterable[tuple[object, ...]]] = {
        "stop": (
            (
                stop.stop_id,
                stop.name,
                stop.zone_id,
                stop.parent_id,
                stop.location_type,
                stop.timezone,
            )
            for stop in feed.stops.values()
        ),
        "line": (
            (line.line_id, line.name, line.agency_id, line.network_id)
            for line in feed.lines.values()
        ),
        "pattern_stop": (
            (line_id, pattern_no, visit.sequence, visit.stop_id)
            for line_id, patterns in feed.patterns.items()
            for pattern_no, pattern in enumerate(patterns)
            for visit in pattern
        ),
        "trip": (
            (
                trip.trip_id,
                trip.line_id,
                trip.service_id,
                trip.direction,
                trip.pattern_no,
                trip.starts_s,
                trip.ends_s,
            )
            for trip in feed.trips.values()
        ),
        "service": (
            (
                service_id,
                sorted(service.weekdays),
                service.starts_on,
                service.ends_on,
                sorted(service.added),
                sorted(service.removed),
            )
            for service_id, service in feed.services.items()
        ),
        "fare": (
            (
                fare.fare_id,
                fare.price_fen,
                fare.prepaid,
                fare.transfers,
                fare.transfer_duration_s,
                fare.agency_id,
            )
            for fare in feed.fares.values()
        ),
        "fare_rule": (
            (
                rule_no,
                rule.fare_id,
                rule.line_id,
                rule.origin_id,
                rule.destination_id,
                rule.contains_id,
            )
            for rule_no, rule in enumerate(feed.fare_rules)
        ),
    }
    for table, rows in tables.items():
        await _copy(connection, table, version_no, rows)


async def read_feed_version(connection: Connection, version_no: int) -> Feed:
    """The feed of a version, equal to the one that was written (notices aside)."""
    stops = [
        Stop(
            stop_id=row[0],
            name=row[1],
            zone_id=row[2],
            parent_id=row[3],
            location_type=row[4],
            timezone=row[5],
        )
        for row in await _rows(
            connection,
            "stop_id, name, zone_id, parent_id, location_type, timezone",
            "stop",
            version_no,
        )
    ]
    lines = [
        Line(line_id=row[0], name=row[1], agency_id=row[2], network_id=row[3])
        for row in await _rows(
            connection, "line_id, name, agency_id, network_id", "line", version_no
        )
    ]
    trips = await _trips(connection, version_no)
    fares = await _fares(connection, version_no)
    rules = await _rows(
        connection,
        "fare_id, line_id, origin_id, destination_id, contains_id",
        "fare_rule",
        version_no,
        order="rule_no",
    )
    services = await _services(connection, version_no)
    stops_by_id = {stop.stop_id: stop for stop in stops}
    lines_by_id = {line.line_id: line for line in lines}
    files, fen_per_unit = await read_product_files(connection, version_no)
    products = read_products(files, fen_per_unit, stops_by_id, lines_by_id, services)
    return Feed(
        timezone=await _timezone(connection, version_no),
        stops=stops_by_id,
        lines=lines_by_id,
        patterns=await _patterns(connection, version_no, lines, trips),
        trips={trip.trip_id: trip for trip in trips},
        services=services,
        fares={fare.fare_id: fare for fare in fares},
        fare_rules=tuple(FareRule(*row) for row in rules),
        products=products,
        notices=(),
    )


async def write_product_files(
    connection: Connection,
    version_no: int,
    files: Mapping[str, bytes],
    fen_per_unit: Mapping[str, int],
) -> None:
    """The files of the newer fares, verbatim, and what their money was worth."""
    await _copy(connection, "product_file", version_no, files.items())
    await _copy(connection, "currency", version_no, fen_per_unit.items())


async def read_product_files(
    connection: Connection, version_no: int
) -> tuple[dict[str, bytes], dict[str, int]]:
    """The files of the newer fares of a version, and fen per unit of each currency."""
    files = await _rows(connection, "name, content", "product_file", version_no)
    worth = await _rows(connection, "code, minor_per_unit", "currency", version_no)
    return {row[0]: bytes(row[1]) for row in files}, {row[0]: row[1] for row in worth}


async def write_lines(
    connection: Connection, version_no: int, lines: Iterable[DistanceLine]
) -> None:
    """All rows of a version of distance lines."""
    rows = (
        (
            line.line_id,
            line.name,
            line.sentence,
            [mark.stop for mark in line.marks],
            [mark.along_m for mark in line.marks],
        )
        for line in lines
    )
    await _copy(connection, "distance_line", version_no, rows)


async def read_lines(connection: Connection, version_no: int) -> dict[str, DistanceLine]:
    """The distance lines of a version, by line."""
    rows = await _rows(
        connection, "line_id, name, sentence, stops, along_m", "distance_line", version_no
    )
    return {
        row[0]: DistanceLine.of(
            line_id=row[0],
            name=row[1],
            sentence=row[2],
            marks=tuple(Mark(stop, along) for stop, along in zip(row[3], row[4], strict=True)),
        )
        for row in rows
    }


async def lines_priced_twice(connection: Connection, version_nos: Collection[int]) -> list[str]:
    """Lines that more than one of these versions prices."""
    cursor = await connection.execute(
        "SELECT line_id FROM"
        " (SELECT version_no, line_id FROM scene_bus.line"
        "  UNION ALL SELECT version_no, line_id FROM scene_bus.distance_line) AS priced"
        " WHERE version_no = ANY(%s) GROUP BY line_id HAVING count(*) > 1 ORDER BY line_id",
        (list(version_nos),),
    )
    return [str(row[0]) for row in await cursor.fetchall()]


async def lines_of(
    connection: Connection, version_nos: Collection[int], line_ids: Collection[str]
) -> list[str]:
    """Those of these lines that any of these versions prices."""
    cursor = await connection.execute(
        "SELECT DISTINCT line_id FROM"
        " (SELECT version_no, line_id FROM scene_bus.line"
        "  UNION ALL SELECT version_no, line_id FROM scene_bus.distance_line) AS priced"
        " WHERE version_no = ANY(%s) AND line_id = ANY(%s) ORDER BY line_id",
        (list(version_nos), list(line_ids)),
    )
    return [str(row[0]) for row in await cursor.fetchall()]


async def activate(
    connection: Connection, source: str, version_no: int | None, activated_by: str, at: datetime
) -> int:
    """Price a source by a version from now on (None: no longer). Returns the activation."""
    cursor = await connection.execute(
        "INSERT INTO scene_bus.activation (source, version_no, activated_by, recorded_at)"
        " VALUES (%s, %s, %s, %s) RETURNING activation_no",
        (source, version_no, activated_by, at),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def active_versions(
    connection: Connection, activation_no: int | None
) -> tuple[int, dict[str, tuple[int, str]]]:
    """What was active as of an activation (None: now).

    Returns:
        The latest activation seen (0 for none), and by source its version and format.
    """
    cursor = await connection.execute(
        "SELECT DISTINCT ON (source) source, activation_no, version_no, format"
        " FROM scene_bus.activation LEFT JOIN scene_bus.tariff_version USING (source, version_no)"
        " WHERE %(no)s::integer IS NULL OR activation_no <= %(no)s"
        " ORDER BY source, activation_no DESC",
        {"no": activation_no},
    )
    rows = await cursor.fetchall()
    versions = {row[0]: (int(row[2]), str(row[3])) for row in rows if row[2] is not None}
    return max((int(row[1]) for row in rows), default=0), versions


async def _patterns(
    connection: Connection, version_no: int, lines: Iterable[Line], trips: Iterable[Trip]
) -> Mapping[str, tuple[tuple[PatternStop, ...], ...]]:
    visits: dict[tuple[str, int], list[PatternStop]] = defaultdict(list)
    for line_id, pattern_no, sequence, stop_id in await _rows(
        connection,
        "line_id, pattern_no, sequence, stop_id",
        "pattern_stop",
        version_no,
        order="line_id, pattern_no, sequence",
    ):
        visits[line_id, pattern_no].append(PatternStop(sequence, stop_id))
    # A trip without stop times has an empty pattern, which left no row: trips tell how many.
    counts: dict[str, int] = defaultdict(int)
    for trip in trips:
        counts[trip.line_id] = max(counts[trip.line_id], trip.pattern_no + 1)
    return {
        line.line_id: tuple(
            tuple(visits.get((line.line_id, number), ())) for number in range(counts[line.line_id])
        )
        for line in lines
    }


async def _trips(connection: Connection, version_no: int) -> list[Trip]:
    return [
        Trip(
            trip_id=row[0],
            line_id=row[1],
            service_id=row[2],
            direction=row[3],
            pattern_no=row[4],
            starts_s=row[5],
            ends_s=row[6],
        )
        for row in await _rows(
            connection,
            "trip_id, line_id, service_id, direction, pattern_no, starts_s, ends_s",
            "trip",
            version_no,
        )
    ]


async def _fares(connection: Connection, version_no: int) -> list[FareAttribute]:
    return [
        FareAttribute(
            fare_id=row[0],
            price_fen=row[1],
            prepaid=row[2],
            transfers=row[3],
            transfer_duration_s=row[4],
            agency_id=row[5],
        )
        for row in await _rows(
            connection,
            "fare_id, price_fen, prepaid, transfers, transfer_duration_s, agency_id",
            "fare",
            version_no,
        )
    ]


async def _services(connection: Connection, version_no: int) -> dict[str, Service]:
    rows = await _rows(
        connection,
        "service_id, weekdays, starts_on, ends_on, added, removed",
        "service",
        version_no,
    )
    return {
        row[0]: Service(
            weekdays=frozenset(row[1]),
            starts_on=row[2],
            ends_on=row[3],
            added=frozenset(row[4]),
            removed=frozenset(row[5]),
        )
        for row in rows
    }


async def _timezone(connection: Connection, version_no: int) -> str:
    cursor = await connection.execute(
        "SELECT timezone FROM scene_bus.tariff_version WHERE version_no = %s", (version_no,)
    )
    row = await cursor.fetchone()
    assert row is not None
    return str(row[0])


async def _rows(
    connection: Connection, columns: str, table: str, version_no: int, order: str = ""
) -> list[Any]:
    names = columns.split(", ")
    query = sql.SQL("SELECT {columns} FROM {table} WHERE version_no = %s ORDER BY {order}").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, names)),
        table=sql.Identifier("scene_bus", table),
        order=sql.SQL(", ").join(map(sql.Identifier, (order or names[0]).split(", "))),
    )
    cursor = await connection.execute(query, (version_no,))
    return await cursor.fetchall()


async def _copy(
    connection: Connection, table: str, version_no: int, rows: Iterable[tuple[object, ...]]
) -> None:
    query = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier("scene_bus", table))
    async with connection.cursor() as cursor, cursor.copy(query) as copy:
        for row in rows:
            await copy.write_row((version_no, *row))
