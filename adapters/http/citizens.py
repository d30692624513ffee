"""``/v1/host-codes``, ``/v1/citizen-session``, ``/v1/me``: citizens, through the embedding app."""

from typing import Final

from adapters.http.operation import Answer, Call, Noun
from adapters.http.sessions import closing, opening, session_token
from cardcore.business.views import UserView
from cardcore.caller import Caller, Scope
from cardcore.errors import UserUnknownError
from cardcore.model import Model
from cardcore.platform.citizen_sessions import SESSION_MAX
from cardcore.platform.errors import CSRFRefusedError, HostCodeRefusedError, SessionInvalidError
from cardcore.platform.request import CitizenSignIn, NewHostCode
from cardcore.platform.views import CitizenSessionView, HostCodeView

CITIZENS: Final = Noun("citizens", "Sessions of citizens, opened by the app that embeds the page.")
SESSION: Final = (SessionInvalidError, CSRFRefusedError)


@CITIZENS.operation(
    "POST",
    "/v1/host-codes",
    summary="Make a one-time code for a user",
    body=NewHostCode,
    reply=HostCodeView,
    status=201,
    scope=Scope.SESSIONS_WRITE,
    refusals=(UserUnknownError,),
    examples={"user": {"user_id": "01932b1f-0000-7000-8000-000000000000"}},
)
async def make_host_code(call: Call[NewHostCode]) -> Answer:
    """For the app's server: good once, for 60 seconds, in a page of that app."""
    return Answer(view=await call.core.platform.citizens.host_code(call.caller, call.body))


@CITIZENS.operation(
    "POST",
    "/v1/citizen-session",
    summary="Exchange a one-time code for a session",
    body=CitizenSignIn,
    reply=CitizenSessionView,
    status=201,
    public=True,
    refusals=(HostCodeRefusedError,),
    examples={"page": {"host_code": "A" * 43, "client_id": "aishandong"}},
)
async def open_citizen_session(call: Call[CitizenSignIn]) -> Answer:
    """The session's token comes in a cookie that scripts cannot read.

    A code that is shown a second time ends the session it opened: somebody else has seen it.
    """
    view, token = await call.core.platform.citizens.sign_in(call.body)
    max_age_s = int(SESSION_MAX.total_seconds())
    return Answer(view=view, headers=opening(call.settings, "citizen", token, max_age_s=max_age_s))


@CITIZENS.operation(
    "GET",
    "/v1/citizen-session",
    summary="The session of this page",
    reply=CitizenSessionView,
    access="citizen",
    refusals=SESSION,
)
async def read_citizen_session(call: Call[None]) -> Answer:
    """For a page that was loaded anew, or a second tab: its end, and its `csrf_token` again."""
    token = session_token(call.headers, call.settings, "citizen")
    assert token is not None, "the gate has let it in"
    return Answer(view=await call.core.platform.citizens.read(token))


class SignedOut(Model):
    """Nobody is signed in any more."""


@CITIZENS.operation(
    "DELETE",
    "/v1/citizen-session",
    summary="Sign a citizen out",
    reply=SignedOut,
    access="citizen",
    refusals=SESSION,
)
async def close_citizen_session(call: Call[None]) -> Answer:
    """End this session."""
    token = session_token(call.headers, call.settings, "citizen")
    assert token is not None, "the gate has let it in"
    await call.core.platform.citizens.sign_out(token)
    return Answer(view=SignedOut(), headers=closing(call.settings, "citizen"))


@CITIZENS.operation(
    "GET",
    "/v1/me",
    summary="Who am I",
    reply=UserView,
    access="citizen",
    refusals=SESSION,
)
async def who_am_i(call: Call[None]) -> Answer:
    """The citizen of this session: level, state, concessions and funds; name and number masked."""
    user_id = call.caller.user_id
    assert user_id is not None, "a citizen's session has a user"
    himself = Caller(
        client_id=call.caller.client_id,
        merchant_id=None,
        scopes=frozenset({Scope.USERS_WRITE.value}),
        user_id=user_id,
    )
    return Answer(view=await call.core.read_user(himself, user_id))
