"""How fast a verifier is, beside the bare library verification of the same run.

Subject and reference take turns of a few dozen calls, and the ratio reported is the median of the
ratios of neighbouring turns, so that a busy machine slows both alike. Time is processor time of the
thread: what one core does. Memory and start-up are measured in fresh processes; pictures are read
back after a set of degradations by an independent reader.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

import codes
from adapters.bench.issuing import issuing_rates
from adapters.bench.qr_reading import read_rates
from adapters.bench.report import Result
from codes import (
    Algorithm,
    AuthorisationCache,
    FieldsAuthorisation,
    FieldsP,
    FieldsS,
    IssuerKey,
    KeyRing,
    Policy,
    Purpose,
    Scope,
    VerifierMemory,
    authorise_d,
    base45,
    issue_p,
    issue_s,
    make_d,
)
from codes.issue import Signer
from codes.status_list import StatusList, packed_size
from codes.suites import PrivateKey, make_private_key

NOW_S: Final = 1_790_000_000
ISSUER_ID: Final = 0x3704
RATIO_TARGET: Final = 0.75
RATIO_TARGET_CACHED: Final = 1.2
P99_MS_TARGET: Final = 5.0
MEMORY_MIB_MAX: Final = 64.0
TURN_CALLS: Final = 40
TURNS: Final = 120
TURNS_QUICK: Final = 25
START_RUNS: Final = 7
START_RUNS_QUICK: Final = 3
_ALGORITHMS: Final = (Algorithm.ED25519, Algorithm.SM2_SM3, Algorithm.ES256)
_DEVICE_SUITES: Final = (
    (Algorithm.ED25519, Algorithm.ED25519),
    (Algorithm.ED25519, Algorithm.ES256),
    (Algorithm.SM2_SM3, Algorithm.SM2_SM3),
    (Algorithm.SM2_SM3, Algorithm.ES256),
    (Algorithm.ES256, Algorithm.ES256),
)
_LIBRARY: Final = {
    Algorithm.ED25519: "cryptography",
    Algorithm.ES256: "cryptography",
    Algorithm.SM2_SM3: "compiled SM2 library",
}
Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Signed:
    """One signature to verify with nothing around it."""

    algorithm: Algorithm
    public_key: bytes
    signature: bytes
    message: bytes

    def bare(self) -> Call:
        """The library's own verification, all conversions done beforehand."""
        if self.algorithm is Algorithm.ED25519:
            ed25519 = Ed25519PublicKey.from_public_bytes(self.public_key)
            return lambda: ed25519.verify(self.signature, self.message)
        if self.algorithm is Algorithm.ES256:
            p256 = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), self.public_key)
            der = encode_dss_signature(
                int.from_bytes(self.signature[:32], "big"),
                int.from_bytes(self.signature[32:], "big"),
            )
            ecdsa = ECDSA(SHA256())
            return lambda: p256.verify(der, self.message, ecdsa)
        # Imported where it is used: a machine may have no SM2 library.
        from hsm_sim.sm2 import provider  # noqa: PLC0415  (see above)

        sm2 = provider().verifier(self.public_key)
        return lambda: sm2.verify(self.message, self.signature)


@dataclass(frozen=True, slots=True)
class _Subject:
    """A code to verify, beside the bare verification of its signatures."""

    name: str
    verify: Call
    signatures: tuple[_Signed, ...]
    target: float

    @property
    def reference(self) -> str:
        libraries = " + ".join(
            f"{signed.algorithm.name} by {_LIBRARY[signed.algorithm]}" for signed in self.signatures
        )
        return f"bare {libraries}"

    def bare(self) -> Call:
        calls = [signed.bare() for signed in self.signatures]
        if len(calls) == 1:
            return calls[0]
        first, second = calls
        return lambda: (first(), second())


def _signer(key: PrivateKey) -> Signer:
    async def sign(message: bytes) -> bytes:
        return key.sign(message)

    return sign


