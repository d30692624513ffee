"""The box behind a Unix socket: who may come in, how fast, and what they asked.

One thread, one event loop; requests of one connection are answered in order, and answers that are
ready together leave in one write. The peer is known by its user id from the kernel, never by what
it says of itself.
"""

import asyncio
import itertools
import logging
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from hsm_sim import wire
from hsm_sim.interface import (
    CallerRefusedError,
    HSMError,
    HSMRateLimitedError,
    RequestInvalidError,
)
from hsm_sim.rate_limit import TokenBucket
from hsm_sim.requests import HANDLERS
from hsm_sim.session import Session
from hsm_sim.simulator import Simulator
from hsm_sim.wire import FrameInvalidError, Operation

logger = logging.getLogger("hsm_sim")

BATCH_FRAMES_MAX: Final = 64  # then other connections get their turn
CONNECTIONS_PER_SESSION_MAX: Final = 4  # some have not said hello yet
_PEER_CREDENTIAL: Final = struct.Struct("3i")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """How much callers may ask.

    ``rate_per_s`` and ``burst`` are per user id, over all its connections.
    """

    sessions_max: int = 64
    hello_timeout_s: float = 5.0
    rate_per_s: float = 20_000.0
    burst: float = 20_000.0
    flush_interval_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPolicy:
    """Who may come in. The box's own user and root may always do everything.

    ``users`` are further user ids, each with whether it may make keys (else only use them).
    """

    users: Mapping[int, bool] = field(default_factory=dict)

    def may_enter(self, user_id: int) -> bool:
        """Whether this user may open a session."""
        return user_id in (0, os.geteuid()) or user_id in self.users

    def may_manage(self, user_id: int) -> bool:
        """Whether this user may make, derive and import keys."""
        return user_id in (0, os.geteuid()) or self.users.get(user_id, False)


