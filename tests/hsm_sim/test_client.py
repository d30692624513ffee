"""The client: reconnecting, repeating, giving up, and every call over the socket."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Awaitable
from pathlib import Path

import pytest
import uvloop

from hsm_sim import key_block, pin_block, wire
from hsm_sim.audit import MemoryLines
from hsm_sim.ceremony import new_components
from hsm_sim.client import HSMClient
from hsm_sim.client import _Connection as _ClientConnection
from hsm_sim.in_process import InProcessHSM
from hsm_sim.interface import (
    Algorithm,
    CardHSM,
    HSMLockedError,
    HSMUnavailableError,
    KeyUsage,
    PINBlockInvalidError,
    RequestInvalidError,
    SignatureInvalidError,
)
from hsm_sim.key_file import MemoryStorage
from hsm_sim.keys import BlockKey, load_key
from hsm_sim.server import ServerLimits
from hsm_sim.session import Session
from hsm_sim.simulator import Simulator
from hsm_sim.wire import FrameReader, Operation
from tests.hsm_sim.serving import SilentTransport, raw, serving


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


async def test_keys_are_described_and_used_over_the_socket(box: Simulator, tmp_path: Path) -> None:
    async with serving(box, tmp_path) as path, HSMClient(path) as client:
        info = await client.generate("k", Algorithm.ED25519, KeyUsage.SIGN)
        assert await client.describe("k") == info
        await client.verify("k", b"m", await client.sign("k", b"m"))


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
