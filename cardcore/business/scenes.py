"""Scenes registered by an operator, without Python of their own, and what their orders are held to.

Such a scene is data: who it serves, which modes it may use, which funds it draws on, how long its
holds last. It is priced by ``plain_pricing``, and named in codes by the bit of its class.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints
from sqlalchemy import RowMapping, Select, insert, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.funding_policy import set_plan
from cardcore.business import scene_tables
from cardcore.business.request import Mode
from cardcore.business.scene_errors import (
    LevelTooLowError,
    ModeNotAllowedError,
    SceneExistsError,
    SceneRetiredError,
)
from cardcore.errors import NotFoundError, RequestInvalidError
from cardcore.model import Model, Name

_s = scene_tables.scene.c
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


_Plan = Annotated[list[Name], Field(min_length=1, max_length=8)]
_Reason = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SceneTerms(Model):
    """What a scene is, and what its orders are held to.

    ``hold_timeout_s``: how long its holds last; left out, as before, at first as every scene's.
    """

    class_code: Name
    name_zh: _Title
    name_en: _Title
    level_min: Level
    offline_rule: OfflineUse
    settlement_cycle: Cycle
    modes: Annotated[list[Mode], Field(min_length=1, max_length=3)]
    hold_timeout_s: Annotated[int, Field(strict=True, ge=1, le=31_536_000)] | None = None


class RegisterSceneRequest(SceneTerms):
    """A new scene. ``funding_plan``: fund kinds, or ``subsidy``, first to last."""

    scene: Name
    funding_plan: _Plan


class ChangeSceneRequest(SceneTerms):
    """The next version of a scene, whole. ``funding_plan`` left out: as before.

    A retired scene takes orders again with its next version.
    """

    funding_plan: _Plan | None = None
    reason: _Reason


class RetireSceneRequest(Model):
    """No more orders; those there are go on to their end."""

    reason: _Reason


class SceneView(Model):
    """One version of a registered scene. ``code_scene``: the scene whose codes are good here."""

    scene: str
    version: int
    retired: bool
    reason: str
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
    """Registered scenes by code, or all versions of one, oldest first."""

    scenes: list[SceneView]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredScene:
    """What orders of a registered scene are held to."""

    code_scene: str
    level_min: str
    modes: frozenset[str]
    retired: bool = False

    def admit(self, mode: Mode, level: str) -> None:
        """Raise unless the scene is registered for this mode and serves people of this level.

        Raises:
            SceneRetiredError, ModeNotAllowedError, LevelTooLowError: as they say.
        """
        if self.retired:
            raise SceneRetiredError(field="business.scene")
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
    known = await connection.scalar(select(_s.scene).where(_s.scene == request.scene).limit(1))
    if request.scene in taken or known is not None:
        raise SceneExistsError(field="scene")
    reason = "scene registered"
    doing = _Doing(client_id=client_id, reason=reason, now=now)
    await _write(connection, request.scene, 1, request, request.funding_plan, doing)
    return await read_scene(connection, request.scene)


async def change_scene(
    connection: AsyncConnection,
    code: str,
    request: ChangeSceneRequest,
    *,
    client_id: str,
    now: datetime,
) -> SceneView:
    """Give a registered scene its next version; a retired one takes orders again.

    Raises:
        NotFoundError: no such scene.
        RequestInvalidError, FundUnknownError: as ``register_scene``.
    """
    before = await read_scene(connection, code)
    doing = _Doing(client_id=client_id, reason=request.reason, now=now)
    await _write(connection, code, before.version + 1, request, request.funding_plan, doing)
    return await read_scene(connection, code)


async def retire_scene(
    connection: AsyncConnection,
    code: str,
    request: RetireSceneRequest,
    *,
    client_id: str,
    now: datetime,
) -> SceneView:
    """Let a scene take no more orders, by a version that says nothing else.

    Raises:
        NotFoundError: no such scene.
        SceneRetiredError: it was retired before.
    """
    before = await read_scene(connection, code)
    if before.retired:
        raise SceneRetiredError(field="scene")
    as_it_was = before.model_dump(exclude={"code_scene"})
    await connection.execute(
        insert(scene_tables.scene).values(
            **(
                as_it_was
                | {
                    "version": before.version + 1,
                    "retired": True,
                    "reason": request.reason,
                    "client_id": client_id,
                    "recorded_at": now,
                }
            )
        )
    )
    return await read_scene(connection, code)


async def read_scene(
    connection: AsyncConnection, code: str, version: int | None = None
) -> SceneView:
    """One registered scene, in a version or as it is now. Raises ``NotFoundError``."""
    asked = _versions().where(_s.scene == code).order_by(_s.version.desc()).limit(1)
    if version is not None:
        asked = asked.where(_s.version == version)
    row = (await connection.execute(asked)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(field="scene")
    return _view(row)


async def list_scenes(connection: AsyncConnection) -> list[SceneView]:
    """All registered scenes as they are now, by code; those retired included."""
    newest = _versions().ext(distinct_on(_s.scene)).order_by(_s.scene, _s.version.desc())
    return [_view(row) for row in (await connection.execute(newest)).mappings()]


async def scene_versions(connection: AsyncConnection, code: str) -> list[SceneView]:
    """All versions of one scene, oldest first. Raises ``NotFoundError``."""
    asked = _versions().where(_s.scene == code).order_by(_s.version)
    found = [_view(row) for row in (await connection.execute(asked)).mappings()]
    if not found:
        raise NotFoundError(field="scene")
    return found


async def scene_version_of(
    connection: AsyncConnection, code: str, rules_version: int | None
) -> int | None:
    """The version of a scene that was in force in a version of the rules; None: not registered."""
    if rules_version is None:
        return None
    found: int | None = await connection.scalar(
        select(_s.version)
        .where(_s.scene == code, _s.rules_version <= rules_version)
        .order_by(_s.version.desc())
        .limit(1)
    )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Doing:
    client_id: str
    reason: str
    now: datetime


async def _write(
    connection: AsyncConnection,
    code: str,
    version: int,
    terms: SceneTerms,
    funding_plan: list[str] | None,
    doing: _Doing,
) -> None:
    """Write one version, and the plan and the time of holds where they are said."""
    classes = scene_tables.scene_class
    known_class = await connection.scalar(
        select(classes.c.class_code).where(classes.c.class_code == terms.class_code)
    )
    if known_class is None:
        raise RequestInvalidError("there is no such class of scenes", field="class_code")
    for field, values in (("modes", terms.modes), ("funding_plan", funding_plan or ())):
        if len(set(values)) != len(values):
            raise RequestInvalidError("named twice", field=field)
    said = terms.model_dump(mode="json", include=set(SceneTerms.model_fields) - {"hold_timeout_s"})
    await connection.execute(
        insert(scene_tables.scene).values(
            scene=code,
            version=version,
            reason=doing.reason,
            client_id=doing.client_id,
            recorded_at=doing.now,
            **said,
        )
    )
    if funding_plan is not None:
        await set_plan(
            connection,
            code,
            funding_plan,
            client_id=doing.client_id,
            reason=doing.reason,
            now=doing.now,
        )
    if terms.hold_timeout_s is not None:
        await connection.execute(
            upsert(tables.hold_rule)
            .values(scene=code, timeout_s=terms.hold_timeout_s)
            .on_conflict_do_update(
                index_elements=["scene"], set_={"timeout_s": terms.hold_timeout_s}
            )
        )


def _versions() -> Select[Any]:
    classes = scene_tables.scene_class
    return select(scene_tables.scene, classes.c.code_scene).join(
        classes, classes.c.class_code == _s.class_code
    )


def _view(row: RowMapping) -> SceneView:
    return SceneView.model_validate({name: row[name] for name in SceneView.model_fields})
