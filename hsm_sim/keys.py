"""One key inside the box, made ready for use, and what each algorithm may be used for.

The secret of a key is 32 bytes (Ed25519 seed; P-256 and SM2 scalar; AES-256; HMAC) or 16 (SM4,
two-key 3DES). Nothing here stores, counts or logs: see ``simulator``.

Sources: RFC 8032 (Ed25519), FIPS 186-5 (P-256), GB/T 32918 (SM2), NIST SP 800-38B (CMAC),
NIST SP 800-38D and RFC 8998 (GCM), RFC 2104 (HMAC), RFC 5869 (HKDF).
"""

import hmac as constant_time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import cmac, hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsm_sim import sm2
from hsm_sim.der import HALF_SIZE, der_of_halves, raw_of_der
from hsm_sim.interface import (
    Algorithm,
    KeyInfo,
    KeyUsage,
    KeyUsageRefusedError,
    RequestInvalidError,
    SignatureInvalidError,
    WrappedDataInvalidError,
)

RandomBytes = Callable[[int], bytes]

SECRET_SIZE: Final[Mapping[Algorithm, int]] = {
    Algorithm.ED25519: 32,
    Algorithm.P256: 32,
    Algorithm.SM2: 32,
    Algorithm.AES256: 32,
    Algorithm.SM4: 16,
    Algorithm.TDES: 16,
    Algorithm.HMAC_SHA256: 32,
    Algorithm.HMAC_SM3: 32,
}
KEY_PAIRS: Final = frozenset({Algorithm.ED25519, Algorithm.P256, Algorithm.SM2})

USAGES_ALLOWED: Final[Mapping[Algorithm, KeyUsage]] = {
    Algorithm.ED25519: KeyUsage.SIGN,
    Algorithm.P256: KeyUsage.SIGN,
    Algorithm.SM2: KeyUsage.SIGN,
    Algorithm.AES256: KeyUsage.MAC
    | KeyUsage.WRAP
    | KeyUsage.DERIVE
    | KeyUsage.PIN
    | KeyUsage.TRANSPORT,
    Algorithm.SM4: KeyUsage.MAC
    | KeyUsage.WRAP
    | KeyUsage.DERIVE
    | KeyUsage.CARD
    | KeyUsage.PIN
    | KeyUsage.TRANSPORT,
    Algorithm.TDES: KeyUsage.CARD | KeyUsage.PIN,
    Algorithm.HMAC_SHA256: KeyUsage.MAC | KeyUsage.DERIVE | KeyUsage.PIN,
    Algorithm.HMAC_SM3: KeyUsage.MAC | KeyUsage.DERIVE | KeyUsage.PIN,
}
# A key that opens key blocks, PIN blocks or card sessions does nothing else: any second use
# would let a caller turn it into an oracle for the first.
USAGES_ALONE: Final = (KeyUsage.CARD, KeyUsage.PIN, KeyUsage.TRANSPORT)

WRAP_VERSION: Final = b"\x01"
WRAP_NONCE_SIZE: Final = 12
WRAP_TAG_SIZE: Final = 16
WRAP_OVERHEAD_SIZE: Final = len(WRAP_VERSION) + WRAP_NONCE_SIZE + WRAP_TAG_SIZE
WRAP_TAG: Final = b"cardcore-wrap-1\0"
_DERIVE_TAG: Final = b"cardcore-derive-1\0"
_P256_ORDER: Final = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551
_ECDSA: Final = ec.ECDSA(hashes.SHA256())


def check_usage(algorithm: Algorithm, usage: KeyUsage) -> None:
    """Raise ``KeyUsageRefusedError`` unless a key of this algorithm may have this usage."""
    allowed = USAGES_ALLOWED[algorithm]
    if not usage or usage & ~allowed:
        raise KeyUsageRefusedError(f"{algorithm.value} keys may be used for {allowed} only")
    if usage not in USAGES_ALONE and any(usage & alone for alone in USAGES_ALONE):
        raise KeyUsageRefusedError("a card, PIN or transport key may have no second usage")


class Key(Protocol):
    """What is common to all keys in the box."""

    info: KeyInfo
    secret: bytes


