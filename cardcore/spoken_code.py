"""Codes that people read out and type: Crockford's base32, read generously. Pure.

Lower case, O for 0, I and L for 1, with or without the dashes: all mean the same code. Only a
digest of what is meant is ever kept. Source: D. Crockford, "Base 32".
"""

import hashlib
from typing import Final

from cardcore.ids import RandomBytes

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


def make_spoken_code(random_bytes: RandomBytes, *, length: int, group: int) -> str:
    """A new code of ``length`` characters, five random bits each, in groups between dashes."""
    number = int.from_bytes(random_bytes((5 * length + 7) // 8), "big")
    letters = "".join(_ALPHABET[number >> 5 * place & 31] for place in range(length))
    return "-".join(letters[start : start + group] for start in range(0, length, group))


def spoken_digest(code: str) -> bytes:
    """SHA-256 over the code as it is meant."""
    return hashlib.sha256(code.upper().translate(_READ_AS).encode()).digest()
