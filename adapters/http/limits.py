"""``/v1/limits``: the limits on orders, as they are and as they were."""

from typing import Final

from adapters.http.operation import Answer, Call, Noun
from cardcore.business.limit_rules import LimitsView
from cardcore.caller import Scope
from cardcore.errors import NotFoundError

LIMITS: Final = Noun("limits", "Limits on orders; they are changed by a proposal.")


@LIMITS.operation(
    "GET",
    "/v1/limits",
    summary="List the limits on orders",
    reply=LimitsView,
    scope=Scope.SCENES_READ,
)
async def limits(call: Call[None]) -> Answer:
    """The newest version of each. A retired one is listed and judges nothing."""
    return Answer(view=await call.core.limits(call.caller))


@LIMITS.operation(
    "GET",
    "/v1/limits/{limit_id}",
    summary="Every version of a limit",
    reply=LimitsView,
    scope=Scope.SCENES_READ,
    refusals=(NotFoundError,),
)
async def limit_versions(call: Call[None]) -> Answer:
    """Oldest first. `explain` of an order names the version that judged it."""
    return Answer(view=await call.core.limit_versions(call.caller, call.path["limit_id"]))
