"""The socket: who may come in, hostile bytes, limits, and work in batches."""

import asyncio
import contextlib
import logging
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsm_sim import wire
from hsm_sim.audit import MemoryLines
from hsm_sim.client import HSMClient
from hsm_sim.interface import (
    Algorithm,
    CallerRefusedError,
    HSMError,
    HSMRateLimitedError,
    KeyUsage,
    KeyUsageRefusedError,
)
from hsm_sim.key_file import MemoryStorage
from hsm_sim.keys import BlockKey
from hsm_sim.rate_limit import TokenBucket
from hsm_sim.server import BATCH_FRAMES_MAX, Server, ServerLimits, ServerPolicy
from hsm_sim.server import _Connection as _ServerConnection
from hsm_sim.session import Session
from hsm_sim.simulator import Simulator
from hsm_sim.wire import Operation
from tests.hsm_sim.serving import HELLO, SilentTransport, answer_of, raw, serving


class StrangerPolicy(ServerPolicy):
    """As if everybody who comes were another user."""

    allowed = False

    def may_enter(self, user_id: int) -> bool:
        return self.allowed

    def may_manage(self, user_id: int) -> bool:
        return False


class GuestPolicy(StrangerPolicy):
    """As if everybody were a user who may use keys."""

    allowed = True


async def test_the_socket_is_private(box: Simulator, tmp_path: Path) -> None:
    async with serving(box, tmp_path) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()
    box = Simulator.in_memory()
    async with serving(box, tmp_path, policy=ServerPolicy(users={12345: False})) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


async def test_a_stranger_is_refused_and_recorded(box: Simulator, tmp_path: Path) -> None:
    async with serving(box, tmp_path, policy=StrangerPolicy()) as path, HSMClient(path) as client:
        with pytest.raises(CallerRefusedError):
            await client.list_keys()
    assert any(b"caller_refused" in line for line in box._lines.lines())


async def test_a_guest_uses_keys_but_makes_none(box: Simulator, tmp_path: Path) -> None:
    async with serving(box, tmp_path, policy=GuestPolicy()) as path, HSMClient(path) as client:
        assert await client.random(4)
        with pytest.raises(KeyUsageRefusedError):
            await client.generate("k", Algorithm.P256, KeyUsage.SIGN)
        for call in (client.lock(), client.verify_audit()):
            with pytest.raises(CallerRefusedError):
                await call
    assert box.initialised


def test_policy_is_by_user_id() -> None:
    policy = ServerPolicy(users={1001: False, 1002: True})
    assert [policy.may_enter(user) for user in (0, os.geteuid(), 1001, 1002, 1003)] == [
        True, True, True, True, False,
    ]  # fmt: skip
    assert [policy.may_manage(user) for user in (0, 1001, 1002, 1003)] == [True, False, True, False]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder any user may enter, which pytest's own is not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can come as another user")
@pytest.mark.parametrize("allowed", [True, False])
async def test_the_kernel_says_who_calls(
    box: Simulator, open_folder: Path, *, allowed: bool
) -> None:
    """How: root puts on another user's id while it connects; that is what the kernel reports."""
    stranger = 65_534
    policy = ServerPolicy(users={stranger: False} if allowed else {})
    async with serving(box, open_folder, policy=policy) as path:
        path.chmod(0o666)
        end = socket.socket(socket.AF_UNIX)
        os.seteuid(stranger)
        try:
            end.connect(str(path))
        finally:
            os.seteuid(0)
        reader, writer = await asyncio.open_unix_connection(sock=end)
        writer.write(HELLO)
        assert (await answer_of(reader))[0] == (wire.OK if allowed else wire.REFUSED)
        if allowed:
            fields = (b"k", b"p256", wire.usage_field(KeyUsage.SIGN))
            writer.write(wire.frame(Operation.GENERATE, 2, fields))
            kind, _, answer = await answer_of(reader)
            assert (kind, answer[0]) == (wire.REFUSED, b"key_usage_refused")
        writer.close()
    assert any(f"uid {stranger}".encode() in line for line in box._lines.lines())


async def test_nothing_is_answered_before_hello(box: Simulator, tmp_path: Path) -> None:
    async with serving(box, tmp_path) as path, raw(path) as (reader, writer):
        writer.write(wire.frame(Operation.RANDOM, 9, ((8).to_bytes(4, "big"),)))
        kind, request_id, fields = await answer_of(reader)
        assert (kind, request_id, fields[0]) == (wire.REFUSED, 9, b"caller_refused")
        writer.write(wire.frame(Operation.HELLO, 10, (b"\2", b"newer")))
        kind, _, fields = await answer_of(reader)
        assert (kind, fields[0]) == (wire.REFUSED, b"request_invalid")
        writer.write(HELLO)
        assert (await answer_of(reader))[0] == wire.OK


