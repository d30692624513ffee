"""Importing versions of prices: atomic, idempotent, reversible, and equal after reloading."""

import json
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, inspect

from scenes.bus import feed_store
from scenes.bus.fare_table import LineConflictError
from scenes.bus.fares import SectionalFares
from scenes.bus.feed_differences import PriceChange
from scenes.bus.feed_rows import FeedInvalidError
from scenes.bus.feed_store import Connection
from scenes.bus.gtfs import read_feed
from scenes.bus.leg_fares import LineUnknownError, Ride
from scenes.bus.service import (
    Imported,
    VersionUnknownError,
    activate_version,
    import_feed,
    import_lines,
    latest_activation_no,
    list_versions,
    load_fare_table,
    preview_feed,
    preview_lines,
)
from scenes.bus.tables import metadata
from tests.scenes.bus.feeds import (
    CNY,
    JPY,
    MINIMAL,
    PRODUCTS,
    minimal,
    real_files,
    with_products,
)

NOW = datetime(2026, 5, 15, tzinfo=UTC)
RULES = "fare_id,route_id,origin_id,destination_id,contains_id\n"
RIDE = Ride(line_id="L1", on_stop="s1", off_stop="s3")
TABLES = sorted(table.name for table in metadata.sorted_tables)


async def import_minimal(connection: Connection, **changed: str | None) -> Imported:
    return await import_feed(
        connection,
        source="demo",
        files=minimal(**changed),
        minor_per_unit=CNY,
        imported_by="op-1",
        at=NOW,
    )


def line_files(**sentences: str) -> dict[str, bytes]:
    return {
        f"{name}.json": json.dumps(
            {
                "name": name,
                "from_stop_zh": "东",
                "to_stop_zh": "西",
                "fare": sentence,
                "stops": [["东", 1], ["西", 16]],
            }
        ).encode()
        for name, sentence in sentences.items()
    }


async def lines_import(connection: Connection, files: dict[str, bytes]) -> Imported:
    return await import_lines(
        connection, source="distance", files=files, imported_by="op-1", at=NOW
    )


async def row_count(connection: Connection) -> int:
    total = 0
    for table in TABLES:
        cursor = await connection.execute(f"SELECT count(*) FROM scene_bus.{table}".encode())
        row = await cursor.fetchone()
        assert row is not None
        total += row[0]
    return total


async def test_an_imported_feed_prices_rides_after_loading(connection: Connection) -> None:
    imported = await import_minimal(connection)
    assert imported.new
    assert imported.differences.lines_added == ("L1", "L2")
    assert imported.differences.price_change_count == 4
    table = await load_fare_table(connection)
    assert table.activation_no == imported.activation_no
    assert table.leg_fare(RIDE).amount_fen == 200


async def test_a_feed_comes_back_as_it_was_written(connection: Connection) -> None:
    changed = {
        "stops": MINIMAL["stops.txt"]
        .replace("zone_id", "zone_id,stop_timezone")
        .replace("z1\n", "z1,Asia/Tokyo\n")
        .replace("z2\n", "z2,\n")
        .replace("z3\n", "z3,\n"),
        "trips": "route_id,service_id,trip_id\nL1,day,t1\nL2,day,t2\nL1,day,t3\n",
        "calendar_dates": "service_id,date,exception_type\nday,20260101,2\nday,20260104,1\n",
    }
    imported = await import_minimal(connection, **changed)
    written = read_feed(minimal(**changed), CNY)
    assert await feed_store.read_feed_version(connection, imported.version_no) == written


async def test_the_real_feed_comes_back_as_it_was_written(
    connection: Connection, test_data: Path
) -> None:
    files = real_files(test_data)
    imported = await import_feed(
        connection, source="donan", files=files, minor_per_unit=JPY, imported_by="op-1", at=NOW
    )
    written = read_feed(files, JPY)
    stored = await feed_store.read_feed_version(connection, imported.version_no)
    assert stored == written
    assert SectionalFares(stored).loop_prices == SectionalFares(written).loop_prices


async def test_a_feed_with_faults_leaves_nothing(connection: Connection) -> None:
    before = await row_count(connection)
    with pytest.raises(FeedInvalidError):
        await import_minimal(connection, fare_rules=RULES + "f9,L1,z1,z2,\n")
    assert await row_count(connection) == before


async def test_a_failure_while_writing_leaves_nothing(connection: Connection) -> None:
    await connection.execute("DROP TABLE scene_bus.fare_rule CASCADE")
    with pytest.raises(psycopg.errors.UndefinedTable):
        await import_minimal(connection)
    cursor = await connection.execute("SELECT count(*) FROM scene_bus.tariff_version")
    assert await cursor.fetchone() == (0,)


