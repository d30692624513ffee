"""SM2 by OpenSSL's libcrypto 3 or newer, called through ctypes.

The digest of the standard is computed by us and signed with ``EVP_PKEY_sign``: that lets a key
keep its prepared contexts, which costs half of the ``EVP_DigestSign`` way. Contexts may not be
used by two threads at once (ctypes releases the interpreter's lock), so each key keeps a stack
of idle ones and a call takes one from it.

Source: the OpenSSL 3 manual pages EVP_PKEY_sign(3), EVP_PKEY_verify(3), d2i_PrivateKey(3).
"""

import ctypes
import secrets
import sys
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_size_t, c_ulong, c_void_p
from typing import Any, Final

from hsm_sim.der import der_of_halves, raw_of_der
from hsm_sim.interface import (
    AlgorithmUnavailableError,
    PublicKeyInvalidError,
    SignatureInvalidError,
)
from hsm_sim.sm2 import (
    PRIVATE_KEY_SIZE,
    PUBLIC_KEY_SIZE,
    N,
    SM2KeyPair,
    SM2Signer,
    SM2Verifier,
    compress,
    identity_digest,
    message_digest,
    split_signature,
)

_VERSION_MIN: Final = 0x30000000
_DER_SIGNATURE_SIZE_MAX: Final = 72

# DER around the keys; 1.2.840.10045.2.1 (EC) with 1.2.156.10197.1.301 (sm2p256v1).
_PRIVATE_HEAD: Final = bytes.fromhex(
    "3041020100301306072a8648ce3d020106082a811ccf5501822d042730250201010420"
)
_PUBLIC_HEAD: Final = bytes.fromhex("3039301306072a8648ce3d020106082a811ccf5501822d032200")

_SIGNATURES: Final[tuple[tuple[str, Any, tuple[Any, ...]], ...]] = (
    ("OpenSSL_version_num", c_ulong, ()),
    ("OpenSSL_version", c_char_p, (c_int,)),
    ("ERR_clear_error", None, ()),
    ("d2i_AutoPrivateKey", c_void_p, (c_void_p, POINTER(c_char_p), c_long)),
    ("d2i_PUBKEY", c_void_p, (c_void_p, POINTER(c_char_p), c_long)),
    ("i2d_PUBKEY", c_int, (c_void_p, POINTER(c_char_p))),
    ("EVP_PKEY_is_a", c_int, (c_void_p, c_char_p)),
    ("EVP_PKEY_free", None, (c_void_p,)),
    ("EVP_PKEY_CTX_new", c_void_p, (c_void_p, c_void_p)),
    ("EVP_PKEY_CTX_free", None, (c_void_p,)),
    ("EVP_PKEY_sign_init", c_int, (c_void_p,)),
    ("EVP_PKEY_sign", c_int, (c_void_p, c_char_p, POINTER(c_size_t), c_char_p, c_size_t)),
    ("EVP_PKEY_verify_init", c_int, (c_void_p,)),
    ("EVP_PKEY_verify", c_int, (c_void_p, c_char_p, c_size_t, c_char_p, c_size_t)),
)


class LibcryptoProvider:
    """SM2 by the system's libcrypto.

    Raises:
        OSError: the library is absent.
        AlgorithmUnavailableError: it is older than 3.0.
    """

    def __init__(self, library_name: str | None = None) -> None:
        if library_name is None:
            library_name = "libcrypto.3.dylib" if sys.platform == "darwin" else "libcrypto.so.3"
        self._library = ctypes.CDLL(library_name)
        for function_name, result, arguments in _SIGNATURES:
            function = getattr(self._library, function_name)
            function.restype, function.argtypes = result, arguments
        if self._library.OpenSSL_version_num() < _VERSION_MIN:
            raise AlgorithmUnavailableError(f"{self.name} is older than OpenSSL 3.0")

    @property
    def name(self) -> str:
        """Name and version, as the library tells it."""
        return bytes(self._library.OpenSSL_version(0)).decode()

    def generate(self) -> SM2KeyPair:
        """A new key pair; the scalar is uniform in 1 to N-2, as the standard wants it."""
        scalar = 1 + secrets.randbelow(N - 2)
        private = scalar.to_bytes(PRIVATE_KEY_SIZE, "big")
        return SM2KeyPair(private=private, public=_Key.private(self._library, private).public())

    def signer(self, pair: SM2KeyPair) -> SM2Signer:
        """A private key made ready."""
        return _Signer(self._library, pair)

    def verifier(self, public_key: bytes) -> SM2Verifier:
        """A public key made ready."""
        return _Verifier(self._library, public_key)


