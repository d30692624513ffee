"""``/v1/scenes``: scenes registered by the card centre, without Python of their own."""

from typing import Final

from adapters.http.examples import SCENE, SCENE_CHANGE, SCENE_RETIREMENT
from adapters.http.operation import Answer, Call, Noun
from cardcore.business.scene_errors import SceneExistsError, SceneRetiredError
from cardcore.business.scenes import (
    ChangeSceneRequest,
    RegisterSceneRequest,
    RetireSceneRequest,
    ScenesView,
    SceneView,
)
from cardcore.caller import Scope
from cardcore.errors import FundUnknownError, NotFoundError

SCENES: Final = Noun("scenes", "Scenes that pay, hold and record by rules every scene shares.")


@SCENES.operation(
    "POST",
    "/v1/scenes",
    summary="Register a scene",
    body=RegisterSceneRequest,
    reply=SceneView,
    status=201,
    scope=Scope.SCENES_WRITE,
    refusals=(SceneExistsError, FundUnknownError),
    examples={"night market": SCENE},
)
async def register_scene(call: Call[RegisterSceneRequest]) -> Answer:
    """It takes orders at once, on every server. Its code is the key: a second one is refused."""
    return Answer(view=await call.core.register_scene(call.caller, call.body))


@SCENES.operation(
    "GET",
    "/v1/scenes",
    summary="List registered scenes",
    reply=ScenesView,
    scope=Scope.SCENES_READ,
)
async def list_scenes(call: Call[None]) -> Answer:
    """Those registered by operators; the city's own are in the catalogue."""
    return Answer(view=await call.core.scenes(call.caller))


@SCENES.operation(
    "GET",
    "/v1/scenes/{scene}",
    summary="Read a registered scene",
    reply=SceneView,
    scope=Scope.SCENES_READ,
    refusals=(NotFoundError,),
)
async def read_scene(call: Call[None]) -> Answer:
    """What it is held to, and whose codes are good in it."""
    return Answer(view=await call.core.read_scene(call.caller, call.path["scene"]))


@SCENES.operation(
    "GET",
    "/v1/scenes/{scene}/versions",
    summary="Every version of a registered scene",
    reply=ScenesView,
    scope=Scope.SCENES_READ,
    refusals=(NotFoundError,),
)
async def scene_versions(call: Call[None]) -> Answer:
    """Oldest first. `explain` of an order names the version it was decided by."""
    return Answer(view=await call.core.scene_versions(call.caller, call.path["scene"]))


@SCENES.operation(
    "POST",
    "/v1/scenes/{scene}/versions",
    summary="Change a registered scene",
    body=ChangeSceneRequest,
    reply=SceneView,
    status=201,
    keyed=True,
    scope=Scope.SCENES_WRITE,
    refusals=(NotFoundError, FundUnknownError),
    examples={"by phone too": SCENE_CHANGE},
)
async def change_scene(call: Call[ChangeSceneRequest]) -> Answer:
    """The next version, whole; it holds from the next order on, on every server."""
    view, replayed = await call.core.change_scene(
        call.caller, call.path["scene"], call.body, call.key
    )
    return Answer(view=view, replayed=replayed)


@SCENES.operation(
    "POST",
    "/v1/scenes/{scene}/retirement",
    summary="Retire a registered scene",
    body=RetireSceneRequest,
    reply=SceneView,
    status=201,
    keyed=True,
    scope=Scope.SCENES_WRITE,
    refusals=(NotFoundError, SceneRetiredError),
    examples={"the season is over": SCENE_RETIREMENT},
)
async def retire_scene(call: Call[RetireSceneRequest]) -> Answer:
    """No more orders; what is held is captured or voided, what was paid refunded, as before."""
    view, replayed = await call.core.retire_scene(
        call.caller, call.path["scene"], call.body, call.key
    )
    return Answer(view=view, replayed=replayed)
