"""What a key user may ask of a hardware security module. Served by the simulator and by PKCS#11.

Every key has a label, an algorithm and a usage; asking for anything outside its usage is refused.
No call returns a private or secret key.
"""

from dataclasses import dataclass
from enum import Enum, Flag, auto
from typing import ClassVar, Protocol


class Algorithm(Enum):
    """What a key is for the mathematics. The value is stored and never reused."""

    ED25519 = "ed25519"
    P256 = "p256"
    SM2 = "sm2"
    AES256 = "aes256"
    SM4 = "sm4"
    TDES = "3des"
    HMAC_SHA256 = "hmac-sha256"
    HMAC_SM3 = "hmac-sm3"


class KeyUsage(Flag):
    """What a key may be used for. Set when it is made, never widened."""

    SIGN = auto()
    MAC = auto()
    WRAP = auto()
    DERIVE = auto()
    CARD = auto()  # master key of cards: diversified per card, then TAC and MAC
    PIN = auto()  # encrypts PIN blocks on one leg of their way
    TRANSPORT = auto()  # unwraps key blocks at import


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInfo:
    """What may be known of a key.

    ``public_key`` is the raw form (Ed25519: 32 bytes; P-256 and SM2: 33 bytes compressed) and
    empty for secret keys. ``check_value`` is the key check value of a secret key (3 bytes: the
    start of the encryption or MAC of zeros), empty for key pairs.
    """

    label: str
    algorithm: Algorithm
    usage: KeyUsage
    public_key: bytes = b""
    check_value: bytes = b""


class HSMError(Exception):
    """Base of all refusals of the module. ``code`` is stable and public."""

    code: ClassVar[str] = "hsm_error"
    retryable: ClassVar[bool] = False


class KeyUnknownError(HSMError):
    """No key has this label."""

    code = "key_unknown"


class KeyExistsError(HSMError):
    """A key with this label exists already; keys are never overwritten."""

    code = "key_exists"


class KeyUsageRefusedError(HSMError):
    """The key exists but may not be used for this, or its algorithm cannot do it."""

    code = "key_usage_refused"


class AlgorithmUnavailableError(HSMError):
    """This module (or the library under it) cannot do the algorithm at all."""

    code = "algorithm_unavailable"


class PublicKeyInvalidError(HSMError):
    """The bytes are no public key of the algorithm, or not of the private key beside it."""

    code = "public_key_invalid"


class RequestInvalidError(HSMError):
    """A label, size or parameter outside its documented limits."""

    code = "request_invalid"


class PINBlockInvalidError(HSMError):
    """The decrypted PIN block is not well formed: a wrong key, card number or a changed block."""

    code = "pin_block_invalid"


class WrappedDataInvalidError(HSMError):
    """The wrapped bytes were not made by this key with this context, or were changed."""

    code = "wrapped_data_invalid"


class SignatureInvalidError(HSMError):
    """The signature or MAC does not match."""

    code = "signature_invalid"


class HSMLockedError(HSMError):
    """The module has no master key loaded: a key ceremony or unlocking is needed."""

    code = "hsm_locked"


class HSMUnavailableError(HSMError):
    """The module's process does not answer; the same request may succeed later."""

    code = "hsm_unavailable"
    retryable = True


class HSMStorageError(HSMError):
    """The module cannot write its key file or audit log (disk full?); nothing was done."""

    code = "hsm_storage_failed"
    retryable = True


class HSMRateLimitedError(HSMError):
    """This caller asks faster than it may."""

    code = "hsm_rate_limited"
    retryable = True


class CallerRefusedError(HSMError):
    """The process at the other end may not ask this, or must open a session first."""

    code = "caller_refused"


class HSM(Protocol):
    """The calls every implementation serves. All raise ``HSMError`` kin on refusal."""

    async def generate(self, label: str, algorithm: Algorithm, usage: KeyUsage) -> KeyInfo:
        """Make a key inside. Raises ``KeyExistsError``, ``KeyUsageRefusedError``."""
        ...

    async def describe(self, label: str) -> KeyInfo:
        """What may be known of one key. Raises ``KeyUnknownError``."""
        ...

    async def list_keys(self) -> list[KeyInfo]:
        """All keys, by label."""
        ...

    async def sign(self, label: str, message: bytes) -> bytes:
        """Raw 64-byte signature over ``message`` (ECDSA and SM2: r then s, big-endian)."""
        ...

    async def verify(self, label: str, message: bytes, signature: bytes) -> None:
        """Return when ``signature`` is of this key, else raise ``SignatureInvalidError``."""
        ...

    async def mac(self, label: str, message: bytes) -> bytes:
        """MAC over ``message``: HMAC keys 32 bytes, AES and SM4 keys CMAC 16 bytes."""
        ...

    async def wrap(self, label: str, plaintext: bytes, *, context: bytes) -> bytes:
        """Encrypt with authentication; the result can only be unwrapped with ``context``."""
        ...

    async def unwrap(self, label: str, wrapped: bytes, *, context: bytes) -> bytes:
        """Undo ``wrap``. Raises ``WrappedDataInvalidError``."""
        ...

    async def derive(
        self, label: str, context: bytes, *, child: str, algorithm: Algorithm, usage: KeyUsage
    ) -> KeyInfo:
        """Make the key ``child`` from a DERIVE key and ``context``: same input, same key."""
        ...

    async def random(self, size: int) -> bytes:
        """``size`` random bytes, 1 to 4096."""
        ...


class CardHSM(HSM, Protocol):
    """What cards and PIN pads need besides; the simulator serves it, a general token does not.

    ``card_no`` is the card's number as 8 bytes (16 BCD digits: the right-most of application
    number and sequence number). The key of one card is made from the master key inside, used and
    forgotten.
    """

    async def tac(self, label: str, message: bytes, *, card_no: bytes) -> bytes:
        """4-byte transaction code of ``message`` by the card's own key. SM4 master keys only."""
        ...

    async def verify_tac(self, label: str, message: bytes, tac: bytes, *, card_no: bytes) -> None:
        """Return when ``tac`` is of this card, else raise ``SignatureInvalidError``."""
        ...

    async def translate_pin(self, source: str, target: str, block: bytes, *, pan: str) -> bytes:
        """Decrypt a PIN block under ``source`` and encrypt it anew under ``target``.

        3DES keys carry ISO 9564 format 0 (source only), AES and SM4 keys format 4. ``pan`` is
        12 to 19 digits. Raises ``PINBlockInvalidError``.
        """
        ...

    async def pin_reference(self, source: str, reference: str, block: bytes, *, pan: str) -> bytes:
        """32 bytes to store and compare, so that a PIN can be checked without being seen.

        ``reference`` is an HMAC key of usage PIN. Raises ``PINBlockInvalidError``.
        """
        ...

    async def import_key(self, label: str, block: bytes, *, transport: str) -> KeyInfo:
        """Take in a key sealed under a TRANSPORT key; algorithm and usage are in the block.

        Raises ``WrappedDataInvalidError``, ``KeyExistsError``, ``KeyUsageRefusedError``.
        """
        ...
