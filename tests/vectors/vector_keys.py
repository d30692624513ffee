"""The test keys of the public vectors: public on purpose, good for nothing else."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from codes import Algorithm, IssuerKey, KeyRing
from codes.suites import PrivateKey, load_private_key, make_private_key

NOW_S: Final = 1_790_000_000
ISSUER_ID: Final = 0x3704
ALGORITHMS: Final = (Algorithm.ED25519, Algorithm.SM2_SM3, Algorithm.ES256)
OUT_OF_DATE_KID: Final = 0x10
Sign = Callable[[bytes], Awaitable[bytes]]


class Keys:
    """The test keys by name, read from ``keys.json`` or made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stored: dict[str, dict[str, str]] = (
            json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        )

    def key(self, role: str, algorithm: Algorithm) -> PrivateKey:
        """The key of ``issuer``, ``device``, ``terminal``, ``root`` and so on."""
        name = f"{role}-{algorithm.name.lower()}"
        if name not in self._stored:
            made = make_private_key(algorithm)
            self._stored[name] = {
                "private": made.secret.hex(),
                "public": made.public_key.raw.hex(),
            }
        stored = self._stored[name]
        return load_private_key(
            algorithm, bytes.fromhex(stored["private"]), bytes.fromhex(stored["public"])
        )

    def sign(self, role: str, algorithm: Algorithm) -> Sign:
        """An async call that signs with that key."""
        key = self.key(role, algorithm)

        async def sign(message: bytes) -> bytes:
            return key.sign(message)

        return sign

    def ring(self) -> KeyRing:
        """One current key of each algorithm (kid = algorithm), and one whose window is over."""
        keys = [
            IssuerKey(
                issuer_id=ISSUER_ID,
                kid=algorithm,
                algorithm=algorithm,
                public_key=self.key("issuer", algorithm).public_key.raw,
                not_before_s=NOW_S - 10_000_000,
                not_after_s=NOW_S + 100_000_000,
            )
            for algorithm in ALGORITHMS
        ]
        last = keys[-1]
        over = replace(last, kid=OUT_OF_DATE_KID, not_after_s=NOW_S)
        return KeyRing([*keys, over])

    def write(self) -> None:
        """Keep what was made."""
        text = json.dumps(self._stored, indent=1, sort_keys=True)
        self._path.write_text(text + "\n", encoding="utf-8")
