"""Serving the HTTP face: one event loop in this process, or several worker processes."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from types import FrameType
from typing import Final

import uvicorn
import uvloop
from starlette.types import ASGIApp

from adapters.door_watch import DoorWatch
from adapters.fare_watch import FareWatch
from adapters.http.load import Load
from adapters.infrastructure import Addresses
from adapters.key_watch import KeyWatch
from adapters.memory import settle_memory
from adapters.prompt_protocol import PromptProtocol
from adapters.settings import Settings
from adapters.wiring import City, make_api, open_city

Beside = Callable[[City, str], Coroutine[None, None, None]]

DRAIN_S: Final = 15
KEEP_ALIVE_S: Final = 30
WORKER_POLL_S: Final = 0.5
YOUNG_OBJECTS_MAX: Final = 10_000


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket; ``shared`` lets further workers of ours listen on the same port.

    Raises:
        OSError: the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    listener.settimeout(0)
    return listener


def serve(
    addresses: Addresses,
    settings: Settings,
    *,
    shared_port: bool = False,
    beside: Beside | None = None,
    on_ready: Callable[[City, str], None] | None = None,
) -> None:
    """Serve until told to stop (SIGINT, SIGTERM), then finish what is under way.

    ``beside`` runs for as long as the server does, on the same event loop; it gets the server's
    URL.
    """
    uvloop.run(_serve(addresses, settings, shared_port, beside, on_ready))


async def _serve(
    addresses: Addresses,
    settings: Settings,
    shared_port: bool,  # noqa: FBT001  (private)
    beside: Beside | None,
    on_ready: Callable[[City, str], None] | None,
) -> None:
    listener = listen(settings.host, settings.port, shared=shared_port)
    public_url = f"http://{settings.host}:{listener.getsockname()[1]}"
    async with open_city(addresses, settings) as city:
        app = await make_api(
            city,
            public_url=public_url,
            log_to=sys.stderr.buffer,
            frame_ancestors=settings.frame_ancestors,
        )
        server = http_server(app, app.load, leave_notice_s=settings.leave_notice_s)
        settle_memory(YOUNG_OBJECTS_MAX)
        if on_ready is not None:
            on_ready(city, public_url)
        companions = [
            asyncio.create_task(FareWatch(city).keep_looking()),
            asyncio.create_task(DoorWatch(city).keep_looking()),
            asyncio.create_task(KeyWatch(city).keep_looking()),
        ]
        if beside is not None:
            companions.append(asyncio.create_task(beside(city, public_url)))
        try:
            await server.serve(sockets=[listener])
        finally:
            for companion in companions:
                companion.cancel()
            await asyncio.gather(*companions, return_exceptions=True)


class GuestServer(uvicorn.Server):
    """A server beside another one in the same process, which alone listens to signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to the other one."""
        yield


def guest_server(app: ASGIApp) -> GuestServer:
    """The server around an app that is served beside ours, such as a partner's simulator."""
    return GuestServer(
        uvicorn.Config(app, log_config=None, access_log=False, server_header=False, lifespan="off")
    )


class LeavingServer(uvicorn.Server):
    """A server that is told to stop says so for a while before it closes its door.

    A balancer asks ``/readyz`` every so often; until it has asked, it goes on sending requests,
    and a door that is closed already would lose them. A second signal, or Ctrl-C, ends the wait.
    """

    def __init__(self, config: uvicorn.Config, load: Load, notice_s: float) -> None:
        super().__init__(config)
        self._load = load
        self._notice_s = notice_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal."""
        waits = sig == signal.SIGTERM and self._notice_s > 0 and not self._load.leaving
        self._load.leaving = True
        if not waits:
            super().handle_exit(sig, frame)
            return
        # Python runs signal handlers between two steps of the loop of this thread.
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(loop.call_later, self._notice_s, self._leave, sig)

    def _leave(self, sig: int) -> None:
        super().handle_exit(sig, None)


def http_server(
    app: ASGIApp, load: Load | None = None, *, leave_notice_s: float = 0.0
) -> uvicorn.Server:
    """The server around an app: no banner, bounded drain, request lines left to the app.

    ``load`` is the app's own, where it has one that is to know when the server leaves.
    """
    return LeavingServer(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=DRAIN_S,
            http=PromptProtocol,
            ws="none",
            proxy_headers=False,  # a proxy in front is told so by the public URL, not per request
            lifespan="off",
        ),
        load or Load(in_flight_high=0, retry_after_s=0),
        leave_notice_s,
    )


def serve_with_workers(count: int) -> int:
    """Run ``count`` worker processes on one port; when one dies, stop the others.

    Returns:
        The exit code: 0 when told to stop, else that of the worker that died.
    """
    workers = [
        subprocess.Popen([sys.executable, "-m", "adapters.cli.main", "serve", "--shared-port"])
        for _ in range(count)
    ]
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        for worker in workers:
            worker.send_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    code = 0
    while any(worker.poll() is None for worker in workers):
        dead = [worker for worker in workers if worker.poll() not in (None, 0)]
        if dead and not stopping:
            code = dead[0].returncode
            stop()
        time.sleep(WORKER_POLL_S)
    return code