class Server:
    """Serves one box on one socket."""

    def __init__(
        self,
        box: Simulator,
        socket_path: Path,
        *,
        policy: ServerPolicy | None = None,
        limits: ServerLimits | None = None,
    ) -> None:
        self.box = box
        self.policy = policy or ServerPolicy()
        self.limits = limits or ServerLimits()
        self.session_count = 0
        self._socket_path = socket_path
        self._buckets: dict[int, TokenBucket] = {}
        self._session_numbers = itertools.count(1)
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._flusher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. The socket is 0600, or 0660 when other users may come in."""
        self._socket_path.unlink(missing_ok=True)
        loop = asyncio.get_running_loop()
        mask = os.umask(0o177 if not self.policy.users else 0o117)
        try:
            self._server = await loop.create_unix_server(
                lambda: _Connection(self), str(self._socket_path), backlog=128
            )
        finally:
            os.umask(mask)
        self._flusher = asyncio.create_task(self._flush_for_ever())

    async def stop(self) -> None:
        """Hang up, write and seal the counted uses, lock the box."""
        assert self._server is not None
        assert self._flusher is not None
        self._server.close()
        for connection in tuple(self._connections):
            connection.hang_up()
        await self._server.wait_closed()
        self._flusher.cancel()
        await asyncio.wait([self._flusher])
        self._socket_path.unlink(missing_ok=True)
        self.box.lock(actor="hsm")

    def enter(self) -> str:
        """A session id for a new connection. Raises ``CallerRefusedError`` when full."""
        if self.session_count >= self.limits.sessions_max:
            raise CallerRefusedError(f"there are {self.session_count} sessions already")
        self.session_count += 1
        return f"s{next(self._session_numbers)}"

    def add(self, connection: "_Connection") -> bool:
        """Remember a connection, to hang up at the end; False when there are too many."""
        self._connections.add(connection)
        return len(self._connections) <= CONNECTIONS_PER_SESSION_MAX * self.limits.sessions_max

    def discard(self, connection: "_Connection", *, had_session: bool) -> None:
        """Forget a connection that is gone."""
        self._connections.discard(connection)
        self.session_count -= had_session

    def take_token(self, user_id: int) -> None:
        """Count one request. Raises ``HSMRateLimitedError``."""
        now_s = time.monotonic()
        bucket = self._buckets.get(user_id)
        if bucket is None:
            bucket = TokenBucket(self.limits.rate_per_s, self.limits.burst, now_s)
            self._buckets[user_id] = bucket
        if not bucket.take(now_s):
            raise HSMRateLimitedError(f"more than {self.limits.rate_per_s:.0f} requests a second")

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.limits.flush_interval_s)
            try:
                self.box.flush_uses()
            except HSMError:
                # Counts stay and are written next time; management is refused meanwhile.
                logger.exception("the counted uses could not be written")


class _Connection(asyncio.Protocol):
    """One caller."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._reader = wire.FrameReader()
        self._waiting: deque[tuple[int, int, bytes]] = deque()
        self._loop = asyncio.get_running_loop()
        self._session: Session | None = None
        self._session_id = ""
        self._user_id = self._process_id = -1
        self._working, self._writable = False, True

    # -- asyncio ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        if not self._server.add(self):
            self._transport.abort()
        peer: socket.socket = transport.get_extra_info("socket")
        credential = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIAL.size)
        self._process_id, self._user_id, _ = _PEER_CREDENTIAL.unpack(credential)
        self._hello_timer = self._loop.call_later(self._server.limits.hello_timeout_s, self.hang_up)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio's form)
        self._hello_timer.cancel()
        self._waiting.clear()
        self._server.discard(self, had_session=self._session is not None)
        self._session = None

    def data_received(self, data: bytes) -> None:
        try:
            self._waiting.extend(self._reader.feed(data))
        except FrameInvalidError:
            self.hang_up()
            return
        if not self._working:
            self._work()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._work()

    def hang_up(self) -> None:
        self._waiting.clear()
        self._transport.close()

    # -- work ------------------------------------------------------------------------------

    def _work(self) -> None:
        """Answer a batch; come back for the rest after the other connections had their turn.

        Nothing more is read until what was read is answered and the answers are taken, so a
        caller can neither fill our memory nor starve the others.
        """
        if not self._writable:
            self._transport.pause_reading()
            return
        answers = []
        for _ in range(min(len(self._waiting), BATCH_FRAMES_MAX)):
            kind, request_id, body = self._waiting.popleft()
            answers.append(self._answer(kind, request_id, body))
        if answers:
            self._transport.write(b"".join(answers))
        self._working = bool(self._waiting)
        if self._working:
            self._transport.pause_reading()
            self._loop.call_soon(self._work)
        else:
            self._transport.resume_reading()

    def _answer(self, kind: int, request_id: int, body: bytes) -> bytes:
        try:
            return wire.frame(wire.OK, request_id, self._perform(kind, wire.split_fields(body)))
        except HSMError as problem:
            refusal = problem
        except ValueError as problem:
            refusal = RequestInvalidError(f"the request is not of its form: {problem}")
        except Exception:
            # A bug must not take the box away from all callers; they learn no detail.
            logger.exception("request %s failed", kind)
            refusal = HSMError("internal fault")
        return wire.frame(wire.REFUSED, request_id, wire.refusal_fields(refusal))

    def _perform(self, kind: int, fields: list[bytes]) -> Sequence[bytes]:
        self._server.take_token(self._user_id)
        if self._session is None:
            return self._hello(kind, fields)
        handler = HANDLERS.get(kind)
        if handler is not None:
            return handler(self._session, fields)
        if kind == Operation.STATUS:
            return self._status()
        return self._administer(kind, fields)

    def _hello(self, kind: int, fields: list[bytes]) -> Sequence[bytes]:
        if kind != Operation.HELLO:
            raise CallerRefusedError("open a session first")
        version, name = fields
        if version != bytes((wire.PROTOCOL_VERSION,)):
            raise RequestInvalidError(f"this box speaks version {wire.PROTOCOL_VERSION}")
        server = self._server
        if not server.policy.may_enter(self._user_id):
            refusal = CallerRefusedError(f"the user {self._user_id} may not come in")
            server.box.record_refusal(f"uid {self._user_id}", "session", "", refusal)
            raise refusal
        self._session_id = server.enter()
        self._session = Session(
            server.box,
            f"{name.decode()[:32]} uid {self._user_id} pid {self._process_id}",
            may_manage=server.policy.may_manage(self._user_id),
        )
        self._hello_timer.cancel()
        return (version, self._session_id.encode(), *self._status())

    def _status(self) -> Sequence[bytes]:
        box = self._server.box
        return (
            bytes((box.unlocked,)),
            bytes((box.initialised,)),
            os.getpid().to_bytes(4, "big"),
            box.audit_key if box.unlocked else b"",
        )

    def _administer(self, kind: int, fields: list[bytes]) -> Sequence[bytes]:
        assert self._session is not None
        box = self._server.box
        if not self._server.policy.may_manage(self._user_id):
            raise CallerRefusedError("this user may use keys, not administer the box")
        if kind == Operation.GIVE_COMPONENT:
            name, component = wire.component_of(fields)
            return (bytes(box.give_component(component, name=name, session=self._session_id)),)
        if kind == Operation.LOCK:
            box.lock(actor=self._session.actor)
            return ()
        if kind == Operation.VERIFY_AUDIT:
            box.flush_uses()
            report = box.verify_audit()
            return (
                report.head.entry_count.to_bytes(8, "big"),
                report.head.entry_hash.encode(),
                report.sealed_count.to_bytes(8, "big"),
                report.seal_count.to_bytes(8, "big"),
                report.generation.to_bytes(8, "big"),
                report.generation_entry_count.to_bytes(8, "big"),
            )
        raise RequestInvalidError(f"there is no operation {kind}")
