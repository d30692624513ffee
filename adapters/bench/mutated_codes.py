"""Hostile input by the million: codes of every class and suite, broken in every way we know.

Each mutated code is shown to ``codes.verify`` with a guard that has already seen the original, so
the right answer is a refusal: even the one mutation that verifies (the other s of an ECDSA
signature) is the same code again. Only a printed code, which may be shown twice, may also be shown
with its other s; that is counted apart. A crash, another acceptance or a slow answer is a finding.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import codes
from codes import (
    Algorithm,
    CodeError,
    FieldsAuthorisation,
    FieldsP,
    FieldsS,
    IssuerKey,
    KeyRing,
    MemoryReplayGuard,
    Policy,
    Purpose,
    Scope,
    authorise_d,
    base45,
    issue_p,
    issue_s,
    make_d,
)
from codes.issue import Signer
from codes.status_list import StatusList
from codes.suites import PrivateKey, make_private_key
from codes.text_form import P_SIZE

NOW_S: Final = 1_790_000_000
ISSUER_ID: Final = 0x3704
ANSWER_MS_MAX: Final = 5.0
AGAIN: Final = 3
_ALGORITHMS: Final = (Algorithm.ED25519, Algorithm.SM2_SM3, Algorithm.ES256)
_DEVICE_SUITES: Final = (
    (Algorithm.ED25519, Algorithm.ED25519),
    (Algorithm.ED25519, Algorithm.ES256),
    (Algorithm.SM2_SM3, Algorithm.SM2_SM3),
    (Algorithm.SM2_SM3, Algorithm.ES256),
    (Algorithm.ES256, Algorithm.ES256),
)
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_INTERESTING: Final = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)
_STRANGE_CHARACTERS: Final = "aé😀\n\0\ud800Ａ中 :"

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


@dataclass(slots=True)
class FuzzReport:
    """What came of a run.

    ``slowest_ms`` is processor time of the slowest answer, ``slow`` how many took more than the
    bound, ``paused`` how many took more than it the first time only.
    """

    seed: int
    shown: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    printed_twins: int = 0
    slowest_ms: float = 0.0
    slow: int = 0
    paused: int = 0
    accepted: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """No acceptance, no crash, and no input that is slow each time it is shown."""
        return not (self.accepted or self.crashed or self.slow)


def _signer(key: PrivateKey) -> Signer:
    async def sign(message: bytes) -> bytes:
        return key.sign(message)

    return sign


async def _make_codes(issuers: dict[Algorithm, PrivateKey]) -> list[str]:
    phones = {algorithm: make_private_key(algorithm) for algorithm in _ALGORITHMS}
    texts = []
    for number, (algorithm, key) in enumerate(issuers.items()):
        sign = _signer(key)
        token = number.to_bytes(8, "big")
        purpose = Purpose.PAY | Purpose.IDENTITY
        fields_s = FieldsS(
            algorithm=algorithm,
            issuer_id=ISSUER_ID,
            kid=algorithm,
            token=token,
            jti=token,
            scope=Scope.BUS,
            purpose=purpose,
            issued_at_s=NOW_S,
            cap_fen=2000,
        )
        fields_p = FieldsP(
            algorithm=algorithm,
            issuer_id=ISSUER_ID,
            kid=algorithm,
            token=token,
            status_index=number,
            scope=Scope.BUS,
            purpose=purpose,
            issued_at_s=NOW_S,
            validity_days=365,
        )
        texts += [await issue_s(fields_s, sign), await issue_p(fields_p, sign)]
    for number, (issuer, device) in enumerate(_DEVICE_SUITES):
        fields_d = FieldsAuthorisation(
            algorithm=issuer,
            issuer_id=ISSUER_ID,
            kid=issuer,
            token=bytes((number,)) * 8,
            status_index=number,
            scope=Scope.BUS,
            purpose=Purpose.PAY | Purpose.IDENTITY,
            authorised_at_s=NOW_S - 60,
            validity_min=1440,
            cap_fen=2000,
            cumulative_cap_fen=10_000,
            uses_max=20,
            dynamic_ttl_s=30,
            device_algorithm=device,
            device_key=phones[device].public_key.raw,
        )
        granted = await authorise_d(fields_d, _signer(issuers[issuer]))
        texts.append(await make_d(granted, _signer(phones[device]), made_at_s=NOW_S, counter=1))
    return texts


def _flip_bit(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    place = rng.randrange(8 * len(data))
    changed = bytearray(data)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def _set_byte(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    changed[rng.randrange(len(data))] = rng.choice(_INTERESTING)
    return bytes(changed)


def _set_run(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    size = rng.choice((2, 3, 4, 8, 32, 33, 64))
    start = rng.randrange(len(data) - size)
    value = rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size)))
    return data[:start] + value + data[start + size :]


def _splice(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    cut = rng.randrange(1, min(len(data), len(other)))
    return data[:cut] + other[cut:]


def _resize(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    if rng.random() < 0.5:
        return data[: rng.randrange(len(data))]
    return data + rng.randbytes(rng.choice((1, 2, 11, 75)))


def _other_signature(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return data[:-64] + rng.choice(others)[-64:]


def _edge_signature(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    halves = [
        bytes(32),
        (1).to_bytes(32, "big"),
        _P256_ORDER.to_bytes(32, "big"),
        b"\xff" * 32,
        data[-64:-32],
        data[-32:],
    ]
    return data[:-64] + rng.choice(halves) + rng.choice(halves)


def _other_s(_: random.Random, data: bytes, __: Sequence[bytes]) -> bytes:
    s = _P256_ORDER - int.from_bytes(data[-32:], "big")
    return data[:-32] + (s % (1 << 256)).to_bytes(32, "big")


def _noise(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[:2] + rng.randbytes(len(data) - 2)


_MUTATIONS: Final[tuple[Mutation, ...]] = (
    _flip_bit,
    _flip_bit,
    _flip_bit,
    _set_byte,
    _set_run,
    _splice,
    _resize,
    _other_signature,
    _edge_signature,
    _other_s,
    _noise,
)


def _mutate_text(rng: random.Random, text: str) -> str:
    """Damage to the text instead of the bytes."""
    place = rng.randrange(len(text))
    before, after = text[:place], text[place + 1 :]
    return rng.choice(
        (
            before + rng.choice(base45.ALPHABET) + after,
            before + rng.choice(_STRANGE_CHARACTERS) + after,
            before,
            text + text[place:],
            text.swapcase(),
            text[: max(place, 3)] + "A" * 4096,
            "".join(rng.choices(base45.ALPHABET, k=place)),
        )
    )


class Fuzzer:
    """A city of its own, its codes already shown once, and a source of mutations."""

    def __init__(self, seed: int) -> None:
        self.report = FuzzReport(seed)
        # Not for secrets: the same seed must show the same codes.
        self._rng = random.Random(seed)  # noqa: S311  (see above)
        issuers = {algorithm: make_private_key(algorithm) for algorithm in _ALGORITHMS}
        self._ring = KeyRing(
            IssuerKey(
                issuer_id=ISSUER_ID,
                kid=algorithm,
                algorithm=algorithm,
                public_key=key.public_key.raw,
                not_before_s=0,
                not_after_s=2 * NOW_S,
            )
            for algorithm, key in issuers.items()
        )
        self._list = StatusList(
            issuer_id=ISSUER_ID,
            version=1,
            issued_at_s=NOW_S,
            expires_at_s=NOW_S + 60,
            ttl_s=60,
            entry_count=64,
            packed=bytes(16),
        )
        # Identity is all that a printed code is good for offline.
        self._policy = Policy(scope=Scope.BUS, needs=Purpose.IDENTITY)
        self._guard = MemoryReplayGuard()
        self._texts = asyncio.run(_make_codes(issuers))
        self._data = [base45.decode(text[3:]) for text in self._texts]
        for text in self._texts:
            if codes.decode(text).code_class is not codes.CodeClass.P:
                self._verify(text)

    def _verify(self, text: str) -> None:
        codes.verify(text, self._ring, self._list, self._policy, NOW_S, self._guard)

    def _next_text(self) -> str:
        number = self._rng.randrange(len(self._texts))
        if self._rng.random() < 0.15:
            return _mutate_text(self._rng, self._texts[number])
        data = self._data[number]
        for _ in range(self._rng.choice((1, 1, 1, 2, 3))):
            data = self._rng.choice(_MUTATIONS)(self._rng, data, self._data)
            if len(data) < 66:
                break
        return "M1:" + base45.encode(data)

    def run(self, count: int) -> FuzzReport:
        """Show ``count`` mutated codes; the report goes on over several calls."""
        report = self.report
        originals = set(self._texts)
        until = report.shown + count
        while report.shown < until:
            text = self._next_text()
            if text in originals:
                continue
            taken_ms, crash = self._show(text)
            if taken_ms > ANSWER_MS_MAX:
                # A pause of the machine does not come back; an input that is slow stays slow.
                taken_ms = min(self._show(text)[0] for _ in range(AGAIN))
                is_slow = taken_ms > ANSWER_MS_MAX
                report.slow += is_slow
                report.paused += not is_slow
            report.slowest_ms = max(report.slowest_ms, taken_ms)
            if isinstance(crash, CodeError):
                report.refusals[crash.code] += 1
            elif crash is not None:
                report.crashed.append(f"{crash!r}: {text!r}")
            else:
                self._note_acceptance(text)
            report.shown += 1
        return report

    def _show(self, text: str) -> tuple[float, Exception | None]:
        """Processor time of the answer, ms, and what was raised."""
        raised: Exception | None = None
        started_ns = time.thread_time_ns()
        try:
            self._verify(text)
        except Exception as error:  # noqa: BLE001  (any other than a refusal is what we look for)
            raised = error
        return (time.thread_time_ns() - started_ns) / 1e6, raised

    def _note_acceptance(self, text: str) -> None:
        try:
            data = base45.decode(text[3:])
        except base45.Base45Error:
            data = b""  # a verifier that accepts this is broken indeed
        printed = [known[:-64] for known in self._data if len(known) == P_SIZE]
        if data[:-64] in printed:
            self.report.printed_twins += 1
        else:
            self.report.accepted.append(text)
