"""The socket: who may come in, hostile bytes, limits, and a process that dies."""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import stat
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from hsm_sim import key_block, pin_block, wire
from hsm_sim.audit import AuditBrokenError, MemoryLines
from hsm_sim.ceremony import new_components
from hsm_sim.client import HSMClient
from hsm_sim.client import _Connection as _ClientConnection
from hsm_sim.in_process import InProcessHSM
from hsm_sim.interface import (
    Algorithm,
    CallerRefusedError,
    CardHSM,
    HSMError,
    HSMLockedError,
    HSMRateLimitedError,
    HSMUnavailableError,
    KeyUsage,
    KeyUsageRefusedError,
    PINBlockInvalidError,
    RequestInvalidError,
    SignatureInvalidError,
)
from hsm_sim.key_file import MemoryStorage
from hsm_sim.keys import BlockKey, load_key
from hsm_sim.rate_limit import TokenBucket
from hsm_sim.server import BATCH_FRAMES_MAX, Server, ServerLimits, ServerPolicy
from hsm_sim.server import _Connection as _ServerConnection
from hsm_sim.session import Session
from hsm_sim.simulator import Simulator
from hsm_sim.wire import FrameInvalidError, FrameReader, Operation

HELLO = wire.frame(Operation.HELLO, 1, (b"\1", b"raw"))


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


@pytest.fixture
def box() -> Simulator:
    return Simulator.in_memory()


@contextlib.asynccontextmanager
async def serving(
    box: Simulator,
    folder: Path,
    *,
    policy: ServerPolicy | None = None,
    limits: ServerLimits | None = None,
) -> AsyncIterator[Path]:
    path = folder / "s"
    server = Server(box, path, policy=policy, limits=limits)
    await server.start()
    try:
        yield path
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def raw(path: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, int, list[bytes]]:
    head = await reader.readexactly(wire.HEAD_SIZE)
    size, kind, request_id = struct.unpack(">IBI", head)
    return kind, request_id, wire.split_fields(await reader.readexactly(size - 5))


# -- frames --------------------------------------------------------------------------------

fields_lists = st.lists(st.binary(max_size=40), max_size=6)


@given(
    frames=st.lists(st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1), fields_lists)),
    cuts=st.lists(st.integers(1, 30), min_size=1),
)
def test_frames_survive_any_cutting_of_the_stream(
    frames: list[tuple[int, int, list[bytes]]], cuts: list[int]
) -> None:
    stream = b"".join(wire.frame(*one) for one in frames)
    reader, found, turn = FrameReader(), [], 0
    while stream:
        size = cuts[turn % len(cuts)]
        found += reader.feed(stream[:size])
        stream, turn = stream[size:], turn + 1
    assert [(kind, number, wire.split_fields(body)) for kind, number, body in found] == frames


@pytest.mark.parametrize("size", [0, 4, wire.FRAME_SIZE_MAX + 1, 2**32 - 1])
def test_a_size_no_frame_has_is_refused_before_it_is_waited_for(size: int) -> None:
    with pytest.raises(FrameInvalidError):
        FrameReader().feed(struct.pack(">IBI", size, 1, 1))


def test_a_frame_too_large_is_not_made() -> None:
    with pytest.raises(RequestInvalidError):
        wire.frame(1, 1, (bytes(wire.FRAME_SIZE_MAX),))


@given(body=st.binary(max_size=40))
def test_fields_are_read_whole_or_refused(body: bytes) -> None:
    try:
        fields = wire.split_fields(body)
    except FrameInvalidError:
        return
    assert b"".join(len(one).to_bytes(4, "big") + one for one in fields) == body


def test_every_refusal_comes_out_as_it_went_in() -> None:
    for kind in wire.ERRORS.values():
        back = wire.refusal_of(wire.refusal_fields(kind("why")))
        assert (type(back), str(back)) == (kind, "why")
    broken = wire.refusal_of(wire.refusal_fields(AuditBrokenError(7, "was changed")))
    assert isinstance(broken, AuditBrokenError)
    assert (broken.index, broken.reason) == (7, "was changed")
    assert type(wire.refusal_of((b"from_a_newer_box", b"why"))) is HSMError


def _kinds(parent: type[HSMError]) -> set[type[HSMError]]:
    return {parent}.union(*(_kinds(kind) for kind in parent.__subclasses__()))