async def test_silence_instead_of_hello_is_hung_up_on(box: Simulator, tmp_path: Path) -> None:
    limits = ServerLimits(hello_timeout_s=0.02)
    async with serving(box, tmp_path, limits=limits) as path, raw(path) as (reader, _):
        assert await reader.read() == b""


async def test_sessions_are_bounded(box: Simulator, tmp_path: Path) -> None:
    limits = ServerLimits(sessions_max=2)
    async with serving(box, tmp_path, limits=limits) as path:
        async with HSMClient(path) as one, HSMClient(path) as two:
            await one.status()
            await two.status()
            with pytest.raises(CallerRefusedError):
                await HSMClient(path).status()
        async with HSMClient(path) as three:
            # The server sees the hang-ups of the first two before this one's hello.
            await three.status()


async def test_connections_without_a_session_are_bounded(box: Simulator, tmp_path: Path) -> None:
    async with (
        serving(box, tmp_path, limits=ServerLimits(sessions_max=1)) as path,
        contextlib.AsyncExitStack() as stack,
    ):
        streams = [await stack.enter_async_context(raw(path)) for _ in range(6)]
        ended = [reader for reader, _ in streams[4:]]
        assert [await reader.read() for reader in ended] == [b"", b""]


async def test_asking_too_fast_is_refused_and_may_be_tried_again(
    box: Simulator, tmp_path: Path
) -> None:
    limits = ServerLimits(rate_per_s=0.001, burst=5)
    async with serving(box, tmp_path, limits=limits) as path, HSMClient(path) as client:
        results = await asyncio.gather(
            *(client.random(1) for _ in range(20)), return_exceptions=True
        )
    refused = [one for one in results if isinstance(one, HSMRateLimitedError)]
    assert len(refused) == 20 - 4  # one token went for the hello
    assert refused[0].retryable


@given(asks=st.lists(st.floats(-1, 10), max_size=60))
def test_a_bucket_never_gives_more_than_burst_and_rate(asks: list[float]) -> None:
    bucket = TokenBucket(rate_per_s=2.0, burst=3.0, now_s=0.0)
    now_s = latest_s = 0.0
    given_count = 0
    for step_s in asks:
        now_s += step_s
        latest_s = max(latest_s, now_s)
        given_count += bucket.take(now_s)
        assert given_count <= 3.0 + 2.0 * latest_s + 1e-6


async def test_bytes_of_another_protocol_are_hung_up_on(box: Simulator, tmp_path: Path) -> None:
    async with serving(box, tmp_path) as path:
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, bytes(9)):
            async with raw(path) as (reader, writer):
                writer.write(data)
                assert await reader.read() == b""


@pytest.mark.parametrize("operation", list(Operation))
async def test_fields_of_the_wrong_form_are_a_refusal_not_a_crash(
    box: Simulator, tmp_path: Path, operation: Operation
) -> None:
    without_fields = {Operation.STATUS, Operation.LOCK, Operation.VERIFY_AUDIT}
    box = (
        Simulator(MemoryStorage(), MemoryLines()) if operation is Operation.GIVE_COMPONENT else box
    )
    async with serving(box, tmp_path) as path, raw(path) as (reader, writer):
        writer.write(HELLO)
        await answer_of(reader)
        bad_fields: list[tuple[bytes, ...]] = [
            (b"\xff",) * 9,
            (b"\xff", b"nonsense", b"\xff\xff"),
            (b"k", b"p256", b"\xff\xff\xff"),
            (b"k",) * 4,
            (b"k",) * 5,
        ]
        for number, fields in enumerate(bad_fields, 2):
            writer.write(wire.frame(operation, number, fields))
            kind, request_id, _ = await answer_of(reader)
            assert request_id == number
            assert kind in (wire.OK, wire.REFUSED)
            if operation not in without_fields:
                assert kind == wire.REFUSED


async def test_an_unknown_operation_is_refused(box: Simulator, tmp_path: Path) -> None:
    async with serving(box, tmp_path) as path, raw(path) as (reader, writer):
        writer.write(HELLO + wire.frame(200, 2, ()))
        await answer_of(reader)
        kind, _, fields = await answer_of(reader)
        assert (kind, fields[0]) == (wire.REFUSED, b"request_invalid")


