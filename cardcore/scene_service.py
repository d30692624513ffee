"""Registering, changing and retiring scenes that need no Python of their own."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.books import transaction
from cardcore.business.scenes import (
    ChangeSceneRequest,
    RegisterSceneRequest,
    RetireSceneRequest,
    ScenesView,
    SceneView,
    change_scene,
    list_scenes,
    read_scene,
    register_scene,
    retire_scene,
    scene_versions,
)
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.errors import CardcoreError, ForbiddenError
from cardcore.once import once, record_refusal
from cardcore.parts import Parts, request_digest

Work = Callable[[AsyncConnection, datetime], Awaitable[SceneView]]


class SceneService:
    """Serves the register of scenes. Each change holds from the next batch of every server on."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def register_scene(self, caller: Caller, request: RegisterSceneRequest) -> SceneView:
        """Register a scene; it takes orders from the next batch of every server on.

        Its code is its idempotency key: a second one of the same code is refused.
        """
        _require_centre(caller)
        now = self._parts.clock()
        try:
            async with transaction(self._parts.engine) as (connection, _):
                return await register_scene(
                    connection,
                    request,
                    taken=self._parts.pricers.keys(),
                    client_id=caller.client_id,
                    now=now,
                )
        except CardcoreError as refusal:
            subject = f"scene/{request.scene}"
            await record_refusal(
                self._parts.engine, caller, "scene.register", subject, refusal, now
            )
            raise

    async def change_scene(
        self, caller: Caller, scene: str, request: ChangeSceneRequest, idempotency_key: str
    ) -> tuple[SceneView, bool]:
        """Give a registered scene its next version. Orders there are keep theirs.

        Raises:
            NotFoundError: no such registered scene.
            RequestInvalidError, FundUnknownError: what does not fit.
        """

        async def work(connection: AsyncConnection, now: datetime) -> SceneView:
            return await change_scene(
                connection, scene, request, client_id=caller.client_id, now=now
            )

        return await self._version(caller, "scene.change", scene, request, idempotency_key, work)

    async def retire_scene(
        self, caller: Caller, scene: str, request: RetireSceneRequest, idempotency_key: str
    ) -> tuple[SceneView, bool]:
        """Let a scene take no more orders; those there are go on to their end.

        Raises:
            NotFoundError: no such registered scene.
            SceneRetiredError: it was retired before.
        """

        async def work(connection: AsyncConnection, now: datetime) -> SceneView:
            return await retire_scene(
                connection, scene, request, client_id=caller.client_id, now=now
            )

        return await self._version(caller, "scene.retire", scene, request, idempotency_key, work)

    async def read_scene(self, caller: Caller, scene: str) -> SceneView:
        """One registered scene as it is now."""
        caller.require(Scope.SCENES_READ)
        async with transaction(self._parts.engine) as (connection, _):
            return await read_scene(connection, scene)

    async def scene_versions(self, caller: Caller, scene: str) -> ScenesView:
        """Every version of a registered scene, oldest first."""
        caller.require(Scope.SCENES_READ)
        async with transaction(self._parts.engine) as (connection, _):
            return ScenesView(scenes=await scene_versions(connection, scene))

    async def scenes(self, caller: Caller) -> ScenesView:
        """All registered scenes as they are now."""
        caller.require(Scope.SCENES_READ)
        async with transaction(self._parts.engine) as (connection, _):
            return ScenesView(scenes=await list_scenes(connection))

    async def _version(
        self,
        caller: Caller,
        action: str,
        scene: str,
        request: ChangeSceneRequest | RetireSceneRequest,
        key: str,
        work: Work,
    ) -> tuple[SceneView, bool]:
        """Make the next version once; a repeated request is answered with the one it made."""
        _require_centre(caller)
        now = self._parts.clock()

        async def perform(
            connection: AsyncConnection,
            raw: RawConnection,  # noqa: ARG001  (the form of every effect)
        ) -> tuple[UUID, SceneView]:
            view = await work(connection, now)
            return UUID(int=view.version), view

        async def recall(connection: AsyncConnection, _: RawConnection, made: UUID) -> SceneView:
            return await read_scene(connection, scene, made.int)

        return await once(
            self._parts.engine,
            caller=caller,
            key=key,
            digest=request_digest(f"{action}/{scene}", request),
            action=action,
            subject=f"scene/{scene}",
            now=now,
            perform=perform,
            recall=recall,
        )


def _require_centre(caller: Caller) -> None:
    caller.require(Scope.SCENES_WRITE)
    if caller.merchant_id is not None:
        raise ForbiddenError("scenes are registered by the card centre")
