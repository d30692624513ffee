"""The audit log shows what was done to it, also by those who may do anything to the database.

The DBA of these tests is a superuser who switches triggers off.
"""

import asyncio
import json

import psycopg
import pytest
from typer.testing import CliRunner, Result

from adapters.cli.main import app
from adapters.infrastructure import Addresses
from adapters.wiring import City
from cardcore import audit
from cardcore.audit import Verdict
from cardcore.books import transaction
from tests.conftest import CityClock

ROWS = 5


@pytest.fixture(autouse=True)
async def sealed(city: City, city_clock: CityClock) -> None:
    """Five rows in two seals."""
    for number in range(1, ROWS + 1):
        await act(city, city_clock, f"client/{number}")
        if number == 3:
            assert await seal(city, city_clock) >= 3
    assert await seal(city, city_clock) == 2


async def act(city: City, clock: CityClock, subject: str) -> None:
    async with transaction(city.engine) as (connection, _):
        await audit.record(
            connection,
            actor="operator:zhang",
            action="client.revoke",
            subject=subject,
            outcome="done",
            now=clock.now,
            purpose="终端被盗",
        )


async def seal(city: City, clock: CityClock) -> int:
    async with transaction(city.engine) as (_, raw):
        return await audit.seal(raw, city.hsm, now=clock.now)


async def verdict(city: City) -> Verdict:
    async with transaction(city.engine) as (_, raw):
        return await audit.verify(raw, city.hsm)


async def by_hand(city: City, *statements: str) -> None:
    """A superuser with triggers switched off."""
    async with city.pool.connection() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            await connection.execute(statement.encode())


async def found(city: City) -> tuple[str, int | None, int | None] | None:
    finding = (await verdict(city)).finding
    return None if finding is None else (finding.kind, finding.position, finding.seq)


async def seq_of(city: City, subject: str) -> int:
    async with city.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT seq FROM cardcore.audit_event WHERE object = %s", (subject,)
        )
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def position_of(city: City, seq: int) -> int:
    async with city.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT position FROM cardcore.audit_link WHERE seq = %s", (seq,)
        )
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def test_an_untouched_log_is_whole(city: City, city_clock: CityClock) -> None:
    whole = await verdict(city)
    assert (whole.finding, whole.unsealed) == (None, 0)
    assert whole.links >= ROWS
    await act(city, city_clock, "client/6")
    assert (await verdict(city)).unsealed == 1
    assert await seal(city, city_clock) == 1
    assert (await verdict(city)).links == whole.links + 1
    assert await seal(city, city_clock) == 0


@pytest.mark.parametrize(
    "change",
    [
        "outcome = 'refused'",
        "client_id = 'operator:li'",
        "purpose = ''",
        "action = 'client.read'",
        "object = 'client/9'",
        "recorded_at = recorded_at + interval '1 microsecond'",
    ],
)
async def test_row_39_an_edited_row_is_named(city: City, change: str) -> None:
    seq = await seq_of(city, "client/2")
    position = await position_of(city, seq)
    await by_hand(city, f"UPDATE cardcore.audit_event SET {change} WHERE seq = {seq}")
    assert await found(city) == ("row_changed", position, seq)


async def test_row_39_a_deleted_row_is_named(city: City) -> None:
    seq = await seq_of(city, "client/4")
    position = await position_of(city, seq)
    await by_hand(city, f"DELETE FROM cardcore.audit_event WHERE seq = {seq}")
    assert await found(city) == ("row_missing", position, seq)


async def test_a_row_deleted_with_its_link_leaves_a_gap(city: City) -> None:
    seq = await seq_of(city, "client/2")
    position = await position_of(city, seq)
    await by_hand(
        city,
        f"DELETE FROM cardcore.audit_event WHERE seq = {seq}",
        f"DELETE FROM cardcore.audit_link WHERE seq = {seq}",
    )
    assert await found(city) == ("link_missing", position, None)


async def test_the_end_cannot_be_cut_off_while_its_head_stands(city: City) -> None:
    last = await seq_of(city, "client/5")
    position = await position_of(city, last)
    await by_hand(
        city,
        f"DELETE FROM cardcore.audit_event WHERE seq = {last}",
        f"DELETE FROM cardcore.audit_link WHERE seq = {last}",
    )
    assert await found(city) == ("link_missing", position, None)


