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
def serve_bare(host: str = "127.0.0.1") -> Iterator[int]:
    """The reference served by a process of its own; gives its port."""
    server = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
        [sys.executable, "-m", "adapters.bench.bare_app", host], stdout=subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        yield int(server.stdout.readline())
    finally:
        server.terminate()
        server.wait(STOP_TIMEOUT_S)
        if server.stdout is not None:
            server.stdout.close()


def main(host: str) -> None:
    """Listen on a free port, say which, serve until told to stop."""
    listener = listen(host, 0)
    # Connections made from now on wait in the backlog: whoever reads the port may connect.
    listener.listen()
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    uvloop.run(http_server(make_bare_app()).serve(sockets=[listener]))


if __name__ == "__main__":
    main(sys.argv[1])
