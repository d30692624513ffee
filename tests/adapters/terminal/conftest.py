from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.terminal.depot import Depot
from tests.adapters.terminal.fake_server import FakeServer, serving


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    """A server of terminals on loopback."""
    with serving(FakeServer()) as server:
        yield server


@pytest.fixture
def depot(tmp_path: Path, fake: FakeServer) -> Depot:
    """One terminal of that server, not enrolled yet."""
    return Depot(tmp_path / "terminal", fake)
