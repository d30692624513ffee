"""The HSM interface on a real token: any PKCS#11 library, tried with SoftHSM 2.

Serves Ed25519, P-256, AES-256 and HMAC-SHA-256; a token of this kind knows no national algorithms
and no PIN blocks, so those are refused as ``algorithm_unavailable``. Keys made here are sensitive,
not extractable, and carry only the PKCS#11 attributes of their usage: the token itself refuses
the rest. The Python package is ``python-pkcs11``.

PKCS#11 calls block, so they run in a thread; in one, because ``python-pkcs11`` initialises the
library for use by one thread at a time (with more, SoftHSM crashes).

Differences from the simulator that a caller can see: derived keys are other keys (the token
offers AES-CBC data encryption, not HKDF), and there is no audit log but the token's own.

Source: OASIS PKCS #11 3.1 (CKM_ECDSA, CKM_EDDSA, CKM_AES_CMAC, CKM_AES_GCM,
CKM_AES_CBC_ENCRYPT_DATA, CKM_SHA256_HMAC).
"""

import asyncio
import functools
import hashlib
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from hsm_sim.interface import (
    Algorithm,
    AlgorithmUnavailableError,
    HSMUnavailableError,
    KeyExistsError,
    KeyInfo,
    KeyUnknownError,
    KeyUsage,
    KeyUsageRefusedError,
    RequestInvalidError,
    SignatureInvalidError,
    WrappedDataInvalidError,
)
from hsm_sim.keys import (
    WRAP_NONCE_SIZE,
    WRAP_OVERHEAD_SIZE,
    WRAP_TAG,
    WRAP_VERSION,
    check_usage,
    derive_input,
)
from hsm_sim.labels import check_label
from hsm_sim.session import RANDOM_SIZE_MAX

_TAG_BITS: Final = 128
_KEY_CLASSES: Final = (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY)

_SERVED: Final[Mapping[Algorithm, KeyUsage]] = {
    Algorithm.ED25519: KeyUsage.SIGN,
    Algorithm.P256: KeyUsage.SIGN,
    Algorithm.AES256: KeyUsage.MAC | KeyUsage.WRAP | KeyUsage.DERIVE,
    Algorithm.HMAC_SHA256: KeyUsage.MAC,
}
_CURVE_OF: Final = {
    Algorithm.P256: encode_named_curve_parameters("secp256r1"),
    # The name form: SoftHSM and the 3.x standard both take it.
    Algorithm.ED25519: b"\x13\x0cedwards25519",
}
_PAIR_KIND: Final = {
    Algorithm.P256: (KeyType.EC, Mechanism.EC_KEY_PAIR_GEN),
    Algorithm.ED25519: (KeyType.EC_EDWARDS, Mechanism.EC_EDWARDS_KEY_PAIR_GEN),
}
_SECRET_KIND: Final = {
    Algorithm.AES256: KeyType.AES,
    Algorithm.HMAC_SHA256: KeyType.GENERIC_SECRET,
}
_ATTRIBUTES_OF_USAGE: Final = (
    (KeyUsage.MAC, (Attribute.SIGN, Attribute.VERIFY)),
    (KeyUsage.WRAP, (Attribute.ENCRYPT, Attribute.DECRYPT)),
    (KeyUsage.DERIVE, (Attribute.DERIVE,)),
)
_GUARDED: Final = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}

# What libraries answer when authenticated decryption fails; they do not agree on one code.
_DECRYPT_REFUSALS: Final = (
    pkcs11.EncryptedDataInvalid,
    pkcs11.EncryptedDataLenRange,
    pkcs11.DataInvalid,
    pkcs11.DataLenRange,
    pkcs11.SignatureInvalid,
    pkcs11.GeneralError,
)

# The library's promise covers the process, not one object of ours.
_ONE_AT_A_TIME: Final = threading.Lock()

P = ParamSpec("P")
R = TypeVar("R")


