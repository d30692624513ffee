"""``/v1/me/family…``: two citizens agree that one pays for the other, each in their session."""

from typing import Any, Final

from adapters.http.citizens import SESSION
from adapters.http.lifecycle import answered
from adapters.http.operation import Answer, Call, Noun
from cardcore.business.scene_errors import LevelTooLowError
from cardcore.errors import (
    AuthenticationStaleError,
    InvitationRefusedError,
    LimitExceededError,
    NotFoundError,
    PersonStateError,
    SceneUnknownError,
)
from cardcore.user.invitation_request import InvitationCode, InviteRequest
from cardcore.user.invitation_views import (
    FamilyView,
    InvitationsView,
    InvitationView,
    MadeInvitationView,
    ShownInvitationView,
)
from cardcore.user.people_views import LifeEventView

FAMILY: Final = Noun("family", "Paying for one another: one citizen invites, another accepts.")
INVITE: Final[dict[str, Any]] = {
    "inviter_pays": True,
    "kind": "guardian",
    "scenes": ["bus", "school"],
    "use": "when_short",
    "order_fen_max": 2_000,
    "day_fen_max": 5_000,
    "valid_to": "2027-09-01T00:00:00+08:00",
}
CODE: Final[dict[str, Any]] = {"code": "7KQ4-X2M9-TD3V"}


@FAMILY.operation(
    "GET",
    "/v1/me/family",
    summary="Who pays for me, and for whom I pay",
    reply=FamilyView,
    access="citizen",
    refusals=SESSION,
)
async def my_family(call: Call[None]) -> Answer:
    """As `GET /v1/me/delegations`, with the masked name of the other person."""
    return Answer(view=await call.core.family.family(call.caller))


@FAMILY.operation(
    "GET",
    "/v1/me/family-invitations",
    summary="My invitations",
    reply=InvitationsView,
    access="citizen",
    refusals=SESSION,
)
async def my_invitations(call: Call[None]) -> Answer:
    """Newest first, and what became of each. Their codes are told once, when they are made."""
    return Answer(view=await call.core.family.invitations(call.caller))


@FAMILY.operation(
    "POST",
    "/v1/me/family-invitations",
    summary="Invite somebody to a delegation",
    body=InviteRequest,
    reply=MadeInvitationView,
    status=201,
    access="citizen",
    refusals=(
        AuthenticationStaleError,
        LimitExceededError,
        PersonStateError,
        SceneUnknownError,
        LevelTooLowError,
        *SESSION,
    ),
    examples={"parent": INVITE},
    headers={"Cache-Control": "no-store"},
)
async def invite(call: Call[InviteRequest]) -> Answer:
    """The answer's `code` is good for a day, once; whoever accepts it agrees to these terms.

    Needs a session whose app has said in the last five minutes that the person proved who they are
    (`authenticated_at` of `POST /v1/host-codes`).
    """
    return Answer(view=await call.core.family.invite(call.caller, call.body))


@FAMILY.operation(
    "POST",
    "/v1/me/family-invitations/opening",
    summary="Read an invitation",
    body=InvitationCode,
    reply=ShownInvitationView,
    access="citizen",
    refusals=(InvitationRefusedError, *SESSION),
    examples={"code": CODE},
    headers={"Cache-Control": "no-store"},
)
async def open_invitation(call: Call[InvitationCode]) -> Answer:
    """What it says and, masked, who invites. Nothing is agreed on yet."""
    return Answer(view=await call.core.family.open_code(call.caller, call.body))


@FAMILY.operation(
    "POST",
    "/v1/me/family-invitations/acceptance",
    summary="Accept an invitation",
    body=InvitationCode,
    reply=LifeEventView,
    status=201,
    access="citizen",
    keyed=True,
    refusals=(
        AuthenticationStaleError,
        InvitationRefusedError,
        PersonStateError,
        LevelTooLowError,
        *SESSION,
    ),
    examples={"code": CODE},
)
async def accept_invitation(call: Call[InvitationCode]) -> Answer:
    """The delegation begins at once; `object` names it. Needs what inviting needs."""
    return answered(await call.core.family.accept(call.caller, call.body, call.key))


@FAMILY.operation(
    "POST",
    "/v1/me/family-invitations/{invitation_id}/withdrawal",
    summary="Withdraw an invitation",
    reply=InvitationView,
    access="citizen",
    refusals=(NotFoundError, *SESSION),
)
async def withdraw_invitation(call: Call[None]) -> Answer:
    """One that is no longer open stays as it is. The request has no body."""
    return Answer(view=await call.core.family.withdraw(call.caller, call.id("invitation_id")))
