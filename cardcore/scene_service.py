"""Registering scenes that need no Python of their own."""

from cardcore.books import transaction
from cardcore.business.scenes import (
    RegisterSceneRequest,
    ScenesView,
    SceneView,
    list_scenes,
    read_scene,
    register_scene,
)
from cardcore.caller import Caller, Scope
from cardcore.errors import CardcoreError, ForbiddenError
from cardcore.once import record_refusal
from cardcore.parts import Parts


class SceneService:
    """Serves the register of scenes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def register_scene(self, caller: Caller, request: RegisterSceneRequest) -> SceneView:
        """Register a scene; it takes orders from the next batch of every server on.

        Its code is its idempotency key: a second one of the same code is refused.
        """
        caller.require(Scope.SCENES_WRITE)
        if caller.merchant_id is not None:
            raise ForbiddenError("scenes are registered by the card centre")
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

    async def read_scene(self, caller: Caller, scene: str) -> SceneView:
        """One registered scene."""
        caller.require(Scope.SCENES_READ)
        async with transaction(self._parts.engine) as (connection, _):
            return await read_scene(connection, scene)

    async def scenes(self, caller: Caller) -> ScenesView:
        """All registered scenes."""
        caller.require(Scope.SCENES_READ)
        async with transaction(self._parts.engine) as (connection, _):
            return ScenesView(scenes=await list_scenes(connection))