async def rewrite(city: City, subject: str) -> int:
    """Edit a row and make all links anew from there, as one may who knows the rules."""
    seq = await seq_of(city, subject)
    async with city.pool.connection() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(
            "UPDATE cardcore.audit_event SET outcome = 'x' WHERE seq = %s", (seq,)
        )
        cursor = await connection.execute(
            "SELECT l.position, e.seq, e.recorded_at, client_id, action, object, outcome, purpose"
            " FROM cardcore.audit_link l JOIN cardcore.audit_event e USING (seq) ORDER BY 1"
        )
        digest = audit.GENESIS
        for position, *row in await cursor.fetchall():
            digest = audit.link_digest(digest, tuple(row))
            await connection.execute(
                "UPDATE cardcore.audit_link SET digest = %s WHERE position = %s",
                (digest, position),
            )
    return seq


async def test_a_chain_made_anew_is_not_the_one_that_was_signed(city: City) -> None:
    seq = await rewrite(city, "client/5")
    assert await found(city) == ("head_changed", await position_of(city, seq), seq)


async def test_a_head_without_the_key_is_a_forgery(city: City) -> None:
    """Why: whoever edits rows, links and heads still cannot sign."""
    seq = await rewrite(city, "client/5")
    await by_hand(
        city,
        "UPDATE cardcore.audit_head h SET digest = l.digest FROM cardcore.audit_link l"
        " WHERE l.position = h.position",
    )
    assert await found(city) == ("head_forged", await position_of(city, seq), seq)


async def test_a_row_slipped_in_past_the_queue_is_named(city: City) -> None:
    await by_hand(
        city,
        "INSERT INTO cardcore.audit_event (recorded_at, client_id, action, object, outcome)"
        " VALUES (now(), 'operator:li', 'client.revoke', 'client/7', 'done')",
    )
    seq = await seq_of(city, "client/7")
    assert await found(city) == ("row_unqueued", None, seq)


async def test_a_row_taken_away_before_its_seal_is_missed(
    city: City, city_clock: CityClock
) -> None:
    await act(city, city_clock, "client/8")
    seq = await seq_of(city, "client/8")
    await by_hand(city, f"DELETE FROM cardcore.audit_event WHERE seq = {seq}")
    assert await found(city) == ("row_missing", None, seq)
    assert await seal(city, city_clock) == 0
    assert await found(city) == ("row_missing", None, seq)


async def test_rows_are_linked_whatever_the_order_of_their_commits(
    city: City, city_clock: CityClock
) -> None:
    """How: a row with a lower number commits after one with a higher was sealed."""
    async with city.pool.connection() as slow:
        await slow.execute(
            "INSERT INTO cardcore.audit_event (recorded_at, client_id, action, object, outcome)"
            " VALUES (now(), 'operator:li', 'client.revoke', 'client/slow', 'done')"
        )
        await act(city, city_clock, "client/quick")
        assert await seal(city, city_clock) == 1
    assert await seal(city, city_clock) == 1
    assert await seq_of(city, "client/slow") < await seq_of(city, "client/quick")
    assert await found(city) is None


@pytest.mark.parametrize("statement", ["DELETE FROM", "TRUNCATE", "UPDATE"])
@pytest.mark.parametrize("table", ["audit_event", "audit_link", "audit_head"])
async def test_the_log_refuses_changes(city: City, table: str, statement: str) -> None:
    column = "outcome = outcome" if table == "audit_event" else "digest = digest"
    change = f" SET {column}" if statement == "UPDATE" else ""
    with pytest.raises(psycopg.errors.RaiseException, match="rows are only ever added"):
        async with city.pool.connection() as connection:
            await connection.execute(f"{statement} cardcore.{table}{change}".encode())


async def test_row_39_the_command_names_the_bad_row(
    city: City, city_addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARDCORE_DATABASE_URL", city_addresses.database_url)
    monkeypatch.setenv("CARDCORE_HSM_SOCKET", str(city_addresses.hsm_socket))
    whole = await run("--json")
    assert whole.exit_code == 0, whole.output
    head = json.loads(whole.output)["head"]
    assert (await run("--head", head)).exit_code == 0
    assert "head_unknown" in (await run("--head", "1:00")).output
    assert (await run("--head", "one:00")).exit_code == 1
    seq = await seq_of(city, "client/1")
    await by_hand(city, f"UPDATE cardcore.audit_event SET outcome = 'x' WHERE seq = {seq}")
    bad = await run()
    assert bad.exit_code == 1
    assert f"audit row {seq}" in bad.output
    monkeypatch.setenv("CARDCORE_HSM_SOCKET", "/nonexistent/hsm.sock")
    assert "signatures are not checked" in (await run()).output


async def run(*options: str) -> Result:
    """The command, in a thread of its own: it brings its own event loop."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["audit", "verify", *options]))
