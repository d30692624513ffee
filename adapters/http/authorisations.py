"""``/v1/users/{user_id}/authorisations`` and ``…/printed-codes``: what is checked off-line."""

from typing import Final

from adapters.http.examples import AUTHORISE, PRINT_CODE
from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.errors import (
    LimitExceededError,
    SceneUnknownError,
    UserFrozenError,
    UserUnknownError,
)
from cardcore.user.authorisation_request import AuthoriseRequest, PrintCodeRequest
from cardcore.user.authorisation_views import AuthorisationView, PrintedCodeView

AUTHORISATIONS: Final = Noun(
    "authorisations", "What is checked without a network: phones' authorisations, printed codes."
)
_REFUSALS: Final = (UserUnknownError, UserFrozenError, SceneUnknownError, LimitExceededError)


@AUTHORISATIONS.operation(
    "POST",
    "/v1/users/{user_id}/authorisations",
    summary="Authorise a phone's key",
    body=AuthoriseRequest,
    reply=AuthorisationView,
    status=201,
    scope=Scope.CODES_ISSUE,
    refusals=_REFUSALS,
    examples={"phone": AUTHORISE},
    headers={"Cache-Control": "no-store"},
)
async def authorise(call: Call[AuthoriseRequest]) -> Answer:
    """Bytes with which the phone makes class D codes itself, within limits of the person's level.

    Ends what the same key held before, so a repeated request leaves one authorisation valid.
    """
    return Answer(view=await call.core.authorise(call.caller, call.id("user_id"), call.body))


@AUTHORISATIONS.operation(
    "POST",
    "/v1/users/{user_id}/printed-codes",
    summary="Issue a printed code",
    body=PrintCodeRequest,
    reply=PrintedCodeView,
    status=201,
    scope=Scope.CODES_ISSUE,
    refusals=_REFUSALS,
    examples={"identity": PRINT_CODE},
    headers={"Cache-Control": "no-store"},
)
async def print_code(call: Call[PrintCodeRequest]) -> Answer:
    """A class P code for somebody without a phone; it pays on-line only. Shown this once."""
    return Answer(view=await call.core.print_code(call.caller, call.id("user_id"), call.body))
