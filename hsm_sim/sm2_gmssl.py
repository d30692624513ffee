"""SM2 by gmssl-fast, for machines without OpenSSL 3. Slower, the same on every platform.

The library writes a few lines to the process's standard error for each refused signature.
"""

import importlib.metadata
from typing import Final

import gmssl_fast

from hsm_sim.interface import PublicKeyInvalidError, SignatureInvalidError
from hsm_sim.sm2 import SM2KeyPair, SM2Signer, SM2Verifier, compress, decompress, split_signature

_REFUSALS: Final = (gmssl_fast.GmsslError, gmssl_fast.GmsslValueError)


class GmsslProvider:
    """SM2 by gmssl-fast (GmSSL underneath)."""

    @property
    def name(self) -> str:
        """Name and version."""
        return f"gmssl-fast {importlib.metadata.version('gmssl-fast')}"

    def generate(self) -> SM2KeyPair:
        """A new key pair."""
        pair = gmssl_fast.SM2.generate()
        assert pair.private_key_hex is not None
        assert pair.public_key_hex is not None
        point = bytes.fromhex(pair.public_key_hex)
        return SM2KeyPair(
            private=bytes.fromhex(pair.private_key_hex),
            public=compress(int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")),
        )

    def signer(self, pair: SM2KeyPair) -> SM2Signer:
        """A private key made ready; the library checks that the halves belong together."""
        return _Signer(pair)

    def verifier(self, public_key: bytes) -> SM2Verifier:
        """A public key made ready."""
        return _Verifier(public_key)


class _Signer:
    def __init__(self, pair: SM2KeyPair) -> None:
        self._key = gmssl_fast.SM2(pair.private.hex(), _point_hex(pair.public))
        try:
            self._key.sign(b"")
        except _REFUSALS as problem:
            raise PublicKeyInvalidError("the public key is not of this private key") from problem

    def sign(self, message: bytes) -> bytes:
        return bytes(self._key.sign(message))


class _Verifier:
    def __init__(self, public_key: bytes) -> None:
        self._key = gmssl_fast.SM2(public_key=_point_hex(public_key))

    def verify(self, message: bytes, signature: bytes) -> None:
        split_signature(signature)
        try:
            accepted = self._key.verify(message, signature)
        except _REFUSALS as problem:
            raise SignatureInvalidError("the SM2 signature does not match") from problem
        if not accepted:
            raise SignatureInvalidError("the SM2 signature does not match")


def _point_hex(public_key: bytes) -> str:
    x, y = decompress(public_key)
    return f"{x:064x}{y:064x}"
