"""What the core needs from outside, as Protocols. Implemented above; wired in ``adapters``."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

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


class ReplayHints(Protocol):
    """A fast memory of which codes were spent, and by which request. Never the judge.

    Everything it says may be forgotten or late; what it does not know, the database decides. An
    implementation never raises: without its store it knows nothing.
    """

    async def spent_by(self, replay_key: bytes) -> str | None:
        """The request that spent this code, as ``remember`` was told; None where unknown."""
        ...

    async def remember(self, replay_key: bytes, request: str, *, ttl_s: int) -> None:
        """Remember for ``ttl_s`` seconds that ``request`` has spent this code."""
        ...


class NoReplayHints:
    """The hints of an installation without a cache: it knows nothing."""

    async def spent_by(self, replay_key: bytes) -> str | None:  # noqa: ARG002  (the port's form)
        """Nothing is known."""
        return None

    async def remember(self, replay_key: bytes, request: str, *, ttl_s: int) -> None:
        """Nothing is kept."""
