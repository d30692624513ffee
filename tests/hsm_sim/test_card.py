"""Cards, PINs and key blocks: against known values, an independent way of computing, and misuse."""

import secrets

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from hypothesis import given
from hypothesis import strategies as st

from hsm_sim import card, key_block, pin_block
from hsm_sim.ceremony import new_components
from hsm_sim.interface import (
    Algorithm,
    KeyUsage,
    KeyUsageRefusedError,
    PINBlockInvalidError,
    RequestInvalidError,
    SignatureInvalidError,
    WrappedDataInvalidError,
)
from hsm_sim.keys import AnyKey, BlockKey, load_key
from hsm_sim.session import Session
from hsm_sim.simulator import Simulator

CARD_NO = bytes.fromhex("3704060000012345")
PAN = "6217370406000123"
pins = st.text("0123456789", min_size=4, max_size=12)
pans = st.text("0123456789", min_size=12, max_size=19)


def _block_key(algorithm: Algorithm, usage: KeyUsage, secret: bytes, label: str = "k") -> BlockKey:
    key = load_key(label, algorithm, usage, secret)
    assert isinstance(key, BlockKey)
    return key


@pytest.fixture
def session() -> Session:
    return Session(Simulator.in_memory(), "test")


@pytest.fixture
def transport(session: Session) -> BlockKey:
    """A transport key of three custodians, in the box and in the sender's hands."""
    components = new_components(secrets.token_bytes)
    named = tuple(zip(("李", "王", "张"), components, strict=True))
    session.load_components("zmk", Algorithm.AES256, KeyUsage.TRANSPORT, named)
    value = bytes(a ^ b ^ c for a, b, c in zip(*(one.value for one in components), strict=True))
    return _block_key(Algorithm.AES256, KeyUsage.TRANSPORT, value)


def _send(session: Session, transport: BlockKey, key: AnyKey) -> None:
    block = key_block.seal(key, transport, secrets.token_bytes)
    assert session.import_key(key.info.label, block, transport="zmk") == key.info


def _ecb(cipher: AES | SM4 | TripleDES, data: bytes) -> bytes:
    encryptor = Cipher(cipher, modes.ECB()).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def _cbc_mac(cipher: SM4 | TripleDES, size: int, data: bytes) -> bytes:
    """A second way: block by block with exclusive-or, no CBC mode."""
    data += b"\x80"
    data += bytes(-len(data) % size)
    state = bytes(size)
    for at in range(0, len(data), size):
        mixed = bytes(a ^ b for a, b in zip(state, data[at : at + size], strict=True))
        state = _ecb(cipher, mixed)
    return state[:4]


def test_the_sm4_card_key_is_one_block_over_number_and_complement() -> None:
    """Known value: SM4 of the standard's example block under the example key (GB/T 32907 A.1)."""
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    assert _ecb(SM4(key), key).hex() == "681edf34d206965e86b3e94f536e4246"
    # The example's halves are each other's complement, so it is also a card-key vector.
    master = _block_key(Algorithm.SM4, KeyUsage.CARD, key)
    derived = card.card_key(master, key[:8])
    assert derived.secret.hex() == "681edf34d206965e86b3e94f536e4246"


@given(secret=st.binary(min_size=16, max_size=16), message=st.binary(max_size=100))
def test_an_sm4_tac_is_the_cbc_mac_by_the_cards_key(secret: bytes, message: bytes) -> None:
    master = _block_key(Algorithm.SM4, KeyUsage.CARD, secret)
    complement = bytes(255 - byte for byte in CARD_NO)
    expected = _cbc_mac(SM4(_ecb(SM4(secret), CARD_NO + complement)), 16, message)
    assert card.transaction_code(card.card_key(master, CARD_NO), message) == expected


@given(secret=st.binary(min_size=16, max_size=16), message=st.binary(max_size=100))
def test_a_3des_tac_is_the_single_des_mac_by_the_folded_card_key(
    secret: bytes, message: bytes
) -> None:
    master = _block_key(Algorithm.TDES, KeyUsage.CARD, secret)
    complement = bytes(255 - byte for byte in CARD_NO)
    outer = TripleDES(secret + secret[:8])
    derived = _ecb(outer, CARD_NO) + _ecb(outer, complement)
    folded = bytes(a ^ b for a, b in zip(derived[:8], derived[8:], strict=True))
    expected = _cbc_mac(TripleDES(folded * 3), 8, message)
    assert card.transaction_code(card.card_key(master, CARD_NO), message) == expected


