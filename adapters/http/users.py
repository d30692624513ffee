"""``/v1/users``: people, as the card centre's own systems open, read and fund them."""

from typing import Final

from adapters.http.examples import OPEN_USER, TOP_UP
from adapters.http.operation import Answer, Call, Noun
from cardcore.account.request import TopUpRequest
from cardcore.account.views import TopUpView
from cardcore.business.views import UserView
from cardcore.caller import Scope
from cardcore.errors import (
    FundUnknownError,
    LimitExceededError,
    OrderConflictError,
    UserFrozenError,
    UserUnknownError,
)
from cardcore.user.request import OpenUserRequest

USERS: Final = Noun("users", "People, their funds and the money that comes in.")


@USERS.operation(
    "POST",
    "/v1/users",
    summary="Register a person",
    body=OpenUserRequest,
    reply=UserView,
    status=201,
    keyed=True,
    scope=Scope.USERS_WRITE,
    refusals=(FundUnknownError,),
    examples={"senior": OPEN_USER},
)
async def open_user(call: Call[OpenUserRequest]) -> Answer:
    """A real-name registration. The same person again is answered with the existing user."""
    view, replayed = await call.core.open_user(call.caller, call.body, call.key)
    return Answer(view=view, replayed=replayed)


@USERS.operation(
    "GET",
    "/v1/users/{user_id}",
    summary="Read a user",
    reply=UserView,
    scope=Scope.USERS_WRITE,
    refusals=(UserUnknownError,),
)
async def read_user(call: Call[None]) -> Answer:
    """Level, state, concessions and funds; name and number masked."""
    return Answer(view=await call.core.read_user(call.caller, call.id("user_id")))


@USERS.operation(
    "POST",
    "/v1/users/{user_id}/topups",
    summary="Book money a payment channel has received",
    body=TopUpRequest,
    reply=TopUpView,
    status=201,
    keyed=True,
    scope=Scope.FUNDS_WRITE,
    refusals=(
        UserUnknownError,
        UserFrozenError,
        FundUnknownError,
        LimitExceededError,
        OrderConflictError,
    ),
    examples={"bank": TOP_UP},
)
async def top_up(call: Call[TopUpRequest]) -> Answer:
    """Once per `channel_no`, however often it is told."""
    view, replayed = await call.core.top_up(call.caller, call.id("user_id"), call.body, call.key)
    return Answer(view=view, replayed=replayed)
