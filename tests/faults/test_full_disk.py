"""Row 11 of the faults: the volume of the database, or of the logs, is full."""

import errno
import io
from uuid import uuid4

import httpx2
import pytest

from adapters.demo_city import BUS_MERCHANT
from adapters.settings import Settings
from adapters.wiring import City, make_api
from cardcore.account.request import TopUpRequest
from cardcore.business.request import RefundRequest
from cardcore.errors import ServiceUnavailableError
from tests.adapters.http.conftest import an_order, make_face
from tests.city_life import CENTRE, FLAT_FARE_FEN, VALIDATOR, Life
from tests.conftest import CityClock

# What PostgreSQL says when it cannot extend a file, on every table that is written.
FILL = """
CREATE FUNCTION public.disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
END $$;
DO $$
DECLARE one record;
BEGIN
    FOR one IN SELECT schemaname, tablename FROM pg_tables
                WHERE schemaname IN ('cardcore', 'ledger', 'codes') LOOP
        EXECUTE format('CREATE TRIGGER aa_disk_is_full BEFORE INSERT OR UPDATE ON %I.%I'
                       ' FOR EACH STATEMENT EXECUTE FUNCTION public.disk_is_full()',
                       one.schemaname, one.tablename);
    END LOOP;
END $$;
"""
FREE = "DROP FUNCTION public.disk_is_full() CASCADE"


@pytest.fixture
def life(city: City, city_clock: CityClock) -> Life:
    return Life(city, city_clock)


async def test_row_11_writes_are_503_reads_live_and_nothing_is_left_half(
    life: Life, city_clock: CityClock, city_settings: Settings
) -> None:
    """How: every write is refused with the database's own condition ``disk_full``."""
    core, pool = life.city.core, life.city.pool
    user_id = await life.person(balance_fen=5_000)
    paid = await life.pay(user_id)
    ride = life.ride(await life.code(user_id))
    refund = RefundRequest(out_refund_no="R1", reason="r")
    top_up = TopUpRequest(fund="transit", amount_fen=100, channel="test", channel_no="C-full")
    app = await make_api(life.city, public_url="https://card.example", clock=city_clock)
    async with pool.connection() as connection:
        await connection.execute(FILL)
    for attempt in (
        lambda: core.order(VALIDATOR, ride, "key"),
        lambda: core.refund(CENTRE, paid.order_id, refund, "refund"),
        lambda: core.top_up(CENTRE, user_id, top_up, "top-up"),
    ):
        with pytest.raises(ServiceUnavailableError) as full:
            await attempt()
        assert full.value.retryable
    assert (await core.read_order(VALIDATOR, paid.order_id)).status == "captured"
    assert (await core.explain(VALIDATOR, paid.order_id)).explained_fen == FLAT_FARE_FEN
    assert await life.books_are_right()
    with pytest.raises(ServiceUnavailableError):
        await core.read_user(CENTRE, user_id)  # a look at a person that cannot be written down
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://card.example") as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).status_code == 200  # reads are served
        assert (await http.get("/v1/key-ring")).status_code == 200
    async with pool.connection() as connection:
        await connection.execute(FREE)
    # Nobody mends anything by hand: the same requests are sent again.
    order, replayed = await core.order(VALIDATOR, ride, "key")
    assert (order.status, replayed) == ("captured", False)
    given_back, replayed = await core.refund(CENTRE, paid.order_id, refund, "refund")
    assert (given_back.amount_fen, replayed) == (FLAT_FARE_FEN, False)
    await core.top_up(CENTRE, user_id, top_up, "top-up")
    assert await life.balance_fen(user_id) == 5_000 - FLAT_FARE_FEN + 100
    assert await life.books_are_right()
    numbers = {ride.business.out_trade_no, paid.out_trade_no}
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT out_trade_no FROM cardcore.business_order WHERE merchant_id = %s",
            (BUS_MERCHANT,),
        )
        booked = [row[0] for row in await found.fetchall()]
    assert len(booked) == len(numbers)
    assert set(booked) == numbers


class FullVolume(io.BytesIO):
    """A log file on a volume without room."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


async def test_row_11_a_full_volume_of_logs_costs_nobody_an_answer() -> None:
    face = make_face(log_to=FullVolume())
    async with face.http:
        paid = await face.http.post("/v1/orders", json=an_order(), headers=face.keyed())
        assert paid.status_code == 201
        missing = await face.http.get(f"/v1/orders/{uuid4()}", headers=face.bearer())
        assert missing.status_code == 404
        page = (await face.http.get("/metrics")).text
    assert "cardcore_log_lines_lost_total 2.0" in page
