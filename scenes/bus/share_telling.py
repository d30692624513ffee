"""Telling settlement what operators owe each other of chains of transfers they carried together.

The nets of a business date are told when it is over, and again while late taps may still change it:
settlement moves the difference.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.books import transaction
from cardcore.calendar import business_date
from cardcore.ids import RandomBytes
from cardcore.settlement.shares import tell_shares
from scenes.bus.clearing import SCENE, read_chains
from scenes.bus.clearing_service import read_clearing_rules
from scenes.bus.operator_revenue import ChainRide, SplitRule, chain_shares

WORKER: Final = "worker"
# Off-line records may take a week.
LATE_DAYS: Final = 8


def nets_of(chains: Sequence[Sequence[ChainRide]], rule: SplitRule) -> dict[str, int]:
    """What each operator gets beyond what was charged on its own rides; the sum is zero. Pure."""
    nets: dict[str, int] = {}
    for rides in chains:
        for merchant_id, fen in chain_shares(rides, rule).items():
            nets[merchant_id] = nets.get(merchant_id, 0) + fen
    return nets


class ShareTelling:
    """The worker's part of it."""

    def __init__(self, engine: AsyncEngine, random_bytes: RandomBytes, cut_off: time) -> None:
        self._engine = engine
        self._random_bytes = random_bytes
        self._cut_off = cut_off

    async def tell_due(self, now: datetime) -> int:
        """Tell the dates that are over and not too old; returns how many moves that makes."""
        today = business_date(now, self._cut_off)
        return sum(
            [await self._tell(today - timedelta(days=ago), now) for ago in range(1, LATE_DAYS + 1)]
        )

    async def _tell(self, on: date, now: datetime) -> int:
        async with transaction(self._engine) as (_, raw):
            rules = await read_clearing_rules(raw)
            chains = await read_chains(raw, {"from_on": on, "to_on": on})
            return await tell_shares(
                raw,
                scene=SCENE,
                on=on,
                nets=nets_of(chains, rules.split),
                told_by=WORKER,
                now=now,
                random_bytes=self._random_bytes,
            )
