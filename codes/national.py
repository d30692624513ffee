"""The national hash and cipher for data a terminal keeps or carries: SM3, HMAC-SM3, SM4-GCM.

SM3 is GB/T 32905, SM4 is GB/T 32907, GCM is NIST SP 800-38D and, for SM4, RFC 8998. The arithmetic
is that of the compiled library; here stand the limits. Keys that belong to the issuer live in the
security module, never here.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.hashes import SM3, Hash
from cryptography.hazmat.primitives.hmac import HMAC

DIGEST_SIZE: Final = 32
SM4_KEY_SIZE: Final = 16
GCM_TAG_SIZE: Final = 16
# Nonces below 8 bytes repeat too soon; above 128 the library stops.
GCM_NONCE_SIZES: Final = range(8, 129)


class AuthenticationError(ValueError):
    """A MAC or tag does not fit: other key, other nonce, or changed data."""


def sm3(data: bytes) -> bytes:
    """SM3 digest, 32 bytes."""
    state = Hash(SM3())
    state.update(data)
    return state.finalize()


def hmac_sm3(key: bytes, message: bytes) -> bytes:
    """HMAC with SM3, 32 bytes."""
    state = HMAC(key, SM3())
    state.update(message)
    return state.finalize()


def verify_hmac_sm3(key: bytes, message: bytes, mac: bytes) -> None:
    """Return when ``mac`` (32 bytes) fits, else raise ``AuthenticationError``; constant time."""
    state = HMAC(key, SM3())
    state.update(message)
    try:
        state.verify(mac)
    except InvalidSignature:
        raise AuthenticationError("HMAC-SM3 does not fit") from None


def _check_sizes(key: bytes, nonce: bytes) -> None:
    if len(key) != SM4_KEY_SIZE:
        raise ValueError("an SM4 key is 16 bytes")
    if len(nonce) not in GCM_NONCE_SIZES:
        raise ValueError("a nonce is 8 to 128 bytes, 12 where there is a choice")


def sm4_gcm_seal(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """Ciphertext and then the tag (16 bytes). One key must never see one nonce twice.

    Raises:
        ValueError: key or nonce of another size.
    """
    _check_sizes(key, nonce)
    encryptor = Cipher(SM4(key), GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(associated)
    return encryptor.update(plaintext) + encryptor.finalize() + encryptor.tag


def sm4_gcm_open(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    """Undo ``sm4_gcm_seal``.

    Raises:
        ValueError: key or nonce of another size.
        AuthenticationError: anything else is not as it was sealed; no plaintext leaves.
    """
    _check_sizes(key, nonce)
    if len(sealed) < GCM_TAG_SIZE:
        raise AuthenticationError("too short for a tag")
    ciphertext, tag = sealed[:-GCM_TAG_SIZE], sealed[-GCM_TAG_SIZE:]
    decryptor = Cipher(SM4(key), GCM(nonce, tag)).decryptor()
    decryptor.authenticate_additional_data(associated)
    plaintext = decryptor.update(ciphertext)
    try:
        return plaintext + decryptor.finalize()
    except InvalidTag:
        raise AuthenticationError("SM4-GCM tag does not fit") from None
