"""The code a technician types into a terminal once: its text, and the bytes that prove a key. Pure.

100 random bits as 20 characters in groups of five, read as ``cardcore/spoken_code.py`` says.
"""

from typing import Final

from cardcore.ids import RandomBytes
from cardcore.spoken_code import make_spoken_code, spoken_digest

CODE_LENGTH: Final = 20
TAG_ENROLMENT: Final = b"CC1-E"
_GROUP: Final = 5


def make_activation_code(random_bytes: RandomBytes) -> str:
    """A new code, ``XXXXX-XXXXX-XXXXX-XXXXX``."""
    return make_spoken_code(random_bytes, length=CODE_LENGTH, group=_GROUP)


def activation_digest(code: str) -> bytes:
    """SHA-256 over the code as it is meant: all that is ever stored of it."""
    return spoken_digest(code)


def enrolment_message(terminal_id: str, activation_code: str) -> bytes:
    """What a new key signs to prove that it belongs to whoever knows the code.

    The code exactly as it was sent; no terminal id contains the zero byte between the two.
    """
    return TAG_ENROLMENT + terminal_id.encode() + b"\0" + activation_code.encode()