class SigningKey:
    """A key pair: Ed25519, P-256 or SM2."""

    def __init__(self, info: KeyInfo, secret: bytes) -> None:
        self.info = info
        self.secret = secret
        self.sign: Callable[[bytes], bytes]
        self._verify: Callable[[bytes, bytes], None]
        if info.algorithm is Algorithm.ED25519:
            ed25519_key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
            self.sign, self._verify = ed25519_key.sign, self._verify_ed25519
            self._ed25519 = ed25519_key.public_key()
        elif info.algorithm is Algorithm.P256:
            self._p256_private = ec.derive_private_key(
                int.from_bytes(secret, "big"), ec.SECP256R1()
            )
            self._p256 = self._p256_private.public_key()
            self.sign, self._verify = self._sign_p256, self._verify_p256
        else:
            assert info.algorithm is Algorithm.SM2
            library = sm2.provider()
            pair = sm2.SM2KeyPair(private=secret, public=info.public_key)
            self.sign = library.signer(pair).sign
            self._verify = library.verifier(info.public_key).verify

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raises ``SignatureInvalidError``."""
        self._verify(message, signature)

    def _verify_ed25519(self, message: bytes, signature: bytes) -> None:
        try:
            self._ed25519.verify(signature, message)
        except InvalidSignature as problem:
            raise SignatureInvalidError("the Ed25519 signature does not match") from problem

    def _sign_p256(self, message: bytes) -> bytes:
        return raw_of_der(self._p256_private.sign(message, _ECDSA))

    def _verify_p256(self, message: bytes, signature: bytes) -> None:
        r = int.from_bytes(signature[:HALF_SIZE], "big")
        s = int.from_bytes(signature[HALF_SIZE:], "big")
        if len(signature) != 2 * HALF_SIZE or not (0 < r < _P256_ORDER and 0 < s < _P256_ORDER):
            raise SignatureInvalidError("a P-256 signature is 64 bytes with halves in the group")
        try:
            self._p256.verify(der_of_halves(r, s), message, _ECDSA)
        except InvalidSignature as problem:
            raise SignatureInvalidError("the P-256 signature does not match") from problem


class BlockKey:
    """A secret key of a block cipher: AES-256, SM4 or (to read what exists) two-key 3DES."""

    def __init__(self, info: KeyInfo, secret: bytes) -> None:
        self.info = info
        self.secret = secret
        self.cipher = block_cipher(info.algorithm, secret)

    def mac(self, message: bytes) -> bytes:
        """CMAC, one cipher block long."""
        state = cmac.CMAC(self.cipher)
        state.update(message)
        return state.finalize()

    def wrap(self, plaintext: bytes, context: bytes, random: RandomBytes) -> bytes:
        """Version 1 ‖ nonce 12 ‖ ciphertext ‖ tag 16, by GCM with the context authenticated.

        The nonce is random: one key should wrap fewer than 2³² times (SP 800-38D, 8.3).
        """
        nonce = random(WRAP_NONCE_SIZE)
        encryptor = Cipher(self.cipher, modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(WRAP_TAG + context)
        sealed = encryptor.update(plaintext) + encryptor.finalize()
        return WRAP_VERSION + nonce + sealed + encryptor.tag

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Raises ``WrappedDataInvalidError``; tells nothing about which part was wrong."""
        if len(wrapped) < WRAP_OVERHEAD_SIZE or wrapped[:1] != WRAP_VERSION:
            raise WrappedDataInvalidError("not wrapped by this module")
        nonce, sealed, tag = wrapped[1:13], wrapped[13:-WRAP_TAG_SIZE], wrapped[-WRAP_TAG_SIZE:]
        decryptor = Cipher(self.cipher, modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(WRAP_TAG + context)
        plaintext = decryptor.update(sealed)
        try:
            return plaintext + decryptor.finalize()
        except InvalidTag as problem:
            raise WrappedDataInvalidError("another key, another context or changed") from problem

    def encrypt_blocks(self, data: bytes) -> bytes:
        """Each cipher block on its own (ECB): a building block for check values and PIN blocks."""
        encryptor = Cipher(self.cipher, modes.ECB()).encryptor()  # noqa: S305  (single blocks)
        return encryptor.update(data) + encryptor.finalize()

    def decrypt_blocks(self, data: bytes) -> bytes:
        """Undo ``encrypt_blocks``."""
        decryptor = Cipher(self.cipher, modes.ECB()).decryptor()  # noqa: S305  (single blocks)
        return decryptor.update(data) + decryptor.finalize()


class HMACKey:
    """A secret key for HMAC with SHA-256 or SM3."""

    def __init__(self, info: KeyInfo, secret: bytes) -> None:
        self.info = info
        self.secret = secret
        self._hash = hash_of(info.algorithm)

    def mac(self, message: bytes) -> bytes:
        """32 bytes."""
        state = hmac.HMAC(self.secret, self._hash)
        state.update(message)
        return state.finalize()


AnyKey = SigningKey | BlockKey | HMACKey


def block_cipher(algorithm: Algorithm, secret: bytes) -> BlockCipherAlgorithm:
    """The cipher of a block key."""
    if algorithm is Algorithm.AES256:
        return AES(secret)
    if algorithm is Algorithm.SM4:
        return SM4(secret)
    assert algorithm is Algorithm.TDES
    return TripleDES(secret + secret[:8])


def hash_of(algorithm: Algorithm) -> hashes.HashAlgorithm:
    """SM3 for the national algorithms, SHA-256 for the others."""
    national = algorithm in (Algorithm.SM2, Algorithm.SM4, Algorithm.HMAC_SM3)
    return hashes.SM3() if national else hashes.SHA256()


def new_key(label: str, algorithm: Algorithm, usage: KeyUsage, random: RandomBytes) -> AnyKey:
    """Make a key.

    Raises:
        KeyUsageRefusedError: usage and algorithm do not fit, or the algorithm is 3DES, of which
            no new keys are made.
    """
    check_usage(algorithm, usage)
    if algorithm is Algorithm.TDES:
        raise KeyUsageRefusedError("3DES keys are imported to read old cards, never made")
    if algorithm is Algorithm.SM2:
        pair = sm2.provider().generate()
        return load_key(label, algorithm, usage, pair.private, public_key=pair.public)
    secret = random(SECRET_SIZE[algorithm])
    if algorithm is Algorithm.P256:
        secret = _p256_scalar(random)
    return load_key(label, algorithm, usage, secret)


def load_key(
    label: str,
    algorithm: Algorithm,
    usage: KeyUsage,
    secret: bytes,
    *,
    public_key: bytes = b"",
) -> AnyKey:
    """A key from its secret; ``public_key`` is needed for SM2 and checked for all.

    Raises:
        KeyUsageRefusedError: usage and algorithm do not fit.
        RequestInvalidError: the secret has not the size of the algorithm, or the public key is
            not its own.
    """
    check_usage(algorithm, usage)
    if len(secret) != SECRET_SIZE[algorithm]:
        raise RequestInvalidError(f"a {algorithm.value} key has {SECRET_SIZE[algorithm]} bytes")
    if algorithm in KEY_PAIRS:
        public_key = _public_key(algorithm, secret, public_key)
        info = KeyInfo(label=label, algorithm=algorithm, usage=usage, public_key=public_key)
        return SigningKey(info, secret)
    key_kind = HMACKey if algorithm in (Algorithm.HMAC_SHA256, Algorithm.HMAC_SM3) else BlockKey
    check_value = secret_check_value(algorithm, secret)
    return key_kind(
        KeyInfo(label=label, algorithm=algorithm, usage=usage, check_value=check_value), secret
    )


def secret_check_value(algorithm: Algorithm, secret: bytes) -> bytes:
    """Key check value: the first 3 bytes of the encryption (or HMAC) of a block of zeros."""
    bare = KeyInfo(label="", algorithm=algorithm, usage=KeyUsage.MAC)
    if algorithm in (Algorithm.HMAC_SHA256, Algorithm.HMAC_SM3):
        return HMACKey(bare, secret).mac(bytes(16))[:3]
    return BlockKey(bare, secret).encrypt_blocks(bytes(16))[:3]


def derive_input(algorithm: Algorithm, usage: KeyUsage, context: bytes) -> bytes:
    """What a derived key is made of besides its parent.

    Algorithm and usage are part of the input, so that the same context never gives the same
    bytes to two keys of different purpose.
    """
    name = algorithm.value.encode()
    return _DERIVE_TAG + bytes((len(name),)) + name + usage.value.to_bytes(2, "big") + context


def derive_secret(
    parent: BlockKey | HMACKey, context: bytes, algorithm: Algorithm, usage: KeyUsage
) -> bytes:
    """The secret of a child key: HKDF over parent, child's algorithm and usage, and context."""
    function = HKDF(
        algorithm=hash_of(parent.info.algorithm),
        length=SECRET_SIZE[algorithm],
        salt=None,
        info=derive_input(algorithm, usage, context),
    )
    return function.derive(parent.secret)


def same_secret(one: AnyKey, other: AnyKey) -> bool:
    """Whether two keys are the same key under the same algorithm and usage."""
    return (one.info.algorithm, one.info.usage) == (
        other.info.algorithm,
        other.info.usage,
    ) and constant_time.compare_digest(one.secret, other.secret)


def _public_key(algorithm: Algorithm, secret: bytes, claimed: bytes) -> bytes:
    if algorithm is Algorithm.SM2:
        # The signer refuses a public key that is not of this scalar.
        return claimed
    if algorithm is Algorithm.ED25519:
        public_key = (
            ed25519.Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
        )
    else:
        scalar = int.from_bytes(secret, "big")
        if not 0 < scalar < _P256_ORDER:
            raise RequestInvalidError("the scalar lies outside the group")
        public_key = (
            ec.derive_private_key(scalar, ec.SECP256R1())
            .public_key()
            .public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        )
    if claimed and claimed != public_key:
        raise RequestInvalidError("the public key is not of this private key")
    return public_key


def _p256_scalar(random: RandomBytes) -> bytes:
    # Eight bytes more than the order make the remainder's bias negligible (FIPS 186-5, A.2.1).
    number = int.from_bytes(random(40), "big") % (_P256_ORDER - 1) + 1
    return number.to_bytes(32, "big")