def test_no_refusal_of_the_box_is_forgotten_on_the_wire() -> None:
    """Why: a code missing in the table would reach the caller as a nameless error."""
    of_the_box = {kind for kind in _kinds(HSMError) if kind.__module__.startswith("hsm_sim.")}
    elsewhere = {"hsm_error", "audit_broken", "frame_invalid", "hsm_home_invalid"}
    assert {kind.code for kind in of_the_box} - elsewhere == set(wire.ERRORS)


# -- who may come in -----------------------------------------------------------------------


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
        assert (await _answer(reader))[0] == (wire.OK if allowed else wire.REFUSED)
        if allowed:
            fields = (b"k", b"p256", wire.usage_field(KeyUsage.SIGN))
            writer.write(wire.frame(Operation.GENERATE, 2, fields))
            kind, _, answer = await _answer(reader)
            assert (kind, answer[0]) == (wire.REFUSED, b"key_usage_refused")
        writer.close()
    assert any(f"uid {stranger}".encode() in line for line in box._lines.lines())


async def test_nothing_is_answered_before_hello(box: Simulator, tmp_path: Path) -> None:
    async with serving(box, tmp_path) as path, raw(path) as (reader, writer):
        writer.write(wire.frame(Operation.RANDOM, 9, ((8).to_bytes(4, "big"),)))
        kind, request_id, fields = await _answer(reader)
        assert (kind, request_id, fields[0]) == (wire.REFUSED, 9, b"caller_refused")
        writer.write(wire.frame(Operation.HELLO, 10, (b"\2", b"newer")))
        kind, _, fields = await _answer(reader)
        assert (kind, fields[0]) == (wire.REFUSED, b"request_invalid")
        writer.write(HELLO)
        assert (await _answer(reader))[0] == wire.OK


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


# -- hostile and broken bytes --------------------------------------------------------------


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
        await _answer(reader)
        bad_fields: list[tuple[bytes, ...]] = [
            (b"\xff",) * 9,
            (b"\xff", b"nonsense", b"\xff\xff"),
            (b"k", b"p256", b"\xff\xff\xff"),
            (b"k",) * 4,
            (b"k",) * 5,
        ]
        for number, fields in enumerate(bad_fields, 2):
            writer.write(wire.frame(operation, number, fields))
            kind, request_id, _ = await _answer(reader)
            assert request_id == number
            assert kind in (wire.OK, wire.REFUSED)
            if operation not in without_fields:
                assert kind == wire.REFUSED


async def test_an_unknown_operation_is_refused(box: Simulator, tmp_path: Path) -> None:
    async with serving(box, tmp_path) as path, raw(path) as (reader, writer):
        writer.write(HELLO + wire.frame(200, 2, ()))
        await _answer(reader)
        kind, _, fields = await _answer(reader)
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


async def test_keys_are_described_and_used_over_the_socket(box: Simulator, tmp_path: Path) -> None:
    async with serving(box, tmp_path) as path, HSMClient(path) as client:
        info = await client.generate("k", Algorithm.ED25519, KeyUsage.SIGN)
        assert await client.describe("k") == info
        await client.verify("k", b"m", await client.sign("k", b"m"))


# -- the client ----------------------------------------------------------------------------


async def test_without_a_box_the_client_says_so(tmp_path: Path) -> None:
    client = HSMClient(tmp_path / "nobody")
    with pytest.raises(HSMUnavailableError) as caught:
        await client.random(1)
    assert caught.value.retryable
    await client.close()  # closing what never opened is nothing


async def test_a_client_comes_back_after_the_box_was_restarted(
    box: Simulator, tmp_path: Path
) -> None:
    client = HSMClient(tmp_path / "s")
    for _ in range(2):
        async with serving(box, tmp_path):
            assert await client.random(1)
        with pytest.raises(HSMUnavailableError):
            await client.random(1)
        box = Simulator.in_memory()
    await client.close()


class _Faulty(asyncio.Protocol):
    """A server that answers hello, then does what the test says with each request."""

    seen: list[int]
    silent = False
    junk = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.reader = FrameReader()

    def data_received(self, data: bytes) -> None:
        for kind, request_id, _ in self.reader.feed(data):
            self.seen.append(kind)
            if kind == Operation.HELLO:
                self.transport.write(wire.frame(wire.OK, request_id, (b"\1", b"s1")))
            elif self.junk:
                self.transport.write(b"\xff" * 20)
            elif not self.silent:
                self.transport.close()


