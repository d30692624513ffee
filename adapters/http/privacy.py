"""Looking at personal data, and reading who has looked."""

from typing import Final

from adapters.http.examples import DISCLOSE, FIND_USER
from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.errors import PersonStateError, UserUnknownError
from cardcore.user.people_request import AccessQuery, DiscloseRequest, FindUserRequest
from cardcore.user.people_views import DataAccessesView, DisclosureView, FoundUserView

PRIVACY: Final = Noun("privacy", "Personal data for a stated purpose, and the log of all looks.")


@PRIVACY.operation(
    "GET",
    "/v1/users/{user_id}/data-accesses",
    summary="Who looked at a user's data",
    body=AccessQuery,
    reply=DataAccessesView,
    scope=Scope.USERS_READ,
    refusals=(UserUnknownError,),
)
async def list_accesses(call: Call[AccessQuery]) -> Answer:
    """Newest first: who, what for, which fields, masked or in clear."""
    return Answer(view=await call.core.list_accesses(call.caller, call.id("user_id"), call.body))


@PRIVACY.operation(
    "POST",
    "/v1/users/{user_id}/disclosures",
    summary="Read personal data in clear",
    body=DiscloseRequest,
    reply=DisclosureView,
    scope=Scope.PERSONAL_READ,
    refusals=(UserUnknownError, PersonStateError),
    examples={"order": DISCLOSE},
)
async def disclose(call: Call[DiscloseRequest]) -> Answer:
    """For one of the listed purposes, by a named operator. The citizen can read of it."""
    return Answer(view=await call.core.disclose(call.caller, call.id("user_id"), call.body))


@PRIVACY.operation(
    "POST",
    "/v1/user-searches",
    summary="Find a user by a number",
    body=FindUserRequest,
    reply=FoundUserView,
    scope=Scope.PERSONAL_READ,
    refusals=(UserUnknownError,),
    examples={"phone": FIND_USER},
)
async def find_user(call: Call[FindUserRequest]) -> Answer:
    """By identity number, phone number or plate; numbers never stand in a path or a query."""
    return Answer(view=await call.core.find_user(call.caller, call.body))