async def test_the_same_bytes_are_imported_once(connection: Connection) -> None:
    first = await import_minimal(connection)
    again = await import_minimal(connection)
    assert not again.new
    assert (again.version_no, again.activation_no) == (first.version_no, first.activation_no)
    assert again.differences.none


async def test_a_dry_run_shows_the_differences_and_writes_nothing(connection: Connection) -> None:
    await import_minimal(connection)
    before = await row_count(connection)
    files = minimal(
        stops=MINIMAL["stops.txt"] + "s4,水泉,35,117,z4\n",
        routes="route_id,agency_id,route_short_name,route_type\nL1,A,1路,3\nL3,A,3路,3\n",
        trips="route_id,service_id,trip_id\nL1,day,t1\nL3,day,t2\n",
        fare_rules=RULES + "f1,L1,z1,z2,\nf1,L1,z1,z3,\nf3,L3,,,\n",
    )
    preview = await preview_feed(connection, source="demo", files=files, minor_per_unit=CNY)
    differences = preview.differences
    assert preview.conflicts == ()
    assert differences.lines_added == ("L3",)
    assert differences.lines_removed == ("L2",)
    assert differences.stops_added == ("s4",)
    assert differences.stops_removed == ()
    assert differences.price_change_count == 4
    assert differences.price_changes[0] == PriceChange(
        line_id="L1",
        origin="z1",
        destination="z3",
        contains="",
        before_fen=(200,),
        after_fen=(100,),
    )
    assert await row_count(connection) == before


async def test_the_first_dry_run_of_a_flat_feed_shows_all_as_new(connection: Connection) -> None:
    preview = await preview_feed(
        connection, source="demo", files=minimal(fare_rules=None), minor_per_unit=CNY
    )
    assert preview.differences.rules_changed == ()
    assert preview.differences.price_changes[0].after_fen == (100, 200, 350)


async def test_rules_that_change_are_told_by_name_though_no_price_does(
    connection: Connection,
) -> None:
    await import_feed(
        connection,
        source="demo",
        files=with_products(),
        minor_per_unit=CNY,
        imported_by="op-1",
        at=NOW,
    )
    changed = {
        "fare_transfer_rules": PRODUCTS["fare_transfer_rules.txt"] + "r,t,,,,1,\n",
        "fare_attributes": MINIMAL["fare_attributes.txt"].replace("0,,3600", "0,1,3600"),
        "stop_times": MINIMAL["stop_times.txt"].replace("s3,1\n", "s2,1\n"),
        "stop_areas": PRODUCTS["stop_areas.txt"].replace("outer,s3", "core,s3"),
        "timeframes": PRODUCTS["timeframes.txt"] + "peak,07:00:00,09:00:00,day\n",
    }
    preview = await preview_feed(
        connection, source="demo", files=with_products(**changed), minor_per_unit=CNY
    )
    assert preview.differences.price_change_count == 0
    assert preview.differences.rules_changed == (
        "areas of s3",
        "conditions of f3",
        "stops of L2",
        "timeframe peak",
        "transfer r→t",
    )


async def test_a_dry_run_names_lines_that_another_source_prices(connection: Connection) -> None:
    await import_minimal(connection)
    preview = await preview_feed(connection, source="other", files=minimal(), minor_per_unit=CNY)
    assert preview.conflicts == ("L1", "L2")


async def test_a_feed_read_leniently_is_stored_without_its_loose_ends(
    connection: Connection,
) -> None:
    rules = RULES + "f2,L1,z1,z3,\nf9,L1,z1,z2,\n"
    imported = await import_feed(
        connection,
        source="demo",
        files=minimal(fare_rules=rules),
        minor_per_unit=CNY,
        imported_by="op-1",
        at=NOW,
        lenient=True,
    )
    assert [notice.line for notice in imported.notices] == [3]
    assert (await load_fare_table(connection)).leg_fare(RIDE).amount_fen == 200


async def test_an_earlier_version_comes_back_by_a_new_activation(connection: Connection) -> None:
    first = await import_minimal(connection)
    second = await import_minimal(connection, fare_rules=RULES + "f3,L1,z1,z3,\n")
    assert (await load_fare_table(connection)).leg_fare(RIDE).amount_fen == 350
    third = await activate_version(
        connection, source="demo", version_no=first.version_no, activated_by="op-2", at=NOW
    )
    assert third > second.activation_no
    assert (await load_fare_table(connection)).leg_fare(RIDE).amount_fen == 200
    then = await load_fare_table(connection, activation_no=second.activation_no)
    assert then.leg_fare(RIDE).amount_fen == 350


