"""What one caller may ask of the box: the calls of ``interface`` without ``async``.

Every call checks the key's usage, counts or records itself in the audit log under the caller's
name, and refuses by raising. Limits on sizes are here, so that they hold on every way in.
"""

import hmac
from typing import Final

from hsm_sim import card, key_block, pin_block
from hsm_sim.ceremony import Ceremony, Component
from hsm_sim.interface import (
    Algorithm,
    HSMError,
    KeyExistsError,
    KeyInfo,
    KeyUsage,
    KeyUsageRefusedError,
    RequestInvalidError,
    SignatureInvalidError,
    WrappedDataInvalidError,
)
from hsm_sim.keys import (
    KEY_PAIRS,
    WRAP_OVERHEAD_SIZE,
    AnyKey,
    BlockKey,
    HMACKey,
    SigningKey,
    check_usage,
    derive_secret,
    load_key,
    new_key,
    same_secret,
)
from hsm_sim.labels import check_label
from hsm_sim.simulator import Simulator

MESSAGE_SIZE_MAX: Final = 48 * 1024
CONTEXT_SIZE_MAX: Final = 1024
RANDOM_SIZE_MAX: Final = 4096
_PIN_REFERENCE_TAG: Final = b"cardcore-pin-1\0"


class Session:
    """One caller's session.

    Args:
        box: the module.
        actor: name of the caller in the audit log.
        may_manage: whether keys may be made, derived and imported here, or only used.
    """

    def __init__(self, box: Simulator, actor: str, *, may_manage: bool = True) -> None:
        self._box = box
        self.actor = actor
        self._may_manage = may_manage

    # -- managing keys ---------------------------------------------------------------------

    def generate(self, label: str, algorithm: Algorithm, usage: KeyUsage) -> KeyInfo:
        """Make a key inside. Raises ``KeyExistsError``, ``KeyUsageRefusedError``."""
        try:
            self._check_management(label)
            self._box.require_free(label)
            key = new_key(label, algorithm, usage, self._box.random)
            self._box.add(key, actor=self.actor, action="generate")
        except HSMError as refusal:
            self._box.record_refusal(self.actor, "generate", label, refusal)
            raise
        return key.info

    def derive(
        self, label: str, context: bytes, *, child: str, algorithm: Algorithm, usage: KeyUsage
    ) -> KeyInfo:
        """Make ``child``; when it exists and is that very key, say so again."""
        try:
            self._check_management(child)
            _check_size(context, CONTEXT_SIZE_MAX)
            parent = self._key(label, KeyUsage.DERIVE)
            assert not isinstance(parent, SigningKey)
            if algorithm in KEY_PAIRS or algorithm is Algorithm.TDES:
                raise KeyUsageRefusedError("only AES, SM4 and HMAC keys can be derived")
            check_usage(algorithm, usage)
            key = load_key(
                child, algorithm, usage, derive_secret(parent, context, algorithm, usage)
            )
            try:
                self._box.add(key, actor=self.actor, action="derive", detail=f"from {label}")
            except KeyExistsError:
                if not same_secret(self._box.key(child), key):
                    raise
        except HSMError as refusal:
            self._box.record_refusal(self.actor, "derive", child, refusal)
            raise
        return key.info

    def import_key(self, label: str, block: bytes, *, transport: str) -> KeyInfo:
        """Take in a key block sealed under a TRANSPORT key, for exactly this label."""
        try:
            self._check_management(label)
            _check_size(block, CONTEXT_SIZE_MAX)
            wrapping = self._key(transport, KeyUsage.TRANSPORT)
            assert isinstance(wrapping, BlockKey)
            key = key_block.open_sealed(block, wrapping)
            if key.info.label != label:
                raise WrappedDataInvalidError(f"the block is for the label {key.info.label!r}")
            self._box.add(key, actor=self.actor, action="import", detail=f"under {transport}")
        except HSMError as refusal:
            self._box.record_refusal(self.actor, "import", label, refusal)
            raise
        return key.info

    def load_components(
        self,
        label: str,
        algorithm: Algorithm,
        usage: KeyUsage,
        components: tuple[tuple[str, Component], ...],
    ) -> KeyInfo:
        """Make a key of three custodians' components, as (custodian's name, component).

        For transport keys agreed with a partner. The names must differ; each component must
        match its check value.
        """
        try:
            self._check_management(label)
            self._box.require_free(label)
            now = self._box.clock()
            ceremony = Ceremony(algorithm, now)
            for name, component in components:
                ceremony.give(component, name=name, session=name, now=now)
            key = load_key(label, algorithm, usage, ceremony.finish())
            names = ", ".join(name for name, _ in components)
            self._box.add(key, actor=self.actor, action="ceremony", detail=f"by {names}")
        except HSMError as refusal:
            self._box.record_refusal(self.actor, "ceremony", label, refusal)
            raise
        return key.info

    # -- looking ---------------------------------------------------------------------------

    def describe(self, label: str) -> KeyInfo:
        """What may be known of one key."""
        return self._box.key(label).info

    def list_keys(self) -> list[KeyInfo]:
        """All keys, by label."""
        return [key.info for key in self._box.all_keys()]

    # -- using keys ------------------------------------------------------------------------

    def sign(self, label: str, message: bytes) -> bytes:
        """Raw 64-byte signature."""
        key = self._use("sign", label, KeyUsage.SIGN, message)
        assert isinstance(key, SigningKey)
        return key.sign(message)

    def verify(self, label: str, message: bytes, signature: bytes) -> None:
        """Return when the signature is of this key, else raise ``SignatureInvalidError``."""
        key = self._use("verify", label, KeyUsage.SIGN, message)
        assert isinstance(key, SigningKey)
        try:
            key.verify(message, signature)
        except SignatureInvalidError as refusal:
            self._box.count_use(self.actor, "verify", label, refusal.code)
            raise

    def mac(self, label: str, message: bytes) -> bytes:
        """32 bytes by an HMAC key, 16 by a block key."""
        key = self._use("mac", label, KeyUsage.MAC, message)
        assert not isinstance(key, SigningKey)
        return key.mac(message)

    def wrap(self, label: str, plaintext: bytes, *, context: bytes) -> bytes:
        """Authenticated encryption; see ``keys.BlockKey.wrap`` for the form."""
        _check_size(context, CONTEXT_SIZE_MAX)
        key = self._use("wrap", label, KeyUsage.WRAP, plaintext)
        assert isinstance(key, BlockKey)
        return key.wrap(plaintext, context, self._box.random)

    def unwrap(self, label: str, wrapped: bytes, *, context: bytes) -> bytes:
        """Undo ``wrap``. Raises ``WrappedDataInvalidError``."""
        _check_size(context, CONTEXT_SIZE_MAX)
        _check_size(wrapped, MESSAGE_SIZE_MAX + WRAP_OVERHEAD_SIZE)
        key = self._use("unwrap", label, KeyUsage.WRAP, b"")
        assert isinstance(key, BlockKey)
        return key.unwrap(wrapped, context)

    def random(self, size: int) -> bytes:
        """``size`` random bytes, 1 to 4096."""
        if not 1 <= size <= RANDOM_SIZE_MAX:
            raise RequestInvalidError(f"ask for 1 to {RANDOM_SIZE_MAX} random bytes")
        return self._box.random(size)

    # -- cards and PINs --------------------------------------------------------------------

    def tac(self, label: str, message: bytes, *, card_no: bytes) -> bytes:
        """4-byte transaction code by the card's own key; SM4 only, 3DES cards are only read."""
        key = self._use("tac", label, KeyUsage.CARD, message)
        assert isinstance(key, BlockKey)
        if key.info.algorithm is Algorithm.TDES:
            refusal = KeyUsageRefusedError("3DES card keys check codes, they make none")
            self._box.record_refusal(self.actor, "tac", label, refusal)
            raise refusal
        return card.transaction_code(card.card_key(key, card_no), message)

    def verify_tac(self, label: str, message: bytes, tac: bytes, *, card_no: bytes) -> None:
        """Return when the code is of this card, else raise ``SignatureInvalidError``."""
        key = self._use("verify_tac", label, KeyUsage.CARD, message)
        assert isinstance(key, BlockKey)
        expected = card.transaction_code(card.card_key(key, card_no), message)
        if not hmac.compare_digest(tac, expected):
            self._box.count_use(self.actor, "verify_tac", label, SignatureInvalidError.code)
            raise SignatureInvalidError("the transaction code does not match")

    def translate_pin(self, source: str, target: str, block: bytes, *, pan: str) -> bytes:
        """The same PIN for the same card number under another key; always as format 4."""
        from_key = self._use("translate_pin", source, KeyUsage.PIN, block)
        to_key = self._use("translate_pin", target, KeyUsage.PIN, b"")
        if not isinstance(from_key, BlockKey) or not isinstance(to_key, BlockKey):
            raise KeyUsageRefusedError("PIN blocks are encrypted by block ciphers")
        if to_key.info.algorithm is Algorithm.TDES:
            raise KeyUsageRefusedError("PIN blocks are translated away from 3DES, never to it")
        pin = self._read_pin(from_key, block, pan)
        return pin_block.write_pin(to_key, pin, pan, self._box.random)

    def pin_reference(self, source: str, reference: str, block: bytes, *, pan: str) -> bytes:
        """HMAC of card number and PIN, 32 bytes, to store and to compare."""
        from_key = self._use("pin_reference", source, KeyUsage.PIN, block)
        reference_key = self._use("pin_reference", reference, KeyUsage.PIN, b"")
        if not isinstance(from_key, BlockKey) or not isinstance(reference_key, HMACKey):
            raise KeyUsageRefusedError("a PIN reference needs a block key and an HMAC key")
        pin = self._read_pin(from_key, block, pan)
        return reference_key.mac(_PIN_REFERENCE_TAG + f"{pan}/{pin}".encode())

    # -- steps -----------------------------------------------------------------------------

    def _check_management(self, label: str) -> None:
        if not self._may_manage:
            raise KeyUsageRefusedError("this caller may use keys, not make them")
        check_label(label)

    def _key(self, label: str, usage: KeyUsage) -> AnyKey:
        key = self._box.key(label)
        if usage not in key.info.usage:
            raise KeyUsageRefusedError(f"the key {label!r} is not for {usage.name}")
        return key

    def _use(self, action: str, label: str, usage: KeyUsage, message: bytes) -> AnyKey:
        """The key for one use of it: checked, and counted or its refusal recorded."""
        try:
            key = self._key(label, usage)
            _check_size(message, MESSAGE_SIZE_MAX)
        except HSMError as refusal:
            self._box.record_refusal(self.actor, action, label, refusal)
            raise
        self._box.count_use(self.actor, action, label)
        return key

    def _read_pin(self, key: BlockKey, block: bytes, pan: str) -> str:
        try:
            return pin_block.read_pin(key, block, pan)
        except HSMError as refusal:
            # Guessing PINs shows as a row of these.
            self._box.count_use(self.actor, "read_pin", key.info.label, refusal.code)
            raise


def _check_size(data: bytes, size_max: int) -> None:
    if len(data) > size_max:
        raise RequestInvalidError(f"{len(data)} bytes, at most {size_max} are taken")
