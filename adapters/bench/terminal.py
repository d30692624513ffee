"""What one accepted scan costs a validator: verify, count, sign, and wait for the disk.

Class D codes of fresh phones, all signatures checked, one durable transaction each, on the disk of
the folder given. Reference: an append of as many bytes as a record has and ``fsync``, on the same
disk in the same run, which nothing that survives a power cut can go below. Shown beside: the same
scan with the disk left out, and how long the process of a terminal needs to be ready.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import codes
from adapters.bench.report import Result
from adapters.terminal.clock import TerminalClock
from adapters.terminal.decision import Station, Validator
from adapters.terminal.fares import FlatAmount
from adapters.terminal.home import TerminalHome
from adapters.terminal.journal import opened
from adapters.terminal.key import make_key
from adapters.terminal.package_store import PackageStore
from codes import Algorithm, IssuerKey, KeyRing, KeyUse, Purpose, Scope
from codes.layout import Authorisation
from codes.signed_document import DocumentSigner
from codes.status_list import StatusList, pack
from codes.suites import PrivateKey, make_private_key
from codes.terminal_package import make_package
from codes.validator_record import Place

SCANS: Final = 1000
SCANS_QUICK: Final = 150
RECORD_SIZE: Final = 600
_ISSUER_ID: Final = 1
_ENTRIES: Final = 4096
_STARTS: Final = 3
ACCEPTED_MS_MAX: Final = 50.0


class _City:
    """An issuer in memory: one package, and codes of phones that are each used once."""

    def __init__(self, now_s: int) -> None:
        self.now_s = now_s
        self._key = make_private_key(Algorithm.ES256)
        self.ring = KeyRing(
            [
                IssuerKey(
                    issuer_id=_ISSUER_ID,
                    kid=1,
                    algorithm=Algorithm.ES256,
                    public_key=self._key.public_key.raw,
                    not_before_s=now_s - 3600,
                    not_after_s=now_s + 86_400,
                    uses=frozenset(KeyUse),
                )
            ]
        )

    async def _sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    async def package(self) -> bytes:
        """A package with keys and a status list."""
        status_list = StatusList(
            issuer_id=_ISSUER_ID,
            version=1,
            issued_at_s=self.now_s,
            expires_at_s=self.now_s + 86_400,
            ttl_s=300,
            entry_count=_ENTRIES,
            packed=pack({}, _ENTRIES),
        )
        package = await make_package(
            version=1,
            made_at_s=self.now_s,
            expires_at_s=self.now_s + 86_400,
            blobs={"keys": self.ring.to_json().encode()},
            status_lists={_ISSUER_ID: status_list},
            signer=DocumentSigner(
                algorithm=Algorithm.ES256, issuer_id=_ISSUER_ID, kid=1, sign=self._sign
            ),
        )
        return package.container()

    async def codes(self, count: int) -> list[str]:
        """Class D codes, each of a phone of its own."""
        device = make_private_key(Algorithm.ES256)
        return [await self._code(device, await self._authorisation(device)) for _ in range(count)]

    async def _authorisation(self, device: PrivateKey) -> Authorisation:
        return await codes.authorise_d(
            codes.FieldsAuthorisation(
                algorithm=Algorithm.ES256,
                issuer_id=_ISSUER_ID,
                kid=1,
                token=os.urandom(8),
                status_index=5,
                scope=Scope.BUS,
                purpose=Purpose.PAY,
                authorised_at_s=self.now_s,
                validity_min=1440,
                cap_fen=2000,
                cumulative_cap_fen=10_000,
                uses_max=20,
                dynamic_ttl_s=60,
                device_algorithm=Algorithm.ES256,
                device_key=device.public_key.raw,
            ),
            self._sign,
        )

    async def _code(self, device: PrivateKey, authorisation: Authorisation) -> str:
        async def sign(message: bytes) -> bytes:
            return device.sign(message)

        return await codes.make_d(authorisation, sign, made_at_s=self.now_s, counter=1)


def _times_ms(work: Callable[[int], object], count: int) -> list[float]:
    times = []
    for number in range(count):
        started_s = time.perf_counter()
        work(number)
        times.append(1000 * (time.perf_counter() - started_s))
    return times


def _fsync_times_ms(file: Path, count: int) -> list[float]:
    block = os.urandom(RECORD_SIZE)
    with file.open("ab", buffering=0) as stream:

        def append(_: int) -> None:
            stream.write(block)
            os.fsync(stream.fileno())

        return _times_ms(append, count)


def _scan_times_ms(folder: Path, count: int, *, durable: bool) -> list[float]:
    now_s = int(time.time())
    city = _City(now_s)
    home = TerminalHome(folder)
    store = PackageStore(home, city.ring)
    store.take(asyncio.run(city.package()), now_s)
    texts = asyncio.run(city.codes(count))
    station = Station(
        place=Place(terminal_id="bench", line_id="101"),
        scene=Scope.BUS,
        issuer_id=_ISSUER_ID,
        kid=0,
        flat=FlatAmount(200),
    )
    with opened(home.journal_file) as journal:
        if not durable:
            with journal.reading() as connection:
                connection.execute("PRAGMA synchronous = OFF")
        validator = Validator(
            station,
            key=make_key(Algorithm.ED25519),
            store=store,
            journal=journal,
            clock=TerminalClock(lambda: now_s, lambda: now_s),
            random_bytes=os.urandom,
        )

        def scan(number: int) -> None:
            assert validator.decide(texts[number]).accepted

        return _times_ms(scan, count)


def _start_times_ms() -> list[float]:
    command = [sys.executable, "-c", "import adapters.terminal.agent"]
    return _times_ms(lambda _: subprocess.run(command, check=True), _STARTS)  # noqa: S603  (ours)


def run(*, quick: bool, folder: Path | None = None) -> list[Result]:
    """The figures; leaves nothing behind in ``folder`` (default: the system's temporary one)."""
    count = SCANS_QUICK if quick else SCANS
    with tempfile.TemporaryDirectory(prefix="cct-", dir=folder) as place:
        bare = _fsync_times_ms(Path(place) / "bare", count)
        durable = _scan_times_ms(Path(place) / "durable", count, durable=True)
        without = _scan_times_ms(Path(place) / "without", count, durable=False)
    bare_ms, durable_ms = statistics.median(bare), statistics.median(durable)
    p99_ms = statistics.quantiles(durable, n=100)[98]
    return [
        Result(
            name="accepted scan, durable, median",
            value=durable_ms,
            unit="ms",
            reference="append and fsync of a record's bytes",
            reference_value=bare_ms,
            ratio=durable_ms / bare_ms,
        ),
        Result(
            name="accepted scan, durable, p99",
            value=p99_ms,
            unit="ms",
            reference="append and fsync, p99",
            reference_value=statistics.quantiles(bare, n=100)[98],
            target=ACCEPTED_MS_MAX,
            met=p99_ms <= ACCEPTED_MS_MAX,
        ),
        Result(
            name="accepted scan without waiting for the disk, median",
            value=statistics.median(without),
            unit="ms",
        ),
        Result(name="modules of a terminal loaded", value=min(_start_times_ms()), unit="ms"),
    ]
