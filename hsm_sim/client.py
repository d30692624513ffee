"""The interface over the socket: many calls at once on one connection.

Requests carry numbers, so answers are paired whatever their order, and requests made in one turn
of the event loop leave in one write. A broken connection is opened again by the next call. A call
that was under way when it broke is repeated once when repeating does no harm; making a key is
not, because nobody knows whether it was made: ``HSMUnavailableError`` says so, ``describe`` tells.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

from hsm_sim import wire
from hsm_sim.audit import AuditHead, AuditReport
from hsm_sim.ceremony import Component
from hsm_sim.interface import (
    Algorithm,
    HSMError,
    HSMUnavailableError,
    KeyInfo,
    KeyUsage,
    RequestInvalidError,
)
from hsm_sim.wire import Operation

CALL_TIMEOUT_S: Final = 10.0
CONNECT_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxStatus:
    """What a box says of itself. ``audit_key`` is empty while it is locked."""

    unlocked: bool
    initialised: bool
    process_id: int
    audit_key: bytes


class HSMClient:
    """The calls of ``interface.CardHSM`` on a box in another process.

    Args:
        socket_path: of the server.
        name: of the caller, for the audit log, up to 32 characters.
        call_timeout_s: a call without an answer for so long ends as ``HSMUnavailableError``.

    Belongs to one event loop. The first call connects; ``close`` or ``async with`` ends it.
    """

    def __init__(
        self, socket_path: Path, *, name: str = "client", call_timeout_s: float = CALL_TIMEOUT_S
    ) -> None:
        self._socket_path = socket_path
        self._name = name
        self._call_timeout_s = call_timeout_s
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()
        self.session_id = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up; calls under way end as ``HSMUnavailableError``."""
        if self._connection is not None:
            self._connection.hang_up()
            await self._connection.gone
            self._connection = None

    # -- the calls of the interface --------------------------------------------------------

    async def generate(self, label: str, algorithm: Algorithm, usage: KeyUsage) -> KeyInfo:
        """See ``interface.HSM``."""
        return wire.info_of(
            await self._call(
                Operation.GENERATE,
                label.encode(),
                algorithm.value.encode(),
                wire.usage_field(usage),
            )
        )

    async def describe(self, label: str) -> KeyInfo:
        """See ``interface.HSM``."""
        return wire.info_of(await self._call(Operation.DESCRIBE, label.encode()))

    async def list_keys(self) -> list[KeyInfo]:
        """See ``interface.HSM``."""
        found: list[KeyInfo] = []
        while True:
            after = found[-1].label if found else ""
            page = await self._call(Operation.LIST_KEYS, after.encode())
            if not page:
                return found
            found += [wire.info_of(page[at : at + 5]) for at in range(0, len(page), 5)]

    async def sign(self, label: str, message: bytes) -> bytes:
        """See ``interface.HSM``."""
        return (await self._call(Operation.SIGN, label.encode(), message))[0]

    async def verify(self, label: str, message: bytes, signature: bytes) -> None:
        """See ``interface.HSM``."""
        await self._call(Operation.VERIFY, label.encode(), message, signature)

    async def mac(self, label: str, message: bytes) -> bytes:
        """See ``interface.HSM``."""
        return (await self._call(Operation.MAC, label.encode(), message))[0]

    async def wrap(self, label: str, plaintext: bytes, *, context: bytes) -> bytes:
        """See ``interface.HSM``."""
        return (await self._call(Operation.WRAP, label.encode(), plaintext, context))[0]

    async def unwrap(self, label: str, wrapped: bytes, *, context: bytes) -> bytes:
        """See ``interface.HSM``."""
        return (await self._call(Operation.UNWRAP, label.encode(), wrapped, context))[0]

    async def derive(
        self, label: str, context: bytes, *, child: str, algorithm: Algorithm, usage: KeyUsage
    ) -> KeyInfo:
        """See ``interface.HSM``."""
        return wire.info_of(
            await self._call(
                Operation.DERIVE,
                label.encode(),
                context,
                child.encode(),
                algorithm.value.encode(),
                wire.usage_field(usage),
            )
        )

    async def random(self, size: int) -> bytes:
        """See ``interface.HSM``."""
        if not 0 <= size < 2**32:
            raise RequestInvalidError("no such number of random bytes")
        return (await self._call(Operation.RANDOM, size.to_bytes(4, "big")))[0]

    async def tac(self, label: str, message: bytes, *, card_no: bytes) -> bytes:
        """See ``interface.CardHSM``."""
        return (await self._call(Operation.TAC, label.encode(), message, card_no))[0]

    async def verify_tac(self, label: str, message: bytes, tac: bytes, *, card_no: bytes) -> None:
        """See ``interface.CardHSM``."""
        await self._call(Operation.VERIFY_TAC, label.encode(), message, tac, card_no)

    async def translate_pin(self, source: str, target: str, block: bytes, *, pan: str) -> bytes:
        """See ``interface.CardHSM``."""
        fields = (source.encode(), target.encode(), block, pan.encode())
        return (await self._call(Operation.TRANSLATE_PIN, *fields))[0]

    async def pin_reference(self, source: str, reference: str, block: bytes, *, pan: str) -> bytes:
        """See ``interface.CardHSM``."""
        fields = (source.encode(), reference.encode(), block, pan.encode())
        return (await self._call(Operation.PIN_REFERENCE, *fields))[0]

    async def import_key(self, label: str, block: bytes, *, transport: str) -> KeyInfo:
        """See ``interface.CardHSM``."""
        return wire.info_of(
            await self._call(Operation.IMPORT_KEY, label.encode(), block, transport.encode())
        )

    # -- administration --------------------------------------------------------------------

    async def status(self) -> BoxStatus:
        """Whether the box is there, open, and which process it is."""
        unlocked, initialised, process_id, audit_key = await self._call(Operation.STATUS)
        return BoxStatus(
            unlocked=unlocked != b"\0",
            initialised=initialised != b"\0",
            process_id=int.from_bytes(process_id, "big"),
            audit_key=audit_key,
        )

    async def give_component(self, component: Component, *, name: str) -> tuple[int, ...]:
        """Give one custodian's component of the master key; one per client and session.

        Returns:
            Numbers of the custodians still missing; empty when the box is open.
        """
        fields = wire.component_fields(name, component)
        return tuple((await self._call(Operation.GIVE_COMPONENT, *fields))[0])

    async def load_components(
        self,
        label: str,
        algorithm: Algorithm,
        usage: KeyUsage,
        components: Sequence[tuple[str, Component]],
    ) -> KeyInfo:
        """Make a key, for instance a transport key, of three custodians' components."""
        fields = [label.encode(), algorithm.value.encode(), wire.usage_field(usage)]
        for name, component in components:
            fields.extend(wire.component_fields(name, component))
        return wire.info_of(await self._call(Operation.LOAD_COMPONENTS, *fields))

    async def lock(self) -> None:
        """Make the box forget its master key."""
        await self._call(Operation.LOCK)

    async def verify_audit(self) -> AuditReport:
        """Have the box check its audit log. Raises ``AuditBrokenError``."""
        count, entry_hash, *rest = await self._call(Operation.VERIFY_AUDIT)
        sealed, seals, generation, in_a_row = (int.from_bytes(one, "big") for one in rest)
        return AuditReport(
            head=AuditHead(int.from_bytes(count, "big"), entry_hash.decode()),
            sealed_count=sealed,
            seal_count=seals,
            generation=generation,
            generation_entry_count=in_a_row,
        )

    # -- steps -----------------------------------------------------------------------------

    async def _call(self, operation: Operation, *fields: bytes) -> list[bytes]:
        connection = self._connection
        if connection is None or connection.lost:
            connection = await self._connect()
        try:
            return await connection.request(operation, fields)
        except HSMUnavailableError:
            if operation not in wire.REPEATABLE or not connection.lost:
                raise
        return await (await self._connect()).request(operation, fields)

    async def _connect(self) -> "_Connection":
        async with self._connecting:
            if self._connection is not None and not self._connection.lost:
                return self._connection
            loop = asyncio.get_running_loop()
            connection = None
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    _, connection = await loop.create_unix_connection(
                        lambda: _Connection(self._call_timeout_s), str(self._socket_path)
                    )
                    version = bytes((wire.PROTOCOL_VERSION,))
                    answer = await connection.request(
                        Operation.HELLO, (version, self._name.encode())
                    )
            except (OSError, TimeoutError, HSMError) as problem:
                if connection is not None:
                    connection.hang_up()
                if isinstance(problem, HSMError):
                    raise
                raise HSMUnavailableError(f"no box answers at {self._socket_path}") from problem
            self.session_id = answer[1].decode()
            self._connection = connection
            return connection


