"""The worker's part of the terminals' room: packages and lists made before anybody asks for them.

Servers sign a package when a terminal asks and none stands ready; with this duty one does, so that
a thousand terminals that pull at the same minute wait for no signature, and a change of a fare, a
key or a card is in the package although no terminal has asked since.
"""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore import tables
from cardcore.books import transaction
from cardcore.calendar import business_date
from cardcore.ids import RandomBytes
from cardcore.terminals.packages import Packages, PackageSigning
from cardcore.terminals.scene import TerminalScene
from cardcore.user.citizen_codes import CitizenCodes
from cardcore.user.issuer_keys import read_issuer_keys
from codes.key_ring import KeyRing, KeyUse
from hsm_sim.interface import HSM

WARNED_BEFORE: Final = timedelta(days=60)


class PackageBuilding:
    """Brings the packages of all scenes with terminals up to date, with the keys of the hour."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        hsm: HSM,
        scenes: Mapping[str, TerminalScene],
        random_bytes: RandomBytes,
        cut_off: time,
    ) -> None:
        self._engine = engine
        self._hsm = hsm
        self._scenes = scenes
        self._random_bytes = random_bytes
        self._cut_off = cut_off

    async def build_due(self, now: datetime) -> int:
        """Sign a new version for each scene whose content has changed or whose lists grow old.

        Returns:
            How many were signed.
        """
        terminal = tables.terminal.c
        async with transaction(self._engine) as (connection, _):
            keys = await read_issuer_keys(connection, now)
            found = await connection.execute(
                select(terminal.scene)
                .where(terminal.status == "active")
                .distinct()
                .order_by(terminal.scene)
            )
            scenes = list(found.scalars())
        if not keys.packages or not keys.lists:
            return 0  # no server has ever run here: there is nobody to carry a package either
        packages = Packages(
            CitizenCodes(
                hsm=self._hsm,
                ring=keys.ring,
                issuing=keys.codes,
                random_bytes=self._random_bytes,
            ),
            PackageSigning(packages=keys.packages[-1], lists=keys.lists[-1]),
            self._scenes,
            self._random_bytes,
        )
        on, signed = business_date(now, self._cut_off), 0
        for scene in scenes:
            # One transaction each: a scene that fails must not keep the others from theirs.
            async with transaction(self._engine) as (connection, raw):
                signed += await packages.bring_up(connection, raw, scene=scene, now=now, on=on)
        return signed

    async def ending(self, now: datetime) -> dict[str, datetime]:
        """Uses whose last key ends within sixty days, with the instant it does."""
        async with transaction(self._engine) as (connection, _):
            ring = (await read_issuer_keys(connection, now)).ring
        return {
            use.value: end
            for use in KeyUse
            if (end := _last_end(ring, use, now)) < now + WARNED_BEFORE
        }


def _last_end(ring: KeyRing, use: KeyUse, now: datetime) -> datetime:
    ends = [key.not_after_s for key in ring if use in key.uses]
    return datetime.fromtimestamp(max(ends, default=int(now.timestamp())), tz=now.tzinfo)
