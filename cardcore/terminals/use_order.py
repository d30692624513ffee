"""Uses of one key in order: whether a further one contradicts those known. Pure."""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from uuid import UUID


class Use(NamedTuple):
    """When a key was used, by its own clock, its how manieth use it was, and in which record."""

    made_at_s: int
    counter: int
    record_id: UUID


_PACKED: Final = struct.Struct(">qi16s")
_IN_TIME: Final = struct.Struct(">qi16x")


def pack_uses(uses: Iterable[Use]) -> bytes:
    """Uses as the database packs them, one behind the other.

    Each has 28 bytes: ``made_at_s`` (8), ``counter`` (4), both big-endian, then ``record_id`` (16).
    """
    return b"".join(_PACKED.pack(one.made_at_s, one.counter, one.record_id.bytes) for one in uses)


class UseOrder:
    """The uses of one key: as long as all agree, a further one is compared with its neighbours.

    What is known comes packed, see ``pack_uses``: which records they are is rarely asked.
    """

    def __init__(self, known: bytes = b"") -> None:
        self._known = known
        self._added: list[Use] = []
        self._in_time: list[tuple[int, int]] = sorted(_IN_TIME.iter_unpack(known))
        counters = [counter for _, counter in self._in_time]
        self._agree = counters == sorted(counters)

    def add(self, use: Use) -> None:
        """Note a use."""
        place = bisect_left(self._in_time, use[:2])
        around = self._in_time[max(place - 1, 0) : place + 1]
        self._agree = self._agree and not any(_contradict(use, one, 0) for one in around)
        self._in_time.insert(place, use[:2])
        self._added.append(use)

    def contradicted_by(self, use: Use, apart_s_min: int) -> UUID | None:
        """The first record whose use is further on and earlier, or the other way round.

        Args:
            use: the further use.
            apart_s_min: instants no further apart than this say nothing of the order.
        """
        if self._agree:
            # Counters rise with time: the last before and the first after speak for all.
            before = bisect_left(self._in_time, (use.made_at_s - apart_s_min,)) - 1
            after = bisect_left(self._in_time, (use.made_at_s + apart_s_min + 1,))
            around = self._in_time[max(before, 0) : before + 1] + self._in_time[after : after + 1]
            if not any(_contradict(use, one, apart_s_min) for one in around):
                return None
        return next(
            (one.record_id for one in self._uses() if _contradict(use, one, apart_s_min)), None
        )

    def _uses(self) -> Iterator[Use]:
        """All, as they came."""
        for made_at_s, counter, record_id in _PACKED.iter_unpack(self._known):
            yield Use(made_at_s, counter, UUID(bytes=record_id))
        yield from self._added


def _contradict(one: Use, other: Use | tuple[int, int], apart_s_min: int) -> bool:
    later_s, further = other[0] - one[0], other[1] - one[1]
    return later_s * further < 0 and abs(later_s) > apart_s_min
