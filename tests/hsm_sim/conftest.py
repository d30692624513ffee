"""Boxes to test against: in this process, in a process of their own, and a PKCS#11 token."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hsm_sim.client import HSMClient
from hsm_sim.in_process import InProcessHSM
from hsm_sim.process import HSMProcess


@pytest.fixture
def memory_hsm() -> InProcessHSM:
    return InProcessHSM.in_memory()


@pytest.fixture
async def process_hsm(tmp_path: Path) -> AsyncIterator[HSMClient]:
    with HSMProcess(tmp_path / "hsm") as process:
        async with HSMClient(process.socket_path, name="test") as client:
            yield client