async def test_a_bug_answers_without_detail_and_the_box_lives_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class BuggyBox(Simulator):
        def all_keys(self) -> list[BlockKey]:  # type: ignore[override]
            raise ZeroDivisionError("secret detail")

    box = BuggyBox(MemoryStorage(), MemoryLines())
    box.unlock(bytes(32), actor="test")
    async with serving(box, tmp_path) as path, HSMClient(path) as client:
        with (
            caplog.at_level(logging.CRITICAL, logger="hsm_sim"),
            pytest.raises(HSMError, match="internal fault") as caught,
        ):
            await client.list_keys()
        assert "secret" not in str(caught.value)
        assert await client.random(3)


async def test_a_caller_who_does_not_read_answers_stops_being_read(
    box: Simulator, tmp_path: Path
) -> None:
    """Why: answers nobody takes must not fill the box's memory. Others are served meanwhile."""
    ask = wire.frame(Operation.RANDOM, 2, ((4096).to_bytes(4, "big"),))
    async with serving(box, tmp_path) as path:
        greedy = socket.socket(socket.AF_UNIX)
        greedy.connect(str(path))
        greedy.setblocking(False)  # noqa: FBT003  (the library's form)
        greedy.send(HELLO)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while sent < 64 * 2**20:
                sent += greedy.send(ask * 100)
                await asyncio.sleep(0)
        assert sent < 8 * 2**20
        async with HSMClient(path) as client:
            assert await client.random(8)
        loop = asyncio.get_running_loop()
        taken = 0
        while taken < 5 * 2**20:  # then it reads, and is served again
            taken += len(await loop.sock_recv(greedy, 2**20))
            with contextlib.suppress(BlockingIOError):
                greedy.send(ask)
        greedy.close()
        async with HSMClient(path) as client:
            assert await client.random(8)


def _connection(box: Simulator, tmp_path: Path) -> tuple[_ServerConnection, SilentTransport]:
    """A connection past its hello, on a transport of ours."""
    connection = _ServerConnection(Server(box, tmp_path / "s"))
    transport = SilentTransport()
    connection._transport = transport
    connection._session = Session(box, "test")
    return connection, transport


async def test_work_is_done_in_batches_and_reading_waits_for_it(
    box: Simulator, tmp_path: Path
) -> None:
    connection, transport = _connection(box, tmp_path)
    ask = wire.frame(Operation.RANDOM, 1, ((1).to_bytes(4, "big"),))
    answer_size = len(wire.frame(wire.OK, 1, (b"x",)))
    connection.data_received(ask * (BATCH_FRAMES_MAX + 10))
    assert len(transport.written) == BATCH_FRAMES_MAX * answer_size
    assert transport.calls == ["pause"]
    connection.data_received(ask)  # what was on its way already waits its turn
    assert len(transport.written) == BATCH_FRAMES_MAX * answer_size
    await asyncio.sleep(0)
    assert len(transport.written) == (BATCH_FRAMES_MAX + 11) * answer_size
    assert transport.calls == ["pause", "resume"]


async def test_nothing_is_answered_while_answers_are_not_taken(
    box: Simulator, tmp_path: Path
) -> None:
    connection, transport = _connection(box, tmp_path)
    connection.pause_writing()
    connection.data_received(wire.frame(Operation.STATUS, 1, ()))
    assert (transport.written, transport.calls) == (b"", ["pause"])
    connection.resume_writing()
    assert transport.written
    connection.resume_writing()  # with nothing left to say
    assert transport.calls == ["pause", "resume", "resume"]


async def test_counted_uses_are_flushed_while_the_box_runs(tmp_path: Path) -> None:
    flushed = asyncio.Event()
    failures = iter([True])

    class Watched(Simulator):
        def flush_uses(self) -> None:
            if next(failures, False):
                raise HSMError("disk full")  # the flusher goes on
            super().flush_uses()
            flushed.set()

    box = Watched(MemoryStorage(), MemoryLines())
    box.unlock(bytes(32), actor="test")
    logging.getLogger("hsm_sim").setLevel(logging.CRITICAL)
    async with serving(box, tmp_path, limits=ServerLimits(flush_interval_s=0.01)):
        await asyncio.wait_for(flushed.wait(), 10)
    logging.getLogger("hsm_sim").setLevel(logging.NOTSET)