async def test_a_withdrawn_source_prices_nothing(connection: Connection) -> None:
    await import_minimal(connection)
    await activate_version(connection, source="demo", version_no=None, activated_by="op-2", at=NOW)
    with pytest.raises(LineUnknownError):
        (await load_fare_table(connection)).leg_fare(RIDE)


async def test_a_version_of_another_source_cannot_be_activated(connection: Connection) -> None:
    imported = await import_minimal(connection)
    with pytest.raises(VersionUnknownError):
        await activate_version(
            connection,
            source="other",
            version_no=imported.version_no,
            activated_by="op-2",
            at=NOW,
        )


async def test_two_sources_cannot_price_one_line(connection: Connection) -> None:
    await import_minimal(connection)
    before = await row_count(connection)
    with pytest.raises(LineConflictError):
        await import_feed(
            connection,
            source="other",
            files=minimal(),
            minor_per_unit=CNY,
            imported_by="op-1",
            at=NOW,
        )
    assert await row_count(connection) == before


async def test_distance_lines_stand_beside_a_feed(connection: Connection) -> None:
    await import_minimal(connection)
    files = line_files(快线="单一票制票价20元刷卡12元", 慢线="10公里以内票价2元每增加5公里加价1元")
    imported = await lines_import(connection, files)
    assert imported.differences.lines_added == ("快线(东-西)", "慢线(东-西)")
    table = await load_fare_table(connection)
    ride = Ride(line_id="慢线(东-西)", on_stop="东", off_stop="西")
    assert table.leg_fare(ride).amount_fen == 300
    assert table.leg_fare(RIDE).amount_fen == 200
    changed = await lines_import(connection, line_files(快线="票价15元"))
    assert changed.differences.sentences_changed == ("快线(东-西)",)
    assert changed.differences.lines_removed == ("慢线(东-西)",)
    assert not (await lines_import(connection, files)).new


async def test_the_dry_run_of_lines_writes_nothing(connection: Connection) -> None:
    before = await row_count(connection)
    preview = await preview_lines(connection, source="distance", files=line_files(快线="票价15元"))
    assert preview.differences.lines_added == ("快线(东-西)",)
    assert await row_count(connection) == before


async def test_versions_are_listed_and_the_newest_activation_is_known(
    connection: Connection,
) -> None:
    assert await latest_activation_no(connection) == 0
    first = await import_minimal(connection)
    second = await import_minimal(connection, fare_rules=RULES + "f3,L1,z1,z3,\n")
    listed = await list_versions(connection)
    assert [(row.version_no, row.active) for row in listed] == [
        (second.version_no, True),
        (first.version_no, False),
    ]
    assert (listed[0].source, listed[0].format, listed[0].imported_by) == ("demo", "gtfs", "op-1")
    assert await latest_activation_no(connection) == second.activation_no


async def test_faults_of_all_line_files_are_told_together(connection: Connection) -> None:
    files = line_files(甲="免费", 乙="随意", 丙="票价1元")
    files["丁.json"] = files["丙.json"]
    with pytest.raises(FeedInvalidError) as caught:
        await lines_import(connection, files)
    assert sorted(fault.reason for fault in caught.value.faults) == [
        "duplicate",
        "fare_sentence_unreadable",
        "fare_sentence_unreadable",
    ]


async def test_all_real_distance_lines_are_imported(
    connection: Connection, test_data: Path
) -> None:
    paths = (test_data / "bus/beijing_routes").glob("*.json")
    imported = await lines_import(connection, {path.name: path.read_bytes() for path in paths})
    assert len(imported.differences.lines_added) == 31
    assert len((await load_fare_table(connection)).by_line) == 31


async def test_rows_of_a_version_cannot_be_changed(connection: Connection) -> None:
    await import_minimal(connection)
    with pytest.raises(psycopg.errors.RaiseException):
        await connection.execute("UPDATE scene_bus.fare SET price_fen = 1")


def test_the_tables_are_those_of_the_schema(bus_database_url: str) -> None:
    engine = create_engine(bus_database_url.replace("postgresql:", "postgresql+psycopg:"))
    inspector = inspect(engine)
    assert sorted(inspector.get_table_names("scene_bus")) == TABLES
    for table in metadata.sorted_tables:
        described = {
            column["name"]: (column["nullable"], column["type"].compile(engine.dialect))
            for column in inspector.get_columns(table.name, "scene_bus")
        }
        assert described == {
            column.name: (column.nullable, column.type.compile(engine.dialect))
            for column in table.columns
        }
    engine.dispose()
