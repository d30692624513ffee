"""The prices and rules of the last weeks by the instant they came into force, kept in memory."""

from datetime import UTC, datetime, timedelta
from typing import Final

from scenes.bus.concessions import DEFAULT_POLICY
from scenes.bus.fare_table import FareTable
from scenes.bus.feed_store import Connection
from scenes.bus.rides import RideRules, RuleHistory
from scenes.bus.rule_set import DEFAULT_RULES, RuleSet, read_rule_set
from scenes.bus.service import load_fare_table, prices_version

# Older than any tap that is still priced: a week, and a week of lateness.
REACH: Final = timedelta(days=21)
_ACTIVATIONS: Final = """
SELECT recorded_at, activation_no FROM scene_bus.activation
 WHERE activation_no >= coalesce(
       (SELECT max(activation_no) FROM scene_bus.activation WHERE recorded_at <= %s), 0)
 ORDER BY activation_no
"""
_RULE_SETS: Final = (
    "SELECT recorded_at, document::text FROM scene_bus.rule_set ORDER BY rule_set_no"
)
_NOTHING: Final = RideRules(table=FareTable(), policy=DEFAULT_POLICY)


class PriceHistory:
    """Loads what is missing and keeps it: a past activation never changes."""

    def __init__(self) -> None:
        self._tables: dict[int, FareTable] = {}
        self._version: tuple[int, int] | None = None
        self._history = RuleHistory(since=(datetime.min.replace(tzinfo=UTC),), rules=(_NOTHING,))

    async def load(self, connection: Connection, now: datetime) -> RuleHistory:
        """What was in force at any instant of the last three weeks."""
        version = await prices_version(connection)
        if version != self._version:
            self._history = await self._read(connection, now - REACH)
            self._version = version
        return self._history

    async def _read(self, connection: Connection, since: datetime) -> RuleHistory:
        cursor = await connection.execute(_ACTIVATIONS, (since,))
        activations: list[tuple[datetime, int]] = await cursor.fetchall()
        cursor = await connection.execute(_RULE_SETS)
        rule_sets = [(at, read_rule_set(text)) for at, text in await cursor.fetchall()]
        wanted = {number for _, number in activations}
        self._tables = {
            number: self._tables.get(number)
            or await load_fare_table(connection, activation_no=number)
            for number in sorted(wanted)
        }
        changes = sorted({at for at, _ in activations} | {at for at, _ in rule_sets})
        if not changes:
            return RuleHistory(since=(since,), rules=(_NOTHING,))
        return RuleHistory(
            since=tuple(changes),
            rules=tuple(self._at(one, activations, rule_sets) for one in changes),
        )

    def _at(
        self,
        instant: datetime,
        activations: list[tuple[datetime, int]],
        rule_sets: list[tuple[datetime, RuleSet]],
    ) -> RideRules:
        """What was in force; before the first of its kind, the first."""
        numbers = [number for at, number in activations if at <= instant]
        if not numbers and activations:
            numbers = [activations[0][1]]
        rules = [one for at, one in rule_sets if at <= instant]
        chosen = rules[-1] if rules else DEFAULT_RULES
        return RideRules(
            table=self._tables[numbers[-1]] if numbers else FareTable(),
            policy=chosen.policy,
            offers=chosen.offers,
            caps=chosen.caps,
        )