def test_a_tac_holds_for_one_card_and_one_message(session: Session) -> None:
    session.generate("card", Algorithm.SM4, KeyUsage.CARD)
    code = session.tac("card", b"200 fen", card_no=CARD_NO)
    session.verify_tac("card", b"200 fen", code, card_no=CARD_NO)
    other = CARD_NO[:-1] + b"\x46"
    for message, tac, card_no in (
        (b"201 fen", code, CARD_NO),
        (b"200 fen", code, other),
        (b"200 fen", code[:3], CARD_NO),
        (b"200 fen", bytes(4), CARD_NO),
    ):
        with pytest.raises(SignatureInvalidError):
            session.verify_tac("card", message, tac, card_no=card_no)
    with pytest.raises(RequestInvalidError):
        session.tac("card", b"m", card_no=CARD_NO[:7])


def test_3des_card_keys_come_in_wrapped_and_only_check_codes(
    session: Session, transport: BlockKey
) -> None:
    legacy = _block_key(Algorithm.TDES, KeyUsage.CARD, bytes(range(16)), "legacy")
    _send(session, transport, legacy)
    code = card.transaction_code(card.card_key(legacy, CARD_NO), b"m")
    session.verify_tac("legacy", b"m", code, card_no=CARD_NO)
    with pytest.raises(KeyUsageRefusedError):
        session.tac("legacy", b"m", card_no=CARD_NO)
    with pytest.raises(KeyUsageRefusedError):
        session.generate("new", Algorithm.TDES, KeyUsage.CARD)


def test_format_0_is_read_as_the_standard_writes_it() -> None:
    """Source: the worked example known from ISO 9564-1: PIN 1234, number 43219876543210987."""
    key = _block_key(Algorithm.TDES, KeyUsage.PIN, bytes(range(16)))
    clear = bytes.fromhex("0412AC89ABCDEF67")
    assert pin_block.read_pin(key, key.encrypt_blocks(clear), "43219876543210987") == "1234"


@given(pin=pins, pan=pans, secret=st.binary(min_size=32, max_size=32))
def test_format_4_carries_every_pin_and_number(pin: str, pan: str, secret: bytes) -> None:
    for algorithm in (Algorithm.AES256, Algorithm.SM4):
        size = 32 if algorithm is Algorithm.AES256 else 16
        key = _block_key(algorithm, KeyUsage.PIN, secret[:size])
        block = pin_block.write_pin(key, pin, pan, secrets.token_bytes)
        assert pin_block.read_pin(key, block, pan) == pin
        again = pin_block.write_pin(key, pin, pan, secrets.token_bytes)
        assert again != block  # random fill: equal PINs do not show


def test_format_4_is_built_as_the_standard_describes() -> None:
    """Why: a round trip alone would accept any layout; this builds the block by hand."""
    key = AES(bytes(range(32)))
    field = bytes.fromhex("441234AAAAAAAAAA") + b"\x11" * 8
    pan_field = bytes.fromhex("46217370406000123".ljust(32, "0"))
    mixed = bytes(a ^ b for a, b in zip(_ecb(key, field), pan_field, strict=True))
    ours = _block_key(Algorithm.AES256, KeyUsage.PIN, bytes(range(32)))
    assert pin_block.read_pin(ours, _ecb(key, mixed), PAN) == "1234"
    written = pin_block.write_pin(ours, "1234", PAN, lambda size: b"\x11" * size)
    assert written == _ecb(key, mixed)


@pytest.mark.parametrize(
    "clear",
    [
        "0312AC89ABCDEF67",  # three digits
        "0D12AC89ABCDEF67",  # thirteen
        "1412AC89ABCDEF67",  # another format
        "0412AC89ABCDEF66",  # wrong fill
        "041AAC89ABCDEF67",  # a letter in the PIN
    ],
)
def test_a_format_0_block_that_is_not_well_formed_is_refused(clear: str) -> None:
    key = _block_key(Algorithm.TDES, KeyUsage.PIN, bytes(range(16)))
    with pytest.raises(PINBlockInvalidError):
        pin_block.read_pin(key, key.encrypt_blocks(bytes.fromhex(clear)), "43219876543210987")


