"""A box served on a socket, raw connections to it, and a transport without a socket."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from pathlib import Path

from hsm_sim import wire
from hsm_sim.server import Server, ServerLimits, ServerPolicy
from hsm_sim.simulator import Simulator
from hsm_sim.wire import Operation

HELLO = wire.frame(Operation.HELLO, 1, (b"\1", b"raw"))


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


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, int, list[bytes]]:
    head = await reader.readexactly(wire.HEAD_SIZE)
    size, kind, request_id = struct.unpack(">IBI", head)
    return kind, request_id, wire.split_fields(await reader.readexactly(size - 5))


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