@pytest.mark.parametrize("fault", ["hangs up", "silent", "junk"])
@pytest.mark.parametrize("repeatable", [True, False])
async def test_only_harmless_calls_are_asked_twice(
    tmp_path: Path, fault: str, *, repeatable: bool
) -> None:
    """Why: a key made twice under two labels, or a component given twice, is a real mistake."""
    seen: list[int] = []

    class Here(_Faulty):
        silent = fault == "silent"
        junk = fault == "junk"

    Here.seen = seen
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(Here, str(tmp_path / "s"))
    async with server, HSMClient(tmp_path / "s", call_timeout_s=0.05) as client:
        call: Awaitable[object] = (
            client.sign("k", b"m")
            if repeatable
            else client.generate("k", Algorithm.P256, KeyUsage.SIGN)
        )
        with pytest.raises(HSMUnavailableError):
            await call
    wanted = Operation.SIGN if repeatable else Operation.GENERATE
    assert seen.count(wanted) == (2 if repeatable else 1)


async def test_a_call_given_up_by_its_caller_disturbs_no_other(
    box: Simulator, tmp_path: Path
) -> None:
    async with serving(box, tmp_path) as path, HSMClient(path) as client:
        await client.generate("k", Algorithm.HMAC_SHA256, KeyUsage.MAC)
        expected = await client.mac("k", b"keep")
        for _ in range(20):
            gone = asyncio.ensure_future(client.mac("k", b"gone"))
            kept = asyncio.ensure_future(client.mac("k", b"keep"))
            await asyncio.sleep(0)
            gone.cancel()
            assert await kept == expected


async def test_a_call_answered_in_time_is_not_timed_out_by_an_older_timer(
    box: Simulator, tmp_path: Path
) -> None:
    async with serving(box, tmp_path) as path, HSMClient(path, call_timeout_s=0.3) as client:
        await client.random(1)
        connection = client._connection
        assert connection is not None
        deadline = asyncio.get_running_loop().time() + 0.7
        while asyncio.get_running_loop().time() < deadline:
            await client.random(1)
        assert client._connection is connection


async def test_a_size_that_fits_no_request_is_refused_by_the_client(tmp_path: Path) -> None:
    client = HSMClient(tmp_path / "nobody")
    for size in (-1, 2**32):
        with pytest.raises(RequestInvalidError):
            await client.random(size)


async def test_hundreds_of_keys_are_listed_in_pages(box: Simulator, tmp_path: Path) -> None:
    async with serving(box, tmp_path) as path, HSMClient(path) as client:
        await client.generate("root", Algorithm.AES256, KeyUsage.DERIVE)
        labels = [f"terminal/{'x' * 40}{number:04}" for number in range(400)]
        await asyncio.gather(
            *(
                client.derive(
                    "root",
                    label.encode(),
                    child=label,
                    algorithm=Algorithm.AES256,
                    usage=KeyUsage.MAC,
                )
                for label in labels
            )
        )
        found = await client.list_keys()
    assert [info.label for info in found] == ["root", *labels]


async def test_three_custodians_in_three_sessions_open_a_box(tmp_path: Path) -> None:
    components = new_components(secrets.token_bytes)
    box = Simulator(MemoryStorage(), MemoryLines())
    async with serving(box, tmp_path) as path, HSMClient(path) as client:
        status = await client.status()
        assert (status.unlocked, status.initialised, status.audit_key) == (False, False, b"")
        assert status.process_id == os.getpid()
        with pytest.raises(HSMLockedError):
            await client.list_keys()
        for component, name in zip(components, "abc", strict=True):
            async with HSMClient(path, name=name) as custodian:
                missing = await custodian.give_component(component, name=name)
            assert len(missing) == 3 - component.custodian
        status = await client.status()
        assert status.unlocked
        assert len(status.audit_key) == 32
        await client.random(1)
        report = await client.verify_audit()
        assert report.head.entry_count == len(list(box._lines.lines()))
        await client.lock()
        with pytest.raises(HSMLockedError):
            await client.list_keys()


