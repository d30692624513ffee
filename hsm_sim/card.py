"""What the box does for cards: the key of one card, and the transaction code (TAC) by it.

Per-card key: one (SM4) or two (3DES) blocks of the master key's encryption of the card number
followed by its complement, 16 bytes in all. TAC: CBC-MAC with a zero vector over the message
padded by ``80 00 …``, first 4 bytes; for 3DES the single-DES key is the exclusive-or of the card
key's halves, as the electronic purses of that age do it.

Source: JR/T 0025 (PBOC) electronic purse, as deployed; the text itself was not available, so
card makers check with the vectors in ``tests/hsm_sim/test_card.py`` first.
"""

from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, modes

from hsm_sim.interface import Algorithm, KeyInfo, KeyUsage, RequestInvalidError
from hsm_sim.keys import BlockKey, block_cipher

CARD_NO_SIZE: Final = 8
TAC_SIZE: Final = 4


def card_key(master: BlockKey, card_no: bytes) -> BlockKey:
    """The key of one card; ``card_no`` is 8 bytes (16 BCD digits)."""
    if len(card_no) != CARD_NO_SIZE:
        raise RequestInvalidError("a card number is 8 bytes")
    complement = bytes(byte ^ 0xFF for byte in card_no)
    info = KeyInfo(label="", algorithm=master.info.algorithm, usage=KeyUsage.CARD)
    return BlockKey(info, master.encrypt_blocks(card_no + complement))


def transaction_code(key: BlockKey, message: bytes) -> bytes:
    """The 4-byte TAC of a message by a card's key."""
    cipher = key.cipher
    size = 16
    if key.info.algorithm is Algorithm.TDES:
        size = 8
        left, right = key.secret[:8], key.secret[8:]
        single = bytes(one ^ other for one, other in zip(left, right, strict=True))
        # Three equal keys make triple DES single DES.
        cipher = block_cipher(Algorithm.TDES, single + single)
    padded = message + b"\x80"
    padded += bytes(-len(padded) % size)
    encryptor = Cipher(cipher, modes.CBC(bytes(size))).encryptor()
    return (encryptor.update(padded) + encryptor.finalize())[-size:][:TAC_SIZE]