def test_a_pin_block_is_bound_to_its_card_number_and_key(session: Session) -> None:
    secret = bytes(range(32))
    outside = _block_key(Algorithm.AES256, KeyUsage.PIN, secret)
    block = pin_block.write_pin(outside, "123456", PAN, secrets.token_bytes)
    other_pan = PAN[:-1] + "9"
    other_key = _block_key(Algorithm.AES256, KeyUsage.PIN, bytes(32))
    for key, data, pan in (
        (outside, block, other_pan),
        (other_key, block, PAN),
        (outside, block[:-1], PAN),
        (outside, block[:-1] + bytes((block[-1] ^ 1,)), PAN),
    ):
        with pytest.raises(PINBlockInvalidError):
            pin_block.read_pin(key, data, pan)
    tdes = _block_key(Algorithm.TDES, KeyUsage.PIN, bytes(16))
    with pytest.raises(PINBlockInvalidError):
        pin_block.read_pin(tdes, block, PAN)
    for pan in ("", "1" * 11, "1" * 20, "１２３４５６７８９０１２", "62173704x6000123"):
        with pytest.raises(RequestInvalidError):
            pin_block.read_pin(outside, block, pan)


def test_a_pin_travels_from_3des_to_sm4_without_leaving_the_box(
    session: Session, transport: BlockKey
) -> None:
    pad = _block_key(Algorithm.TDES, KeyUsage.PIN, bytes(range(16)), "pad")
    bank = _block_key(Algorithm.SM4, KeyUsage.PIN, bytes(range(16)), "bank")
    for key in (pad, bank):
        _send(session, transport, key)
    session.generate("reference", Algorithm.HMAC_SM3, KeyUsage.PIN)
    block = pad.encrypt_blocks(bytes.fromhex("0412AC89ABCDEF67"))
    pan = "43219876543210987"
    translated = session.translate_pin("pad", "bank", block, pan=pan)
    assert pin_block.read_pin(bank, translated, pan) == "1234"
    stored = session.pin_reference("pad", "reference", block, pan=pan)
    assert session.pin_reference("bank", "reference", translated, pan=pan) == stored
    wrong = pin_block.write_pin(bank, "1235", pan, secrets.token_bytes)
    assert session.pin_reference("bank", "reference", wrong, pan=pan) != stored
    for source, target in (("bank", "pad"), ("reference", "bank"), ("bank", "reference")):
        with pytest.raises(KeyUsageRefusedError):
            session.translate_pin(source, target, translated, pan=pan)
    with pytest.raises(KeyUsageRefusedError):
        session.pin_reference("bank", "pad", translated, pan=pan)
    with pytest.raises(PINBlockInvalidError):
        session.translate_pin("bank", "bank", bytes(16), pan=pan)


def test_a_key_block_is_for_its_label_and_under_a_transport_key(
    session: Session, transport: BlockKey
) -> None:
    key = _block_key(Algorithm.SM4, KeyUsage.CARD, bytes(16), "card@1")
    block = key_block.seal(key, transport, secrets.token_bytes)
    session.generate("wrap", Algorithm.AES256, KeyUsage.WRAP)
    with pytest.raises(WrappedDataInvalidError):
        session.import_key("card@2", block, transport="zmk")
    with pytest.raises(KeyUsageRefusedError):
        session.import_key("card@1", block, transport="wrap")
    session.import_key("card@1", block, transport="zmk")


@given(data=st.data())
def test_a_key_block_with_any_byte_changed_is_refused(data: st.DataObject) -> None:
    """Why: whoever can turn CARD into WRAP in the header reads what the cards say."""
    transport = _block_key(Algorithm.AES256, KeyUsage.TRANSPORT, bytes(32))
    key = _block_key(Algorithm.SM4, KeyUsage.CARD, bytes(16), "card@1")
    block = key_block.seal(key, transport, secrets.token_bytes)
    position = data.draw(st.integers(0, len(block) - 1))
    changed = bytearray(block)
    changed[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(WrappedDataInvalidError):
        key_block.open_sealed(bytes(changed), transport)


@given(junk=st.binary(max_size=64))
def test_junk_is_no_key_block(junk: bytes) -> None:
    transport = _block_key(Algorithm.AES256, KeyUsage.TRANSPORT, bytes(32))
    for data in (junk, b"CCKB\x01\x00\x02" + junk):
        with pytest.raises(WrappedDataInvalidError):
            key_block.open_sealed(data, transport)


def test_a_well_sealed_block_with_a_key_of_the_wrong_size_is_refused() -> None:
    """Why: the sender may be careless; what comes out must still be a key."""
    transport = _block_key(Algorithm.AES256, KeyUsage.TRANSPORT, bytes(32))
    key = _block_key(Algorithm.SM4, KeyUsage.CARD, bytes(16), "card@1")
    key.secret = bytes(15)
    block = key_block.seal(key, transport, secrets.token_bytes)
    with pytest.raises(WrappedDataInvalidError, match="no usable key"):
        key_block.open_sealed(block, transport)
