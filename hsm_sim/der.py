"""DER form of an ECDSA-like signature, to and from the raw form (r then s, 32 bytes each)."""

from typing import Final

HALF_SIZE: Final = 32


def der_of_halves(r: int, s: int) -> bytes:
    """``SEQUENCE { INTEGER r, INTEGER s }`` of two positive numbers of up to 32 bytes."""
    body = b""
    for half in (r, s):
        data = half.to_bytes(half.bit_length() // 8 + 1, "big")  # a leading zero keeps it positive
        body += b"\x02" + bytes((len(data),)) + data
    return b"\x30" + bytes((len(body),)) + body


def raw_of_der(der: bytes) -> bytes:
    """The 64 raw bytes of a signature our own library just made (so: well formed)."""
    r_size = der[3]
    r = int.from_bytes(der[4 : 4 + r_size], "big")
    s = int.from_bytes(der[6 + r_size :], "big")
    return r.to_bytes(HALF_SIZE, "big") + s.to_bytes(HALF_SIZE, "big")
