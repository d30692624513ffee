"""PIN blocks: how a PIN travels from the pad to the box, bound to a card number.

Format 0 (8 bytes, 3DES): PIN field exclusive-or card number field, encrypted. Format 4 (16
bytes, AES; here SM4 too, with the same 16-byte block): the PIN field is encrypted, the card
number field is added, and that is encrypted again.

Source: ISO 9564-1:2017, formats 0 and 4. The use of format 4 with SM4 is our reading: the
standard names AES only.
"""

import re
from typing import Final

from hsm_sim.interface import Algorithm, PINBlockInvalidError, RequestInvalidError
from hsm_sim.keys import BlockKey, RandomBytes

PIN_SIZE_MIN: Final = 4
PIN_SIZE_MAX: Final = 12
_PAN: Final = re.compile(r"[0-9]{12,19}")
_PIN_DIGITS: Final = re.compile(r"[0-9]+")


def read_pin(key: BlockKey, block: bytes, pan: str) -> str:
    """The PIN inside an encrypted block; must never leave the box.

    Raises:
        RequestInvalidError: ``pan`` is not 12 to 19 digits.
        PINBlockInvalidError: wrong size, key or card number, or a changed block.
    """
    check_pan(pan)
    if key.info.algorithm is Algorithm.TDES:
        if len(block) != 8:
            raise PINBlockInvalidError("a format 0 block is 8 bytes")
        return _pin_of_field(_xor(key.decrypt_blocks(block), _pan_field_0(pan)), "0", "F")
    if len(block) != 16:
        raise PINBlockInvalidError("a format 4 block is 16 bytes")
    field = key.decrypt_blocks(_xor(key.decrypt_blocks(block), _pan_field_4(pan)))
    return _pin_of_field(field[:8], "4", "A")


def write_pin(key: BlockKey, pin: str, pan: str, random: RandomBytes) -> bytes:
    """A format 4 block under an AES or SM4 key (format 0 is read, never made)."""
    check_pan(pan)
    assert key.info.algorithm is not Algorithm.TDES
    field = bytes.fromhex(f"4{len(pin):X}{pin:A<14}") + random(8)
    return key.encrypt_blocks(_xor(key.encrypt_blocks(field), _pan_field_4(pan)))


def check_pan(pan: str) -> None:
    """Raise ``RequestInvalidError`` unless ``pan`` is 12 to 19 ASCII digits."""
    if _PAN.fullmatch(pan) is None:
        raise RequestInvalidError("a card number here is 12 to 19 digits")


def _pin_of_field(field: bytes, control: str, fill: str) -> str:
    digits = field.hex().upper()
    size = int(digits[1], 16)
    pin, rest = digits[2 : 2 + size], digits[2 + size : 16]
    if (
        digits[0] != control
        or not PIN_SIZE_MIN <= size <= PIN_SIZE_MAX
        or _PIN_DIGITS.fullmatch(pin) is None
        or rest != fill * (14 - size)
    ):
        # One message for every cause: the block must not tell how near a guess came.
        raise PINBlockInvalidError("the PIN block does not open to a PIN")
    return pin


def _pan_field_0(pan: str) -> bytes:
    # The right-most twelve digits without the check digit.
    return bytes.fromhex("0000" + pan[:-1][-12:].rjust(12, "0"))


def _pan_field_4(pan: str) -> bytes:
    return bytes.fromhex(f"{len(pan) - 12:X}{pan:0<31}")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(one, other, strict=True))
