"""How many class S codes an issuer makes per second when its key never leaves the module's process.

Reference: the same codes signed by a key in this process. Wall time, since two processes work.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Final

from adapters.bench.report import Result, compared
from codes import Algorithm, FieldsS, Purpose, Scope, issue_s
from codes.issue import Signer
from codes.suites import make_private_key
from hsm_sim.client import HSMClient
from hsm_sim.interface import Algorithm as HSMAlgorithm
from hsm_sim.interface import KeyUsage
from hsm_sim.process import HSMProcess

DURATION_S: Final = 4.0
DURATION_S_QUICK: Final = 0.7
CONCURRENCY: Final = 32
_ALGORITHMS: Final = {
    Algorithm.ED25519: HSMAlgorithm.ED25519,
    Algorithm.SM2_SM3: HSMAlgorithm.SM2,
    Algorithm.ES256: HSMAlgorithm.P256,
}


async def _issued_per_s(algorithm: Algorithm, sign: Signer, duration_s: float) -> float:
    started_s = time.perf_counter()
    until_s = started_s + duration_s
    issued = 0

    async def issue() -> None:
        nonlocal issued
        while time.perf_counter() < until_s:
            fields = FieldsS(
                algorithm=algorithm,
                issuer_id=1,
                kid=1,
                token=os.urandom(8),
                jti=os.urandom(8),
                scope=Scope.BUS,
                purpose=Purpose.PAY,
                issued_at_s=1_790_000_000,
                cap_fen=2000,
            )
            await issue_s(fields, sign)
            issued += 1

    await asyncio.gather(*(issue() for _ in range(CONCURRENCY)))
    return issued / (time.perf_counter() - started_s)


def _sign_here(algorithm: Algorithm) -> Signer:
    key = make_private_key(algorithm)

    async def sign(message: bytes) -> bytes:
        return key.sign(message)

    return sign


def _sign_there(client: HSMClient, label: str) -> Signer:
    async def sign(message: bytes) -> bytes:
        return await client.sign(label, message)

    return sign


async def _measure(home: Path, duration_s: float) -> list[Result]:
    results = []
    with HSMProcess(home, arguments=("--rate-per-s", "1e9")) as process:
        async with HSMClient(process.socket_path, name="bench") as client:
            for algorithm, hsm_algorithm in _ALGORITHMS.items():
                label = f"issue-{algorithm.name.lower()}"
                await client.generate(label, hsm_algorithm, KeyUsage.SIGN)
                there, here = _sign_there(client, label), _sign_here(algorithm)
                results.append(
                    compared(
                        f"issue class S {algorithm.name} through the module's process",
                        await _issued_per_s(algorithm, there, duration_s),
                        "1/s",
                        reference="key in this process",
                        reference_value=await _issued_per_s(algorithm, here, duration_s),
                    )
                )
    return results


def issuing_rates(*, quick: bool) -> list[Result]:
    """Codes per second for each algorithm; leaves nothing behind."""
    # A Unix socket needs a short path.
    with tempfile.TemporaryDirectory(prefix="ccb-", dir="/tmp") as home:
        return asyncio.run(_measure(Path(home) / "box", DURATION_S_QUICK if quick else DURATION_S))