@pytest.mark.parametrize("way", ["in process", "socket"])
async def test_cards_and_pins_work_on_every_way_in(
    box: Simulator, tmp_path: Path, way: str
) -> None:
    components = new_components(secrets.token_bytes)
    value = bytes(a ^ b ^ c for a, b, c in zip(*(one.value for one in components), strict=True))
    transport = load_key("zmk", Algorithm.AES256, KeyUsage.TRANSPORT, value)
    pin_key = load_key("pin", Algorithm.SM4, KeyUsage.PIN, bytes(16))
    assert isinstance(transport, BlockKey)
    assert isinstance(pin_key, BlockKey)
    key = key_block.seal(pin_key, transport, secrets.token_bytes)
    pan = "6217370406000123"
    pin = pin_block.write_pin(pin_key, "123456", pan, secrets.token_bytes)
    async with serving(box, tmp_path) as path, HSMClient(path) as client:
        named = list(zip("abc", components, strict=True))
        await client.load_components("zmk", Algorithm.AES256, KeyUsage.TRANSPORT, named)
        hsm: CardHSM = client if way == "socket" else InProcessHSM(Session(box, "test"))
        assert await hsm.import_key("pin", key, transport="zmk") == pin_key.info
        await hsm.generate("reference", Algorithm.HMAC_SM3, KeyUsage.PIN)
        await hsm.generate("card", Algorithm.SM4, KeyUsage.CARD)
        code = await hsm.tac("card", b"m", card_no=bytes(8))
        await hsm.verify_tac("card", b"m", code, card_no=bytes(8))
        with pytest.raises(SignatureInvalidError):
            await hsm.verify_tac("card", b"n", code, card_no=bytes(8))
        again = await hsm.translate_pin("pin", "pin", pin, pan=pan)
        assert again != pin
        stored = await hsm.pin_reference("pin", "reference", pin, pan=pan)
        assert await hsm.pin_reference("pin", "reference", again, pan=pan) == stored
        with pytest.raises(PINBlockInvalidError):
            await hsm.translate_pin("pin", "pin", bytes(16), pan=pan)


class SilentTransport(asyncio.Transport):
    """What a connection writes to, without a socket; remembers what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def close(self) -> None:
        self.calls.append("close")


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


async def test_a_lost_connection_refuses_and_a_cancelled_call_stays_cancelled() -> None:
    connection = _ClientConnection(call_timeout_s=10.0)
    connection.connection_made(SilentTransport())
    given_up = asyncio.ensure_future(connection.request(Operation.STATUS, ()))
    waiting = asyncio.ensure_future(connection.request(Operation.STATUS, ()))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.sleep(0)
    connection.connection_lost(None)
    with pytest.raises(HSMUnavailableError):
        await waiting
    with pytest.raises(asyncio.CancelledError):
        await given_up
    with pytest.raises(HSMUnavailableError):
        await connection.request(Operation.STATUS, ())


async def test_the_clock_is_looked_at_only_while_somebody_waits() -> None:
    connection = _ClientConnection(call_timeout_s=10.0)
    transport = SilentTransport()
    connection.connection_made(transport)
    waiting = asyncio.ensure_future(connection.request(Operation.STATUS, ()))
    await asyncio.sleep(0)
    connection._look_at_the_clock()  # too early: looks again when it would be too late
    watch = connection._watch
    assert watch is not None
    connection.data_received(wire.frame(wire.OK, 1, ()))
    assert await waiting == []
    watch.cancel()
    connection._look_at_the_clock()
    assert (connection._watch, transport.calls) == (None, [])


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


def test_server_and_client_work_on_uvloop_too(tmp_path: Path) -> None:
    """Why: the HTTP server runs on uvloop, whose transports are not asyncio's."""

    async def exercise() -> None:
        limits = ServerLimits(hello_timeout_s=0.5, sessions_max=1)
        box = Simulator.in_memory()
        async with serving(box, tmp_path, limits=limits) as path, HSMClient(path) as client:
            await client.generate("k", Algorithm.HMAC_SHA256, KeyUsage.MAC)
            messages = [bytes(number) for number in range(500)]
            together = await asyncio.gather(*(client.mac("k", one) for one in messages))
            assert together[3] == await client.mac("k", bytes(3))
            assert len(set(together)) == 500
            async with contextlib.AsyncExitStack() as stack:
                streams = [await stack.enter_async_context(raw(path)) for _ in range(5)]
                assert [await reader.read() for reader, _ in streams] == [b""] * 5
        with pytest.raises(HSMUnavailableError):
            await client.mac("k", b"")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(exercise())