class _City:
    """Keys, a ring, a status list of a million, and one code of every class and suite."""

    def __init__(self) -> None:
        self._issuers = {algorithm: make_private_key(algorithm) for algorithm in _ALGORITHMS}
        self._phones = {algorithm: make_private_key(algorithm) for algorithm in _ALGORITHMS}
        self._ring = KeyRing(
            IssuerKey(
                issuer_id=ISSUER_ID,
                kid=algorithm,
                algorithm=algorithm,
                public_key=key.public_key.raw,
                not_before_s=0,
                not_after_s=2 * NOW_S,
            )
            for algorithm, key in self._issuers.items()
        )
        entry_count = 1_000_000
        self._list = StatusList(
            issuer_id=ISSUER_ID,
            version=1,
            issued_at_s=NOW_S,
            expires_at_s=NOW_S + 86_400,
            ttl_s=300,
            entry_count=entry_count,
            packed=bytes(packed_size(entry_count)),
        )

    def _call(self, text: str, *, needs: Purpose, cached: bool = False) -> Call:
        policy = Policy(scope=Scope.BUS, needs=needs)
        memory = VerifierMemory(authorisations=AuthorisationCache()) if cached else None
        ring, status_list = self._ring, self._list
        return lambda: codes.verify(text, ring, status_list, policy, NOW_S, None, memory=memory)

    async def subjects(self) -> list[_Subject]:
        """Everything to measure."""
        found = []
        for algorithm in _ALGORITHMS:
            key = self._issuers[algorithm]
            for letter, text in (
                ("S", await self._code_s(algorithm)),
                ("P", await self._code_p(algorithm)),
            ):
                data = base45.decode(text[3:])
                message = f"CC1-{letter}".encode() + data[:-64]
                signed = _Signed(algorithm, key.public_key.raw, data[-64:], message)
                needs = Purpose.PAY if letter == "S" else Purpose.IDENTITY
                name = f"verify class {letter} {algorithm.name}"
                call = self._call(text, needs=needs)
                found.append(_Subject(name, call, (signed,), RATIO_TARGET))
        for issuer, device in _DEVICE_SUITES:
            found += await self._subjects_d(issuer, device)
        return found

    async def _subjects_d(self, issuer: Algorithm, device: Algorithm) -> list[_Subject]:
        granted = await authorise_d(
            FieldsAuthorisation(
                algorithm=issuer,
                issuer_id=ISSUER_ID,
                kid=issuer,
                token=bytes(8),
                status_index=777_777,
                scope=Scope.BUS,
                purpose=Purpose.PAY,
                authorised_at_s=NOW_S - 60,
                validity_min=1440,
                cap_fen=2000,
                cumulative_cap_fen=10_000,
                uses_max=20,
                dynamic_ttl_s=30,
                device_algorithm=device,
                device_key=self._phones[device].public_key.raw,
            ),
            _signer(self._issuers[issuer]),
        )
        text = await make_d(granted, _signer(self._phones[device]), made_at_s=NOW_S, counter=1)
        data = base45.decode(text[3:])
        by_issuer = _Signed(
            issuer,
            self._issuers[issuer].public_key.raw,
            granted.signature,
            b"CC1-A" + granted.signed_part,
        )
        by_device = _Signed(device, granted.device_key, data[-64:], b"CC1-D" + data[:-64])
        signatures = (by_issuer, by_device)
        name = f"verify class D {issuer.name}/{device.name}"
        cached = self._call(text, needs=Purpose.PAY, cached=True)
        plain = self._call(text, needs=Purpose.PAY)
        return [
            _Subject(name, plain, signatures, RATIO_TARGET),
            _Subject(f"{name}, known authorisation", cached, signatures, RATIO_TARGET_CACHED),
        ]

    async def _code_s(self, algorithm: Algorithm) -> str:
        fields = FieldsS(
            algorithm=algorithm,
            issuer_id=ISSUER_ID,
            kid=algorithm,
            token=bytes(8),
            jti=bytes(8),
            scope=Scope.BUS,
            purpose=Purpose.PAY,
            issued_at_s=NOW_S,
            cap_fen=2000,
        )
        return await issue_s(fields, _signer(self._issuers[algorithm]))

    async def _code_p(self, algorithm: Algorithm) -> str:
        fields = FieldsP(
            algorithm=algorithm,
            issuer_id=ISSUER_ID,
            kid=algorithm,
            token=bytes(8),
            status_index=5,
            scope=Scope.BUS,
            purpose=Purpose.IDENTITY,
            issued_at_s=NOW_S,
            validity_days=365,
        )
        return await issue_p(fields, _signer(self._issuers[algorithm]))


def _turn_us(call: Call) -> float:
    """Microseconds of processor time a call takes, over one turn."""
    started_ns = time.thread_time_ns()
    for _ in range(TURN_CALLS):
        call()
    return (time.thread_time_ns() - started_ns) / TURN_CALLS / 1000