def _in_the_thread(
    function: Callable[Concatenate["PKCS11HSM", P], R],
) -> Callable[Concatenate["PKCS11HSM", P], Coroutine[Any, Any, R]]:
    """Run a blocking method in the token's thread; make the library's errors ours."""

    @functools.wraps(function)
    async def run(hsm: "PKCS11HSM", /, *arguments: P.args, **named: P.kwargs) -> R:
        def work() -> R:
            try:
                with _ONE_AT_A_TIME:
                    return function(hsm, *arguments, **named)
            except pkcs11.PKCS11Error as problem:
                raise HSMUnavailableError(f"the token failed: {problem!r}") from problem

        return await asyncio.get_running_loop().run_in_executor(hsm.thread, work)

    return run


@dataclass(frozen=True, slots=True)
class _TokenKey:
    """A key on the token: handles and what they may do. Never changed, so kept once read."""

    key: Any
    public: Any
    info: KeyInfo


class PKCS11HSM:
    """The calls of ``hsm_sim.interface.HSM`` on a token.

    Args:
        library_path: the token maker's PKCS#11 library.
        token_label: which token.
        pin: of the token's user. Ask an operator or a secret store; keep it out of settings files.

    Raises:
        HSMUnavailableError: no such library or token, or a wrong PIN.
    """

    def __init__(self, library_path: str, token_label: str, pin: str) -> None:
        try:
            with _ONE_AT_A_TIME:
                token = pkcs11.lib(library_path).get_token(token_label=token_label)
                self.session = token.open(rw=True, user_pin=pin)
        except (pkcs11.PKCS11Error, RuntimeError) as problem:
            raise HSMUnavailableError(f"the token does not open: {problem!r}") from problem
        self._known: dict[str, _TokenKey] = {}
        self._closed = False
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="pkcs11")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait for calls under way and log out. Closing twice is closing once."""
        self.thread.shutdown()
        with _ONE_AT_A_TIME:
            if not self._closed:
                self.session.close()
            self._closed = True

    # -- the calls of the interface --------------------------------------------------------

    @_in_the_thread
    def generate(self, label: str, algorithm: Algorithm, usage: KeyUsage) -> KeyInfo:
        """See ``hsm_sim.interface.HSM``."""
        check_label(label)
        _check_served(algorithm, usage)
        if self._find(label) is not None:
            raise KeyExistsError(f"a key with the label {label!r} exists")
        if algorithm in _PAIR_KIND:
            self._generate_pair(label, algorithm)
        else:
            self.session.generate_key(
                _SECRET_KIND[algorithm], 256, label=label, store=True, template=_template(usage)
            )
        return self._get(label).info

    @_in_the_thread
    def describe(self, label: str) -> KeyInfo:
        """See ``hsm_sim.interface.HSM``."""
        return self._get(label).info

    @_in_the_thread
    def list_keys(self) -> list[KeyInfo]:
        """See ``hsm_sim.interface.HSM``. Keys of kinds not served here are left out."""
        labels = {
            str(key[Attribute.LABEL])
            for object_class in _KEY_CLASSES
            for key in self.session.get_objects({Attribute.CLASS: object_class})
            if _algorithm_of(key) is not None
        }
        return [self._get(label).info for label in sorted(labels)]

    @_in_the_thread
    def sign(self, label: str, message: bytes) -> bytes:
        """See ``hsm_sim.interface.HSM``."""
        found = self._get(label, KeyUsage.SIGN)
        data, mechanism = _to_sign(found.info.algorithm, message)
        return bytes(found.key.sign(data, mechanism=mechanism))

    @_in_the_thread
    def verify(self, label: str, message: bytes, signature: bytes) -> None:
        """See ``hsm_sim.interface.HSM``."""
        found = self._get(label, KeyUsage.SIGN)
        data, mechanism = _to_sign(found.info.algorithm, message)
        # Tokens disagree on what an empty or short signature is; a wrong one is all it is.
        if len(signature) != 64 or not found.public.verify(data, signature, mechanism=mechanism):
            raise SignatureInvalidError("the signature does not match")

    @_in_the_thread
    def mac(self, label: str, message: bytes) -> bytes:
        """See ``hsm_sim.interface.HSM``."""
        found = self._get(label, KeyUsage.MAC)
        return _mac(found.key, found.info.algorithm, message)

    @_in_the_thread
    def wrap(self, label: str, plaintext: bytes, *, context: bytes) -> bytes:
        """See ``hsm_sim.interface.HSM``. The form is the simulator's."""
        found = self._get(label, KeyUsage.WRAP)
        nonce = bytes(self.session.generate_random(WRAP_NONCE_SIZE * 8))
        parameters = GCMParams(nonce, WRAP_TAG + context, _TAG_BITS)
        sealed = found.key.encrypt(
            plaintext, mechanism=Mechanism.AES_GCM, mechanism_param=parameters
        )
        return WRAP_VERSION + nonce + bytes(sealed)

    @_in_the_thread
    def unwrap(self, label: str, wrapped: bytes, *, context: bytes) -> bytes:
        """See ``hsm_sim.interface.HSM``."""
        found = self._get(label, KeyUsage.WRAP)
        if len(wrapped) < WRAP_OVERHEAD_SIZE or wrapped[:1] != WRAP_VERSION:
            raise WrappedDataInvalidError("not wrapped by this module")
        nonce, sealed = wrapped[1 : 1 + WRAP_NONCE_SIZE], wrapped[1 + WRAP_NONCE_SIZE :]
        parameters = GCMParams(nonce, WRAP_TAG + context, _TAG_BITS)
        try:
            return bytes(
                found.key.decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=parameters)
            )
        except _DECRYPT_REFUSALS as problem:
            raise WrappedDataInvalidError("another key, another context or changed") from problem

    @_in_the_thread
    def derive(
        self, label: str, context: bytes, *, child: str, algorithm: Algorithm, usage: KeyUsage
    ) -> KeyInfo:
        """See ``hsm_sim.interface.HSM``. The child's CKA_ID remembers what it was made of."""
        check_label(child)
        parent = self._get(label, KeyUsage.DERIVE)
        _check_served(algorithm, usage)
        if algorithm in _PAIR_KIND:
            raise KeyUsageRefusedError("only AES and HMAC keys can be derived")
        data = hashlib.sha256(derive_input(algorithm, usage, context)).digest()
        origin = hashlib.sha256(label.encode() + b"\0" + data).digest()
        existing = self._find(child)
        if existing is None:
            parent.key.derive_key(
                _SECRET_KIND[algorithm],
                256,
                label=child,
                id=origin,
                store=True,
                mechanism=Mechanism.AES_CBC_ENCRYPT_DATA,
                mechanism_param=(bytes(16), data),
                template=_template(usage),
            )
        elif existing.key[Attribute.ID] != origin:
            raise KeyExistsError(f"a key with the label {child!r} exists")
        return self._get(child).info

    @_in_the_thread
    def random(self, size: int) -> bytes:
        """See ``hsm_sim.interface.HSM``."""
        if not 1 <= size <= RANDOM_SIZE_MAX:
            raise RequestInvalidError(f"ask for 1 to {RANDOM_SIZE_MAX} random bytes")
        return bytes(self.session.generate_random(size * 8))

    # -- steps -----------------------------------------------------------------------------

    def _generate_pair(self, label: str, algorithm: Algorithm) -> None:
        key_type, mechanism = _PAIR_KIND[algorithm]
        domain = self.session.create_domain_parameters(
            key_type, {Attribute.EC_PARAMS: _CURVE_OF[algorithm]}, local=True
        )
        domain.generate_keypair(
            mechanism=mechanism,
            label=label,
            store=True,
            public_template={Attribute.VERIFY: True},
            private_template={**_GUARDED, Attribute.SIGN: True, Attribute.DERIVE: False},
        )

    def _find(self, label: str) -> _TokenKey | None:
        """The private or secret key of a label, or None."""
        known = self._known.get(label)
        if known is not None:
            return known
        for object_class in _KEY_CLASSES:
            wanted = {Attribute.CLASS: object_class, Attribute.LABEL: label}
            for key in list(self.session.get_objects(wanted)):
                algorithm = _algorithm_of(key)
                if algorithm is not None:
                    self._known[label] = self._read(label, key, algorithm)
                    return self._known[label]
        return None

    def _get(self, label: str, usage: KeyUsage | None = None) -> _TokenKey:
        found = self._find(label)
        if found is None:
            raise KeyUnknownError(f"no key has the label {label!r}")
        if usage is not None and usage not in found.info.usage:
            raise KeyUsageRefusedError(f"the key {label!r} is not for {usage.name}")
        return found

    def _read(self, label: str, key: Any, algorithm: Algorithm) -> _TokenKey:  # noqa: ANN401
        public, public_key, check_value, usage = None, b"", b"", KeyUsage.SIGN
        if algorithm in _PAIR_KIND:
            public = self.session.get_key(object_class=ObjectClass.PUBLIC_KEY, label=label)
            public_key = _raw_point(algorithm, public[Attribute.EC_POINT])
        else:
            usage = _usage_of(key)
            if algorithm is Algorithm.HMAC_SHA256:
                check_value = _mac(key, algorithm, bytes(16))[:3]
            else:
                check_value = bytes(key[Attribute.CHECK_VALUE])
        info = KeyInfo(
            label=label,
            algorithm=algorithm,
            usage=usage,
            public_key=public_key,
            check_value=check_value,
        )
        return _TokenKey(key, public, info)


