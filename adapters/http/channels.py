"""Money through payment channels: top-ups, withdrawals, and the channels' own notices."""

from typing import Final

from adapters.http.examples import CHANNEL_NOTICE, TOP_UP_INTENT, WITHDRAWAL
from adapters.http.operation import Answer, Call, Noun
from cardcore.account.channel import ChannelNotice, ChannelSignatureError, ChannelUnknownError
from cardcore.account.request import TopUpIntentRequest, WithdrawalRequest
from cardcore.account.views import NoticeTakenView, TopUpIntentView, WithdrawalView
from cardcore.caller import Scope
from cardcore.errors import (
    FundUnknownError,
    InsufficientBalanceError,
    LimitExceededError,
    NotFoundError,
    OrderConflictError,
    UserFrozenError,
    UserUnknownError,
)

CHANNELS: Final = Noun("channels", "Top-ups and withdrawals through payment channels.")
_REFUSALS: Final = (
    ChannelUnknownError,
    UserUnknownError,
    UserFrozenError,
    FundUnknownError,
    LimitExceededError,
)


@CHANNELS.operation(
    "POST",
    "/v1/users/{user_id}/top-ups",
    summary="Begin a top-up through a channel",
    body=TopUpIntentRequest,
    reply=TopUpIntentView,
    status=201,
    keyed=True,
    scope=Scope.FUNDS_WRITE,
    refusals=_REFUSALS,
    examples={"wallet": TOP_UP_INTENT},
)
async def intend_top_up(call: Call[TopUpIntentRequest]) -> Answer:
    """The channel collects; its notice, or our question, tells what became of it."""
    view, replayed = await call.core.intend_top_up(
        call.caller, call.id("user_id"), call.body, call.key
    )
    return Answer(view=view, replayed=replayed)


@CHANNELS.operation(
    "GET",
    "/v1/top-ups/{intent_id}",
    summary="Read a top-up",
    reply=TopUpIntentView,
    scope=Scope.FUNDS_WRITE,
)
async def read_top_up(call: Call[None]) -> Answer:
    """`open`, `paid` or `failed`."""
    return Answer(view=await call.core.read_top_up(call.caller, call.id("intent_id")))


@CHANNELS.operation(
    "POST",
    "/v1/users/{user_id}/withdrawals",
    summary="Begin a withdrawal through a channel",
    body=WithdrawalRequest,
    reply=WithdrawalView,
    status=201,
    keyed=True,
    scope=Scope.FUNDS_WRITE,
    refusals=(*_REFUSALS, InsufficientBalanceError),
    examples={"bank": WITHDRAWAL},
)
async def withdraw(call: Call[WithdrawalRequest]) -> Answer:
    """Held at once; paid when the channel has paid, released where it refuses."""
    view, replayed = await call.core.withdraw(call.caller, call.id("user_id"), call.body, call.key)
    return Answer(view=view, replayed=replayed)


@CHANNELS.operation(
    "GET",
    "/v1/withdrawals/{withdrawal_id}",
    summary="Read a withdrawal",
    reply=WithdrawalView,
    scope=Scope.FUNDS_WRITE,
)
async def read_withdrawal(call: Call[None]) -> Answer:
    """`held`, `paid` or `refused`."""
    return Answer(view=await call.core.read_withdrawal(call.caller, call.id("withdrawal_id")))


@CHANNELS.operation(
    "POST",
    "/v1/channels/{channel}/notices",
    summary="Tell what became of a movement",
    body=ChannelNotice,
    reply=NoticeTakenView,
    public=True,
    refusals=(ChannelUnknownError, ChannelSignatureError, NotFoundError, OrderConflictError),
    examples={"paid": CHANNEL_NOTICE},
)
async def channel_notice(call: Call[ChannelNotice]) -> Answer:
    """For the channel itself, proved by its signature. The same notice may come many times."""
    return Answer(view=await call.core.channel_notice(call.path["channel"], call.body))
