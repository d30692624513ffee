"""The stream of events in NATS JetStream: an installation may have one, none needs it.

Every message carries its id as ``Nats-Msg-Id``, by which the server drops what it has already, and
counts as stored only once the server has acknowledged it. A stream that is not there is made, with
one copy on disk; whoever wants three makes it beforehand. Source: NATS JetStream, "Message
Deduplication" and "Publish acknowledgements".
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cardcore.errors import ServiceUnavailableError
from cardcore.platform.cloud_event import CONTENT_TYPE
from cardcore.platform.event_feed import StreamMessage

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext

STREAM: Final = "CARDCORE"
SUBJECT_PREFIX: Final = "cardcore.events."
# How long the server remembers ids: longer than a worker takes to come back.
DUPLICATES_S: Final = 600.0
CONNECT_S: Final = 2
ACKNOWLEDGE_S: Final = 2.0


class ExtraMissingError(RuntimeError):
    """``CARDCORE_NATS_URL`` is set and the client library is not installed."""

    def __init__(self) -> None:
        super().__init__("CARDCORE_NATS_URL needs the extra: pip install 'cardcore[jetstream]'")


class JetStream:
    """Implements ``cardcore.platform.event_feed.EventStream``.

    Args:
        url: ``nats://…`` or ``tls://…``; may name user and password, or several servers by commas.
    """

    def __init__(self, url: str) -> None:
        try:
            import nats  # noqa: PLC0415  (only an installation with a stream has it)
        except ImportError:
            raise ExtraMissingError from None
        self._nats = nats
        self._servers = url.split(",")
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None

    async def publish(self, messages: Sequence[StreamMessage]) -> int:
        """See ``EventStream``. Sent side by side, and in order: one connection carries them all."""
        stream = await self._connected()
        answers = await asyncio.gather(
            *(
                stream.publish(
                    f"{SUBJECT_PREFIX}{message.topic}",
                    message.body,
                    timeout=ACKNOWLEDGE_S,
                    headers={"Nats-Msg-Id": message.message_id, "Content-Type": CONTENT_TYPE},
                )
                for message in messages
            ),
            return_exceptions=True,
        )
        stored = 0
        for answer in answers:
            if isinstance(answer, BaseException):
                await self.close()
                break
            stored += 1
        if messages and not stored:
            raise ServiceUnavailableError("the event stream takes nothing")
        return stored

    async def close(self) -> None:
        """Give the connection up; the next call makes another."""
        client, self._client, self._stream = self._client, None, None
        if client is not None:
            with contextlib.suppress(self._nats.errors.Error, OSError, TimeoutError):
                await client.close()

    async def _connected(self) -> "JetStreamContext":
        if self._stream is not None and self._client is not None and self._client.is_connected:
            return self._stream
        await self.close()
        try:
            self._client = await self._nats.connect(
                servers=self._servers,
                name="cardcore relay",
                connect_timeout=CONNECT_S,
                # The feed is the memory: a broken connection is made anew by the next round.
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                error_cb=_ignore,
            )
            stream = self._client.jetstream(timeout=ACKNOWLEDGE_S)
            await _make(stream)
        except (self._nats.errors.Error, OSError, TimeoutError) as error:
            await self.close()
            raise ServiceUnavailableError("the event stream is away") from error
        self._stream = stream
        return stream


async def _make(stream: "JetStreamContext") -> None:
    from nats.js.api import StreamConfig  # noqa: PLC0415  (as above)
    from nats.js.errors import NotFoundError  # noqa: PLC0415

    try:
        await stream.stream_info(STREAM)
    except NotFoundError:
        await stream.add_stream(
            StreamConfig(
                name=STREAM,
                subjects=[f"{SUBJECT_PREFIX}>"],
                duplicate_window=DUPLICATES_S,
                description="Events of the citizen-card core, as CloudEvents",
            )
        )


async def _ignore(_: Exception) -> None:
    """Errors reach the caller of ``publish``; the client need not print them as well."""
