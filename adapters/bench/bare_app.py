"""The reference every HTTP figure stands beside: a FastAPI endpoint that does nothing.

``serve_bare`` runs it under the same server, with the same settings, as the real one.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvloop
from fastapi import FastAPI

from adapters.server import http_server, listen

PATH: Final = "/bare"
STOP_TIMEOUT_S: Final = 20


def make_bare_app() -> FastAPI:
    """One GET that answers with a constant."""
    app = FastAPI()

    @app.get(PATH)
    async def bare() -> dict[str, bool]:
        return {"ok": True}

    return app


@contextmanager
def serve_bare(host: str = "127.0.0.1", *, workers: int = 1) -> Iterator[int]:
    """The reference served by processes of its own on one port; gives the port."""
    held = listen(host, 0, shared=True)
    port = int(held.getsockname()[1])
    servers = [
        subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            [sys.executable, "-m", "adapters.bench.bare_app", host, str(port)],
            stdout=subprocess.PIPE,
        )
        for _ in range(workers)
    ]
    try:
        for server in servers:
            assert server.stdout is not None
            assert server.stdout.readline()
        yield port
    finally:
        held.close()
        for server in servers:
            server.terminate()
            server.wait(STOP_TIMEOUT_S)
            if server.stdout is not None:
                server.stdout.close()


def main(host: str, port: int) -> None:
    """Listen, say so, serve until told to stop."""
    listener = listen(host, port, shared=True)
    # Connections made from now on wait in the backlog: whoever has read the line may connect.
    listener.listen()
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    uvloop.run(http_server(make_bare_app()).serve(sockets=[listener]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