def _check_served(algorithm: Algorithm, usage: KeyUsage) -> None:
    check_usage(algorithm, usage)
    if usage & ~_SERVED.get(algorithm, KeyUsage(0)):
        raise AlgorithmUnavailableError(f"the token does no {algorithm.value} for {usage}")


def _template(usage: KeyUsage) -> dict[Attribute, object]:
    template: dict[Attribute, object] = dict(_GUARDED)
    for one, attributes in _ATTRIBUTES_OF_USAGE:
        template.update(dict.fromkeys(attributes, one in usage))
    return template | {Attribute.WRAP: False, Attribute.UNWRAP: False}


def _algorithm_of(key: Any) -> Algorithm | None:  # noqa: ANN401  (no stub)
    kind = key[Attribute.KEY_TYPE]
    for algorithm, key_type in _SECRET_KIND.items():
        if kind == key_type:
            return algorithm if key[Attribute.VALUE_LEN] == 32 else None
    for algorithm, (key_type, _) in _PAIR_KIND.items():
        if kind == key_type and key[Attribute.EC_PARAMS] == _CURVE_OF[algorithm]:
            return algorithm
    return None


def _usage_of(key: Any) -> KeyUsage:  # noqa: ANN401  (objects of the library have no stub)
    usage = KeyUsage(0)
    for one, attributes in _ATTRIBUTES_OF_USAGE:
        if key[attributes[0]]:
            usage |= one
    return usage


def _to_sign(algorithm: Algorithm, message: bytes) -> tuple[bytes, Mechanism]:
    if algorithm is Algorithm.ED25519:
        return message, Mechanism.EDDSA
    return hashlib.sha256(message).digest(), Mechanism.ECDSA


def _mac(key: Any, algorithm: Algorithm, message: bytes) -> bytes:  # noqa: ANN401  (no stub)
    hmac = algorithm is Algorithm.HMAC_SHA256
    return bytes(key.sign(message, mechanism=Mechanism.SHA256_HMAC if hmac else Mechanism.AES_CMAC))


def _raw_point(algorithm: Algorithm, octets: bytes) -> bytes:
    """From the DER octet string of CKA_EC_POINT to 32 (Ed25519) or 33 (P-256) raw bytes."""
    point = bytes(octets[2:])
    if algorithm is Algorithm.ED25519:
        return point
    x, y = point[1:33], point[33:]
    return bytes((2 + y[-1] % 2,)) + x