class _Key:
    """An ``EVP_PKEY`` and the contexts made for it; freed together."""

    def __init__(self, library: ctypes.CDLL, pointer: int | None) -> None:
        self.library = library
        self._pointer = pointer
        self._idle: list[int] = []
        if pointer is None or not library.EVP_PKEY_is_a(pointer, b"SM2"):
            library.ERR_clear_error()
            raise PublicKeyInvalidError("the bytes are no SM2 key")

    @classmethod
    def private(cls, library: ctypes.CDLL, scalar: bytes) -> "_Key":
        if not 0 < int.from_bytes(scalar, "big") < N - 1 or len(scalar) != PRIVATE_KEY_SIZE:
            raise PublicKeyInvalidError("an SM2 private key is 32 bytes, 1 to N-2")
        data = _PRIVATE_HEAD + scalar
        cursor = c_char_p(data)
        return cls(library, library.d2i_AutoPrivateKey(None, byref(cursor), len(data)))

    @classmethod
    def of_public(cls, library: ctypes.CDLL, public_key: bytes) -> "_Key":
        data = _PUBLIC_HEAD + public_key
        cursor = c_char_p(data)
        return cls(library, library.d2i_PUBKEY(None, byref(cursor), len(data)))

    def public(self) -> bytes:
        """The public point, 33 bytes."""
        size = self.library.i2d_PUBKEY(self._pointer, None)
        assert size > 0
        buffer = ctypes.create_string_buffer(size)
        cursor = ctypes.cast(buffer, c_char_p)
        self.library.i2d_PUBKEY(self._pointer, byref(cursor))
        point = buffer.raw[-64:]  # the library writes points uncompressed
        return compress(int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big"))

    def take_context(self, initialise: Any) -> int:  # noqa: ANN401  (a ctypes function)
        """A context made ready by ``initialise``; give it back with ``return_context``."""
        try:
            return self._idle.pop()
        except IndexError:
            context = self.library.EVP_PKEY_CTX_new(self._pointer, None)
            assert context is not None
            prepared = initialise(context)
            assert prepared == 1
            return int(context)

    def return_context(self, context: int) -> None:
        self._idle.append(context)

    def __del__(self) -> None:
        for context in self._idle:
            self.library.EVP_PKEY_CTX_free(context)
        self.library.EVP_PKEY_free(self._pointer)


class _Signer:
    def __init__(self, library: ctypes.CDLL, pair: SM2KeyPair) -> None:
        self._key = _Key.private(library, pair.private)
        if self._key.public() != pair.public:
            raise PublicKeyInvalidError("the public key is not of this private key")
        self._identity = identity_digest(pair.public)

    def sign(self, message: bytes) -> bytes:
        library = self._key.library
        digest = message_digest(self._identity, message)
        buffer = ctypes.create_string_buffer(_DER_SIGNATURE_SIZE_MAX)
        size = c_size_t(_DER_SIGNATURE_SIZE_MAX)
        context = self._key.take_context(library.EVP_PKEY_sign_init)
        try:
            signed = library.EVP_PKEY_sign(context, buffer, byref(size), digest, len(digest))
        finally:
            self._key.return_context(context)
        assert signed == 1
        return raw_of_der(buffer.raw[: size.value])


class _Verifier:
    def __init__(self, library: ctypes.CDLL, public_key: bytes) -> None:
        self._identity = identity_digest(public_key)  # refuses what is no point
        assert len(public_key) == PUBLIC_KEY_SIZE
        self._key = _Key.of_public(library, public_key)

    def verify(self, message: bytes, signature: bytes) -> None:
        library = self._key.library
        der = der_of_halves(*split_signature(signature))
        digest = message_digest(self._identity, message)
        context = self._key.take_context(library.EVP_PKEY_verify_init)
        try:
            result = library.EVP_PKEY_verify(context, der, len(der), digest, len(digest))
        finally:
            self._key.return_context(context)
        if result != 1:
            library.ERR_clear_error()
            raise SignatureInvalidError("the SM2 signature does not match")