def _measure(subject: _Subject, turns: int) -> list[Result]:
    verify, bare = subject.verify, subject.bare()
    _turn_us(verify)
    _turn_us(bare)
    pairs = [(_turn_us(verify), _turn_us(bare)) for _ in range(turns)]
    ratio = statistics.median(bare_us / verify_us for verify_us, bare_us in pairs)
    single_ms = []
    for _ in range(10 * turns):
        started_ns = time.thread_time_ns()
        verify()
        single_ms.append((time.thread_time_ns() - started_ns) / 1e6)
    p99_ms = statistics.quantiles(single_ms, n=100)[98]
    return [
        Result(
            name=subject.name,
            value=1e6 / statistics.median(verify_us for verify_us, _ in pairs),
            unit="1/s per core",
            reference=subject.reference,
            reference_value=1e6 / statistics.median(bare_us for _, bare_us in pairs),
            ratio=ratio,
            target=subject.target,
            met=ratio >= subject.target,
        ),
        Result(
            name=f"{subject.name}, p99",
            value=p99_ms,
            unit="ms",
            target=P99_MS_TARGET,
            met=p99_ms <= P99_MS_TARGET,
        ),
    ]


# What a validator does at start: import, read its ring and its list, judge a first code.
_VERIFIER_PROCESS: Final = """
import sys, time
started = time.perf_counter()
import codes
from codes.status_list import StatusList
imported = time.perf_counter()
import json
given = json.loads(sys.stdin.read())
ring = codes.KeyRing.from_json(given["ring"])
count = given["entry_count"]
packed = bytes(range(256)) * (count // 1024) + bytes((count + 3) // 4 - count // 1024 * 256)
status_list = StatusList(issuer_id=1, version=1, issued_at_s=given["now_s"], ttl_s=60,
    expires_at_s=given["now_s"] + 60, entry_count=count, packed=packed)
policy = codes.Policy(scope=codes.Scope.BUS)
codes.verify(given["text"], ring, status_list, policy, given["now_s"], codes.MemoryReplayGuard())
ready = time.perf_counter()
peak_kib = next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)
print(json.dumps({"import_ms": 1000 * (imported - started), "ready_ms": 1000 * (ready - started),
    "peak_mib": peak_kib / 1024}))
"""


async def _process_input() -> str:
    key = make_private_key(Algorithm.SM2_SM3)
    issuer = IssuerKey(
        issuer_id=ISSUER_ID,
        kid=1,
        algorithm=Algorithm.SM2_SM3,
        public_key=key.public_key.raw,
        not_before_s=0,
        not_after_s=2 * NOW_S,
    )
    fields = FieldsS(
        algorithm=Algorithm.SM2_SM3,
        issuer_id=ISSUER_ID,
        kid=1,
        token=bytes(8),
        jti=bytes(8),
        scope=Scope.BUS,
        purpose=Purpose.PAY,
        issued_at_s=NOW_S,
        cap_fen=2000,
    )
    text = await issue_s(fields, _signer(key))
    given = {
        "ring": KeyRing([issuer]).to_json(),
        "entry_count": 1_000_000,
        "now_s": NOW_S,
        "text": text,
    }
    return json.dumps(given)


def _measure_process(runs: int) -> list[Result]:
    """Memory and start-up of a process that does nothing but verify, SM2 library loaded."""
    given = asyncio.run(_process_input())
    figures = []
    for _ in range(runs):
        finished = subprocess.run(  # noqa: S603  (our own text, no shell)
            [sys.executable, "-c", _VERIFIER_PROCESS],
            input=given,
            capture_output=True,
            text=True,
            check=True,
        )
        figures.append(json.loads(finished.stdout))

    def middle(name: str) -> float:
        return statistics.median(float(figure[name]) for figure in figures)

    peak_mib = max(figure["peak_mib"] for figure in figures)
    return [
        Result(
            name="verifier process with a list of 1 M, peak memory",
            value=peak_mib,
            unit="MiB",
            target=MEMORY_MIB_MAX,
            met=peak_mib <= MEMORY_MIB_MAX,
        ),
        Result(name="verifier start-up: import", value=middle("import_ms"), unit="ms"),
        Result(name="verifier start-up: first code judged", value=middle("ready_ms"), unit="ms"),
    ]


def run(*, quick: bool) -> list[Result]:
    """All figures; ``quick`` takes well under 45 s."""
    results = []
    for subject in asyncio.run(_City().subjects()):
        results += _measure(subject, TURNS_QUICK if quick else TURNS)
    results += _measure_process(START_RUNS_QUICK if quick else START_RUNS)
    results += issuing_rates(quick=quick)
    results += read_rates(quick=quick)
    return results
