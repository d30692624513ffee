"""Codes: issuing a dynamic code to a phone, and the public keys every verifier needs."""

from typing import Final

from adapters.http.examples import ISSUE_CODE
from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.errors import SceneUnknownError, UserFrozenError, UserUnknownError
from cardcore.user.request import IssueCodeRequest
from cardcore.user.views import IssuedCodeView

CODES: Final = Noun("codes", "Dynamic codes and the public key ring.")
KEY_RING_MAX_AGE_S: Final = 60


@CODES.operation(
    "POST",
    "/v1/users/{user_id}/codes",
    vital=True,
    summary="Issue a dynamic code",
    body=IssueCodeRequest,
    reply=IssuedCodeView,
    status=201,
    scope=Scope.CODES_ISSUE,
    refusals=(UserUnknownError, UserFrozenError, SceneUnknownError),
    examples={"bus": ISSUE_CODE},
)
async def issue_code(call: Call[IssueCodeRequest]) -> Answer:
    """A fresh code for a phone that is online. Each call gives another one: none is repeated."""
    return Answer(view=await call.core.issue_code(call.caller, call.id("user_id"), call.body))


@CODES.operation(
    "GET",
    "/v1/key-ring",
    vital=True,
    summary="The public key ring",
    reply=None,
    public=True,
    headers={"Cache-Control": f"public, max-age={KEY_RING_MAX_AGE_S}"},
)
async def key_ring(call: Call[None]) -> Answer:
    """Issuers' public keys with their windows: all an offline verifier needs to check a code."""
    return Answer(view=await call.core.key_ring())
