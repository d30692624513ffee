"""Batches of orders in a row: each is decided after the one before, while that is being written.

A batch reads, takes its turn, decides, and gives the turn on when nothing is left but to write.
What it has decided is not committed then, so a later batch that asks for the same keys, numbers or
codes must not go by what it has read: it waits until everything is written, and reads again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

Claims = AbstractSet[object]
"""Keys, merchants' numbers and codes, each of which only one order may have."""


@dataclass(slots=True, eq=False)
class Turn:
    """One batch in the row.

    ``unseen``: what others have claimed that were not written yet when this one began to read.
    ``earlier``: those that were being written when it was decided.
    """

    claims: Claims
    unseen: list[Claims]
    earlier: Sequence["Turn"] = ()
    written: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def overlooks(self) -> bool:
        """May what this batch asks for have been claimed without its having seen that?"""
        return any(not self.claims.isdisjoint(claims) for claims in self.unseen)

    async def earlier_written(self) -> bool:
        """Wait until those before this one have ended; False where one of them came to nothing."""
        for other in self.earlier:
            await other.ended.wait()
        return all(other.written for other in self.earlier)


class Turns:
    """The row of one process; what other processes claim, the database's unique keys judge."""

    def __init__(self) -> None:
        self._free = asyncio.Lock()
        self._reading: set[Turn] = set()
        self._writing: set[Turn] = set()

    @contextmanager
    def entered(self, claims: Claims) -> Iterator[Turn]:
        """A place in the row, from before the batch reads until it is written or has failed."""
        turn = Turn(claims, [one.claims for one in self._writing])
        self._reading.add(turn)
        try:
            yield turn
            turn.written = True
        finally:
            self._reading.discard(turn)
            self._writing.discard(turn)
            turn.earlier = ()
            turn.ended.set()

    @asynccontextmanager
    async def deciding(self, turn: Turn) -> AsyncIterator[None]:
        """The batch's turn: nobody else decides. At its end the batch counts as being written."""
        async with self._free:
            turn.earlier = tuple(self._writing)
            yield
            self._reading.remove(turn)
            for other in self._reading:
                other.unseen.append(turn.claims)
            self._writing.add(turn)
