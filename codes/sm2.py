"""SM2 signatures with SM3 (GB/T 32918.2, user id 1234567812345678) in the shape of ``suites``.

The arithmetic is that of ``hsm_sim.sm2``, a compiled library that has proved itself on the
standard's example; imported only where an SM2 key is met, so a validator of a city without SM2
never loads it.
"""

from typing import ClassVar

from codes.suites import Algorithm, KeyFormError, PublicKey, SignatureError
from hsm_sim.interface import HSMError, SignatureInvalidError
from hsm_sim.sm2 import SM2KeyPair, SM2Provider, provider


class SM2Public:
    """SM2 public key from a compressed point of 33 bytes, strictly decoded."""

    __slots__ = ("_verifier", "raw")
    algorithm: ClassVar[Algorithm] = Algorithm.SM2_SM3

    def __init__(self, raw: bytes, library: SM2Provider | None = None) -> None:
        try:
            self._verifier = (library or provider()).verifier(raw)
        except HSMError as problem:
            raise KeyFormError(f"SM2: {problem}") from None
        self.raw = raw

    def verify(self, signature: bytes, message: bytes) -> None:
        """See ``PublicKey``. r and s outside 1 to n-1 are refused."""
        try:
            self._verifier.verify(message, signature)
        except SignatureInvalidError as problem:
            raise SignatureError(f"SM2: {problem}") from None


class SM2Private:
    """SM2 private key in memory; a random nonce for each signature."""

    __slots__ = ("_signer", "public_key", "secret")

    def __init__(self, secret: bytes, public_raw: bytes) -> None:
        self.public_key: PublicKey = SM2Public(public_raw)
        try:
            self._signer = provider().signer(SM2KeyPair(private=secret, public=public_raw))
        except HSMError as problem:
            raise KeyFormError(f"SM2: {problem}") from None
        self.secret = secret

    def sign(self, message: bytes) -> bytes:
        """See ``PrivateKey``."""
        return self._signer.sign(message)


def make_private_key() -> SM2Private:
    """A new random key."""
    pair = provider().generate()
    return SM2Private(pair.private, pair.public)
