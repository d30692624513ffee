"""Boxes to test against: in this process, in a process of their own, and a PKCS#11 token."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adapters.pkcs11 import PKCS11HSM
from hsm_sim.client import HSMClient
from hsm_sim.in_process import InProcessHSM
from hsm_sim.process import HSMProcess
from hsm_sim.simulator import Simulator


@pytest.fixture
def box() -> Simulator:
    """A fresh, open box without a home."""
    return Simulator.in_memory()


@pytest.fixture
def memory_hsm() -> InProcessHSM:
    return InProcessHSM.in_memory()


@pytest.fixture
async def process_hsm(tmp_path: Path) -> AsyncIterator[HSMClient]:
    with HSMProcess(tmp_path / "hsm") as process:
        async with HSMClient(process.socket_path, name="test") as client:
            yield client


SOFTHSM_LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
TOKEN_PIN = "1234"


@pytest.fixture(scope="session")
def softhsm_library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SoftHSM 2 with a fresh token ``cardcore``; it reads its settings once per process."""
    library = next((path for path in SOFTHSM_LIBRARIES if Path(path).exists()), None)
    if library is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM 2 is not installed (Debian: apt-get install softhsm2)")
    home = tmp_path_factory.mktemp("softhsm")
    (home / "tokens").mkdir()
    settings = home / "softhsm2.conf"
    settings.write_text(
        f"directories.tokendir = {home}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n",
        encoding="utf-8",
    )
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(settings)
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "cardcore",
         "--pin", TOKEN_PIN, "--so-pin", "5678"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    yield library
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


@pytest.fixture
async def token_hsm(softhsm_library: str) -> AsyncIterator[PKCS11HSM]:
    """A PKCS#11 token with nothing on it."""
    async with PKCS11HSM(softhsm_library, "cardcore", TOKEN_PIN) as hsm:
        for found in list(hsm.session.get_objects()):
            found.destroy()
        yield hsm
