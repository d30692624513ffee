"""The real server, in processes of its own, to be put under load."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from adapters.infrastructure import Addresses
from adapters.server import listen
from adapters.settings import Settings

START_TIMEOUT_S: Final = 90.0


@contextmanager
def serving(
    settings: Settings, addresses: Addresses, workers: int
) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """The real server in processes of its own; gives its port."""
    probe = listen("127.0.0.1", 0)
    port = int(probe.getsockname()[1])
    probe.close()
    environment = os.environ | {
        "CARDCORE_HOME": str(settings.home),
        "CARDCORE_DATABASE_URL": addresses.database_url,
        "CARDCORE_HSM_SOCKET": str(addresses.hsm_socket),
        "CARDCORE_PORT": str(port),
    }
    process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
        [sys.executable, "-m", "adapters.cli.main", "serve", "--workers", str(workers)],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/readyz", process)
        yield port, process
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310  (our own address)
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the server did not come up")
