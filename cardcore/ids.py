"""Ids that sort by time, with room to derive the ids of the parts from the id of the whole.

Layout of the 128 bits (RFC 9562 version 7, its random part shortened): 48 bits of Unix
milliseconds, version, 12 random bits, variant, 46 random bits, 16 zero bits. A ledger transfer's
id is its order's id plus the line's number, so a crash between two steps can be finished by replay
and rows that are made together lie together in every index.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

PARTS_MAX: Final = 0xFFFF

RandomBytes = Callable[[int], bytes]


def new_id(at: datetime, random_bytes: RandomBytes) -> UUID:
    """A fresh id, its 16 low bits zero.

    Args:
        at: aware instant; ids of later milliseconds are greater.
        random_bytes: source of randomness, ``os.urandom`` outside tests.
    """
    milliseconds = int(at.timestamp() * 1000)
    random = int.from_bytes(random_bytes(8), "big")
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76 | (random & 0xFFF) << 64
    value |= 0b10 << 62 | (random >> 12 & 0x3FFF_FFFF_FFFF) << 16
    return UUID(int=value)


def new_ids(at: datetime, random_bytes: RandomBytes, count: int) -> list[UUID]:
    """``count`` fresh ids, as ``new_id`` makes them, of one look at the source of randomness."""
    fixed = (int(at.timestamp() * 1000) & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | 0b10 << 62
    drawn = random_bytes(8 * count)
    numbers = (int.from_bytes(drawn[place : place + 8], "big") for place in range(0, 8 * count, 8))
    return [
        UUID(int=fixed | (one & 0xFFF) << 64 | (one >> 12 & 0x3FFF_FFFF_FFFF) << 16)
        for one in numbers
    ]


def part_id(whole: UUID, part_no: int) -> UUID:
    """Id of part ``part_no`` (1 to 65,535) of ``whole``."""
    assert 1 <= part_no <= PARTS_MAX
    assert whole.int & PARTS_MAX == 0
    return UUID(int=whole.int + part_no)
