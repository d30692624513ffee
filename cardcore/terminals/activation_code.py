"""The code a technician types into a terminal once: its text, and the bytes that prove a key. Pure.

100 random bits as 20 characters of Crockford base32 in groups of five. Read generously, as people
read them out on the telephone: lower case, O for 0, I and L for 1, with or without the dashes.
Source: D. Crockford, "Base 32".
"""

import hashlib
from typing import Final

from cardcore.ids import RandomBytes

CODE_LENGTH: Final = 20
TAG_ENROLMENT: Final = b"CC1-E"
_GROUP: Final = 5
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


def make_activation_code(random_bytes: RandomBytes) -> str:
    """A new code, ``XXXXX-XXXXX-XXXXX-XXXXX``."""
    number = int.from_bytes(random_bytes(13), "big")
    letters = "".join(_ALPHABET[number >> 5 * place & 31] for place in range(CODE_LENGTH))
    return "-".join(letters[start : start + _GROUP] for start in range(0, CODE_LENGTH, _GROUP))


def activation_digest(code: str) -> bytes:
    """SHA-256 over the code as it is meant: all that is ever stored of it."""
    meant = code.upper().translate(_READ_AS)
    return hashlib.sha256(meant.encode()).digest()


def enrolment_message(terminal_id: str, activation_code: str) -> bytes:
    """What a new key signs to prove that it belongs to whoever knows the code.

    The code exactly as it was sent; no terminal id contains the zero byte between the two.
    """
    return TAG_ENROLMENT + terminal_id.encode() + b"\0" + activation_code.encode()
