"""``/v1/operators``: people of the card centre sign in, and are added and shut out."""

from typing import Final

from adapters.http.operation import Answer, Call, Noun
from adapters.http.sessions import closing, opening, session_token
from cardcore.caller import Scope
from cardcore.errors import ForbiddenError
from cardcore.model import Model
from cardcore.platform.errors import (
    CSRFRefusedError,
    OperatorExistsError,
    OperatorUnknownError,
    PasswordWeakError,
    SessionInvalidError,
    SignInRefusedError,
)
from cardcore.platform.operators import SESSION_MAX
from cardcore.platform.request import NewOperator, SignIn
from cardcore.platform.views import OperatorSessionView, OperatorView, WhoView

OPERATORS: Final = Noun("operators", "Operators of the card centre and their sessions.")
SESSION: Final = (SessionInvalidError, CSRFRefusedError)


class AddedOperator(Model):
    """An added operator; the URI is for the authenticator app and is shown this once."""

    operator: OperatorView
    totp_uri: str


class OperatorsView(Model):
    """All operators."""

    operators: list[OperatorView]


class Nobody(Model):
    """Nobody is signed in any more."""


@OPERATORS.operation(
    "POST",
    "/v1/operators/session",
    summary="Sign an operator in",
    body=SignIn,
    reply=OperatorSessionView,
    status=201,
    public=True,
    refusals=(SignInRefusedError,),
    examples={
        "clerk": {"operator_id": "zhang.wei", "password": "correct horse 42", "totp": "123456"}
    },
)
async def open_operator_session(call: Call[SignIn]) -> Answer:
    """Password and one-time password; the session's token comes in a cookie scripts cannot read.

    `csrf_token` goes into `X-CSRF-Token` with every change. One refusal for all reasons; failures
    lock with growing patience.
    """
    view, token = await call.core.platform.operators.sign_in(call.body)
    max_age_s = int(SESSION_MAX.total_seconds())
    return Answer(view=view, headers=opening(call.settings, "operator", token, max_age_s=max_age_s))


@OPERATORS.operation(
    "GET",
    "/v1/operators/session",
    summary="Who is signed in",
    reply=WhoView,
    access="operator",
    refusals=SESSION,
)
async def read_operator_session(call: Call[None]) -> Answer:
    """The operator of this session and what it may do."""
    name = call.caller.client_id.removeprefix("operator:")
    return Answer(view=WhoView(operator_id=name, scopes=sorted(call.caller.scopes)))


@OPERATORS.operation(
    "DELETE",
    "/v1/operators/session",
    summary="Sign an operator out",
    reply=Nobody,
    access="operator",
    refusals=SESSION,
)
async def close_operator_session(call: Call[None]) -> Answer:
    """End this session."""
    token = session_token(call.headers, call.settings, "operator")
    assert token is not None, "the gate has let it in"
    await call.core.platform.operators.sign_out(token)
    return Answer(view=Nobody(), headers=closing(call.settings, "operator"))


@OPERATORS.operation(
    "GET",
    "/v1/operators",
    summary="List operators",
    reply=OperatorsView,
    access="operator",
    scope=Scope.OPERATORS_WRITE,
    refusals=SESSION,
)
async def list_operators(call: Call[None]) -> Answer:
    """All operators with their roles and states."""
    return Answer(
        view=OperatorsView(operators=await call.core.platform.operators.list(call.caller))
    )


@OPERATORS.operation(
    "POST",
    "/v1/operators",
    summary="Add an operator",
    body=NewOperator,
    reply=AddedOperator,
    status=201,
    access="operator",
    scope=Scope.OPERATORS_WRITE,
    refusals=(*SESSION, OperatorExistsError, PasswordWeakError),
    examples={
        "clerk": {
            "operator_id": "zhang.wei",
            "name": "张伟",
            "roles": ["clerk"],
            "password": "correct horse 42",
        }
    },
)
async def add_operator(call: Call[NewOperator]) -> Answer:
    """Not for oneself: nobody widens the own roles, since a taken name is refused."""
    view, uri = await call.core.platform.operators.add(call.caller, call.body)
    return Answer(view=AddedOperator(operator=view, totp_uri=uri))


@OPERATORS.operation(
    "POST",
    "/v1/operators/{operator_id}/disable",
    summary="Shut an operator out",
    reply=OperatorView,
    access="operator",
    scope=Scope.OPERATORS_WRITE,
    refusals=(*SESSION, OperatorUnknownError),
)
async def disable_operator(call: Call[None]) -> Answer:
    """At once: its sessions end. One cannot shut oneself out."""
    operator_id = call.path["operator_id"]
    if call.caller.client_id == f"operator:{operator_id}":
        raise ForbiddenError("another operator must do this")
    operators = call.core.platform.operators
    return Answer(view=await operators.set_status(call.caller, operator_id, "disabled"))
