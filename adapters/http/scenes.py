"""``/v1/scenes``: scenes registered by the card centre, without Python of their own."""

from typing import Final

from adapters.http.examples import SCENE
from adapters.http.operation import Answer, Call, Noun
from cardcore.business.scene_errors import SceneExistsError
from cardcore.business.scenes import RegisterSceneRequest, ScenesView, SceneView
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
