"""The rules orders are decided by that are data: read at the start, and again when they change.

A running server holds one ``OrderRules`` and replaces it whole, so that an order is decided by
one version of everything. ``rules_version`` in the database counts every change of every rule; the
writer of orders reads it in the one statement that reads its other facts, so a change made by any
process holds from the next batch of every process on.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from cardcore.business.limits import EVERY_SCENE, LimitRule, LimitSubject, Measure, Period
from cardcore.business.scenes import RegisteredScene
from cardcore.connections import RawConnection

HOLD_TIMEOUT_DEFAULT_S: Final = 7 * 86_400
_LIMITS: Final = """
SELECT limit_id, version, scene, subject, measure, period, period_s, limit_max FROM (
    SELECT DISTINCT ON (limit_id) * FROM cardcore.limit_rule
     WHERE rules_version <= %s ORDER BY limit_id, version DESC
) AS newest WHERE NOT retired ORDER BY limit_id
"""
_SCENES: Final = """
SELECT s.scene, c.code_scene, s.level_min, s.modes, s.retired FROM (
    SELECT DISTINCT ON (scene) * FROM cardcore.scene
     WHERE rules_version <= %s ORDER BY scene, version DESC
) AS s JOIN cardcore.scene_class c USING (class_code)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRules:
    """One version of the rules.

    Attributes:
        version: number of the version; 0 before any was read.
        hold_timeouts_s: by scene, how long a hold lasts; ``*`` for every other scene.
        limits: the limits in force.
        scenes: scenes registered by operators, by code.
    """

    version: int = 0
    hold_timeouts_s: Mapping[str, int] = field(default_factory=dict)
    limits: tuple[LimitRule, ...] = ()
    scenes: Mapping[str, RegisteredScene] = field(default_factory=dict)

    def counts_in(self, scenes: AbstractSet[str]) -> bool:
        """Does any limit count orders of these scenes over a window?"""
        return any(
            rule.period is not Period.ORDER and (rule.scene == EVERY_SCENE or rule.scene in scenes)
            for rule in self.limits
        )

    def hold_timeout_s(self, scene: str) -> int:
        """How long a hold of a scene lasts, in whole seconds."""
        own = self.hold_timeouts_s.get(scene)
        if own is not None:
            return own
        return self.hold_timeouts_s.get(EVERY_SCENE, HOLD_TIMEOUT_DEFAULT_S)


def code_scene(rules: OrderRules, scene: str) -> str:
    """The scene whose codes are good in a scene: its own, or that of its class."""
    registered = rules.scenes.get(scene)
    return scene if registered is None else registered.code_scene


class RuleBook:
    """Holds the version in force. One per process, shared by all that decide."""

    def __init__(self, rules: OrderRules | None = None) -> None:
        self.current = rules or OrderRules()

    async def refresh(self, connection: RawConnection) -> bool:
        """Read the rules again where they have changed; tells whether they had."""
        version = await rules_version(connection)
        if version == self.current.version:
            return False
        self.current = await read_rules(connection)
        return True


async def rules_version(connection: RawConnection) -> int:
    """Number of the version that is in force now."""
    found = await connection.execute("SELECT version FROM cardcore.rules_version")
    row = await found.fetchone()
    assert row is not None
    return int(row[0])


async def read_rules(connection: RawConnection) -> OrderRules:
    """All rules as they stand; the number is read first, so a change meanwhile is seen later.

    Limits and scenes that came meanwhile are left out: an order's number must say which versions
    judged it.
    """
    version = await rules_version(connection)
    found = await connection.execute("SELECT scene, timeout_s FROM cardcore.hold_rule")
    timeouts = dict(await found.fetchall())
    return OrderRules(
        version=version,
        hold_timeouts_s=timeouts,
        limits=await _read_limits(connection, version),
        scenes=await _read_scenes(connection, version),
    )


async def _read_scenes(connection: RawConnection, version: int) -> dict[str, RegisteredScene]:
    found = await connection.execute(_SCENES, (version,))
    return {
        row[0]: RegisteredScene(
            code_scene=row[1], level_min=row[2], modes=frozenset(row[3]), retired=row[4]
        )
        for row in await found.fetchall()
    }


async def _read_limits(connection: RawConnection, version: int) -> tuple[LimitRule, ...]:
    found = await connection.execute(_LIMITS, (version,))
    return tuple(
        LimitRule(
            limit_id=row[0],
            version=row[1],
            scene=row[2],
            subject=LimitSubject(row[3]),
            measure=Measure(row[4]),
            period=Period(row[5]),
            period_s=row[6],
            limit_max=row[7],
        )
        for row in await found.fetchall()
    )
