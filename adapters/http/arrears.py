"""``/v1/arrears``: what is owed for rides that terminals accepted while funds were short."""

from typing import Final

from adapters.http.operation import Answer, Call, Noun
from cardcore.account.arrears_lists import ArrearsPage, ArrearsView, OpenArrearsView
from cardcore.caller import Scope
from cardcore.errors import UserUnknownError

ARREARS: Final = Noun("arrears", "What is owed; it is paid by itself as soon as money comes.")


@ARREARS.operation(
    "GET",
    "/v1/users/{user_id}/arrears",
    summary="What a user owes",
    reply=ArrearsView,
    scope=Scope.USERS_READ,
    refusals=(UserUnknownError,),
)
async def arrears_of(call: Call[None]) -> Answer:
    """Open debts first, each with what was paid of it and what a refund has let off."""
    return Answer(view=await call.core.arrears_of(call.caller, call.id("user_id")))


@ARREARS.operation(
    "GET",
    "/v1/arrears",
    summary="Everything that is owed",
    body=ArrearsPage,
    reply=OpenArrearsView,
    scope=Scope.REPORTS_READ,
)
async def open_arrears(call: Call[ArrearsPage]) -> Answer:
    """Open debts, oldest first, page by page; a merchant's client sees those to the merchant."""
    return Answer(view=await call.core.open_arrears(call.caller, call.body))
