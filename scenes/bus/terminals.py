"""What bus terminals carry and what their records mean. Implements ``TerminalScene``."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.connections import RawConnection
from cardcore.ports import ScenePricer
from cardcore.terminals.scene import AliasesOf, RecordedBusiness, RecordPlace
from scenes.bus import feed_store
from scenes.bus.distance_lines import DistanceLine
from scenes.bus.fares_part import FARES_PART, write_fares_part
from scenes.bus.network import Feed
from scenes.bus.pricing import FARE, BusPricer
from scenes.bus.service import latest_activation_no, load_fare_table, load_rules

VERSIONS_MAX: Final = 8


class BusTerminals:
    """Fares as of each activation, kept in memory: they never change."""

    def __init__(self) -> None:
        self._part: tuple[tuple[int, str], bytes] | None = None
        self._pricers: dict[tuple[int, str], BusPricer] = {}

    async def parts(
        self,
        connection: AsyncConnection,  # noqa: ARG002  (the port's form)
        raw: RawConnection,
        aliases_of: AliasesOf,  # noqa: ARG002
    ) -> Mapping[str, bytes]:
        """The prices and rules in force."""
        rules = await load_rules(raw)
        version = (await latest_activation_no(raw), rules.version)
        if self._part is None or self._part[0] != version:
            feeds: list[Feed] = []
            lines: list[DistanceLine] = []
            _, versions = await feed_store.active_versions(raw, version[0])
            for version_no, kind in versions.values():
                if kind == feed_store.DISTANCE:
                    lines += (await feed_store.read_lines(raw, version_no)).values()
                else:
                    feeds.append(await feed_store.read_feed_version(raw, version_no))
            self._part = (version, write_fares_part(version[0], feeds, lines, rules))
        return {FARES_PART: self._part[1]}

    def business(self, place: RecordPlace, amount_fen: int) -> RecordedBusiness:  # noqa: ARG002
        """A ride that begins where the record was made; where it ends is not known."""
        details = {
            "line": place.line_id,
            "on_stop": place.stop_id,
            "vehicle": place.vehicle_id,
        }
        return RecordedBusiness(
            type=FARE, details={name: value for name, value in details.items() if value}
        )

    async def pricer(self, raw: RawConnection, rule_version: int) -> ScenePricer:
        """Prices as of an activation; an unknown one means those in force."""
        rules = await load_rules(raw)
        latest = await latest_activation_no(raw)
        wanted = rule_version if 0 < rule_version <= latest else latest
        known = self._pricers.get((wanted, rules.version))
        if known is None:
            table = await load_fare_table(raw, activation_no=wanted)
            known = BusPricer(table, rules.policy)
            if len(self._pricers) >= VERSIONS_MAX:
                del self._pricers[next(iter(self._pricers))]
            self._pricers[wanted, rules.version] = known
        return known
