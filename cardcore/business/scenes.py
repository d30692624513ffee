"""Scenes registered by an operator, without Python of their own, and what their orders are held to.

Such a scene is data: who it serves, which modes it may use, which funds it draws on, how long its
holds last. It is priced by ``plain_pricing``, and named in codes by the bit of its class.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field, StringConstraints
from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.funding_policy import set_plan
from cardcore.business import scene_tables
from cardcore.business.request import Mode
from cardcore.business.scene_errors import LevelTooLowError, ModeNotAllowedError, SceneExistsError
from cardcore.errors import NotFoundError, RequestInvalidError
from cardcore.model import Model, Name

_LEVELS: Final = MappingProxyType({"anonymous": 0, "phone": 1, "real_name": 2})
_Title = Annotated[str, StringConstraints(min_length=1, max_length=60)]


class Level(StrEnum):
    """How well a person must be known, weakest first."""

    ANONYMOUS = "anonymous"
    PHONE = "phone"
    REAL_NAME = "real_name"


class OfflineUse(StrEnum):
    """What a terminal of the scene may do while it cannot ask."""

    ONLINE_ONLY = "online_only"
    IDENTITY_ONLY = "identity_only"
    CAPPED_PAYMENT = "capped_payment"


class Cycle(StrEnum):
    """When merchants of the scene get their money."""

    NONE = "none"
    NEXT_DAY = "t1"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class RegisterSceneRequest(Model):
    """A new scene.

    ``funding_plan``: fund kinds, or ``subsidy``, first to last. ``hold_timeout_s``: how long its
    holds last; left out, as long as every scene's.
    """

    scene: Name
    class_code: Name
    name_zh: _Title
    name_en: _Title
    level_min: Level
    offline_rule: OfflineUse
    settlement_cycle: Cycle
    modes: Annotated[list[Mode], Field(min_length=1, max_length=3)]
    funding_plan: Annotated[list[Name], Field(min_length=1, max_length=8)]
    hold_timeout_s: Annotated[int, Field(strict=True, ge=1, le=31_536_000)] | None = None


class SceneView(Model):
    """A registered scene. ``code_scene``: the scene whose codes are good here."""

    scene: str
    class_code: str
    code_scene: str
    name_zh: str
    name_en: str
    level_min: str
    offline_rule: str
    settlement_cycle: str
    modes: list[str]
    recorded_at: datetime


class ScenesView(Model):
    """All registered scenes."""

    scenes: list[SceneView]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredScene:
    """What orders of a registered scene are held to."""

    code_scene: str
    level_min: str
    modes: frozenset[str]

    def admit(self, mode: Mode, level: str) -> None:
        """Raise unless the scene is registered for this mode and serves people of this level.

        Raises:
            ModeNotAllowedError, LevelTooLowError: as they say.
        """
        if mode.value not in self.modes:
            raise ModeNotAllowedError(field="mode", modes=sorted(self.modes))
        if _LEVELS[level] < _LEVELS[self.level_min]:
            raise LevelTooLowError(field="user", level_min=self.level_min)


async def register_scene(
    connection: AsyncConnection,
    request: RegisterSceneRequest,
    *,
    taken: AbstractSet[str],
    client_id: str,
    now: datetime,
) -> SceneView:
    """Register a scene with its funding plan and the time of its holds.

    ``taken``: codes of the scenes that have Python of their own.

    Raises:
        SceneExistsError: the code is another scene's.
        RequestInvalidError: no such class, or a mode or fund is named twice.
        FundUnknownError: the plan names something it cannot draw on.
    """
    scenes, classes = scene_tables.scene, scene_tables.scene_class
    known = await connection.scalar(select(scenes.c.scene).where(scenes.c.scene == request.scene))
    if request.scene in taken or known is not None:
        raise SceneExistsError(field="scene")
    known_class = await connection.scalar(
        select(classes.c.class_code).where(classes.c.class_code == request.class_code)
    )
    if known_class is None:
        raise RequestInvalidError("there is no such class of scenes", field="class_code")
    for field, values in (("modes", request.modes), ("funding_plan", request.funding_plan)):
        if len(set(values)) != len(values):
            raise RequestInvalidError("named twice", field=field)
    await connection.execute(
        insert(scenes).values(
            client_id=client_id,
            recorded_at=now,
            **request.model_dump(mode="json", exclude={"funding_plan", "hold_timeout_s"}),
        )
    )
    await set_plan(
        connection,
        request.scene,
        request.funding_plan,
        client_id=client_id,
        reason="scene registered",
        now=now,
    )
    if request.hold_timeout_s is not None:
        await connection.execute(
            upsert(tables.hold_rule)
            .values(scene=request.scene, timeout_s=request.hold_timeout_s)
            .on_conflict_do_update(
                index_elements=["scene"], set_={"timeout_s": request.hold_timeout_s}
            )
        )
    return await read_scene(connection, request.scene)


async def read_scene(connection: AsyncConnection, code: str) -> SceneView:
    """One registered scene. Raises ``NotFoundError``."""
    found = [one for one in await list_scenes(connection) if one.scene == code]
    if not found:
        raise NotFoundError(field="scene")
    return found[0]


async def list_scenes(connection: AsyncConnection) -> list[SceneView]:
    """All registered scenes, by code."""
    scenes, classes = scene_tables.scene, scene_tables.scene_class
    rows = await connection.execute(
        select(scenes, classes.c.code_scene)
        .join(classes, classes.c.class_code == scenes.c.class_code)
        .order_by(scenes.c.scene)
    )
    return [
        SceneView.model_validate(
            {name: value for name, value in row.items() if name != "client_id"}
        )
        for row in rows.mappings()
    ]