class _Connection(asyncio.Protocol):
    """One connection and the calls waiting on it."""

    def __init__(self, call_timeout_s: float) -> None:
        self.lost = False
        self._loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self._call_timeout_s = call_timeout_s
        self._reader = wire.FrameReader()
        self._last_id = 0
        # In the order of asking, so the first one is the one that has waited longest.
        self._waiting: dict[int, tuple[asyncio.Future[list[bytes]], float]] = {}
        self._outgoing: list[bytes] = []
        self._watch: asyncio.TimerHandle | None = None

    async def request(self, operation: Operation, fields: Sequence[bytes]) -> list[bytes]:
        """Ask and wait for the answer's fields. Raises what the box refused with."""
        if self.lost:
            raise HSMUnavailableError("the connection to the box is gone")
        self._last_id = request_id = (self._last_id + 1) % 2**32
        data = wire.frame(operation, request_id, fields)
        future: asyncio.Future[list[bytes]] = self._loop.create_future()
        self._waiting[request_id] = future, self._loop.time() + self._call_timeout_s
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(data)
        if self._watch is None:
            self._watch = self._loop.call_later(self._call_timeout_s, self._look_at_the_clock)
        return await future

    def hang_up(self) -> None:
        """Close the connection; ``gone`` is done when that has happened."""
        self._transport.close()

    # -- asyncio ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio's form)
        self.lost = True
        if self._watch is not None:
            self._watch.cancel()
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_exception(
                    HSMUnavailableError("the box hung up; whether it did the work is not known")
                )
        self._waiting.clear()
        self.gone.set_result(None)

    def data_received(self, data: bytes) -> None:
        try:
            for kind, request_id, body in self._reader.feed(data):
                future, _ = self._waiting.pop(request_id, (None, 0.0))
                if future is None or future.done():
                    continue  # the caller has given up
                fields = wire.split_fields(body)
                if kind == wire.OK:
                    future.set_result(fields)
                else:
                    future.set_exception(wire.refusal_of(fields))
        except (HSMError, ValueError):
            # Not our protocol: nothing on this connection can be trusted any more.
            self._transport.abort()

    # -- steps -----------------------------------------------------------------------------

    def _flush(self) -> None:
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        self._transport.write(data)

    def _look_at_the_clock(self) -> None:
        """One timer for all calls: it wakes when the oldest of them would be too old."""
        self._watch = None
        oldest = next(iter(self._waiting.values()), None)
        if oldest is None:
            return
        if oldest[1] <= self._loop.time():
            # A box that does not answer one call in time answers none: begin afresh.
            self._transport.abort()
        else:
            self._watch = self._loop.call_at(oldest[1], self._look_at_the_clock)
