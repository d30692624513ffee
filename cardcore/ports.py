"""What the core needs from outside, as Protocols. Implemented above; wired in ``adapters``."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from cardcore.business.quote import PricingFacts, QuoteLine, Subject


class ScenePricer(Protocol):
    """A scene's rules: what a business costs and who pays which part.

    Called in the hot path of every order of the scene: synchronous, pure, no database, no clock.
    """

    def price(self, facts: PricingFacts, subject: Subject) -> Sequence[QuoteLine]:
        """Lines of this business, at least one; all zero when nothing is to be paid.

        Raises:
            CardcoreError: ``RequestInvalidError`` kin with ``field`` when the details are not of
                the scene's schema or name something unknown (a line, a stop, a door).
        """
        ...


class Clock(Protocol):
    """Where the time comes from; tests and the sandbox give another."""

    def __call__(self) -> datetime:
        """Now, aware UTC."""
        ...


class SpentCode(NamedTuple):
    """A code, by its replay key, the request that spent it, and how long to remember that."""

    replay_key: bytes
    request: str
    ttl_s: int


class ReplayHints(Protocol):
    """A fast memory of which codes were spent, and by which request. Never the judge.

    Everything it says may be forgotten or late; what it does not know, the database decides. An
    implementation never raises: without its store it knows nothing. Asked and told for a batch of
    orders at once.
    """

    async def spent_by(self, replay_keys: Sequence[bytes]) -> Sequence[str | None]:
        """For each code the request that spent it, as ``remember`` was told; None where unknown."""
        ...

    async def remember(self, spent: Sequence[SpentCode]) -> None:
        """Remember who has spent these codes; of two who say so of one, the first stays."""
        ...


class NoReplayHints:
    """The hints of an installation without a cache: it knows nothing."""

    async def spent_by(self, replay_keys: Sequence[bytes]) -> Sequence[str | None]:
        """Nothing is known."""
        return [None] * len(replay_keys)

    async def remember(self, spent: Sequence[SpentCode]) -> None:
        """Nothing is kept."""
