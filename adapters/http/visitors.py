"""``/v1/me/visitor-passes``: a host lets visitors in, in a session of their own."""

from typing import Any, Final
from uuid import UUID

from adapters.http.citizens import SESSION
from adapters.http.operation import Answer, Call, Noun
from cardcore.errors import LimitExceededError, NotFoundError
from scenes.community.visits import (
    GivenPassView,
    NewVisitorPass,
    VisitorDesk,
    VisitorPassesView,
    VisitorPassView,
    VisitRefusedError,
)

SUMMARY: Final = "Passes a host gives to visitors of a community."
NEW_PASS: Final[dict[str, Any]] = {
    "purpose": "repair",
    "door_groups": ["building_3"],
    "valid_from": "2026-06-01",
    "valid_to": "2026-06-02",
    "starts": "08:00:00",
    "ends": "18:00:00",
    "uses_max": 2,
}


def visitor_noun(desk: VisitorDesk) -> Noun:
    """The operations of a host, over this desk."""
    noun = Noun("visitor-passes", SUMMARY)

    @noun.operation(
        "POST",
        "/v1/me/visitor-passes",
        summary="Give a visitor a pass",
        body=NewVisitorPass,
        reply=GivenPassView,
        status=201,
        access="citizen",
        refusals=(VisitRefusedError, LimitExceededError, *SESSION),
        examples={"repair": NEW_PASS},
        headers={"Cache-Control": "no-store"},
    )
    async def give_pass(call: Call[NewVisitorPass]) -> Answer:
        """A printed code for doors of my own, for at most a week. Its text is shown this once."""
        return Answer(view=await desk.give(_host(call), call.body))

    @noun.operation(
        "GET",
        "/v1/me/visitor-passes",
        summary="My visitors' passes",
        reply=VisitorPassesView,
        access="citizen",
        refusals=SESSION,
    )
    async def list_passes(call: Call[None]) -> Answer:
        """Newest first, with the passages recorded so far, and the doors I may open to visitors."""
        return Answer(view=await desk.passes(_host(call)))

    @noun.operation(
        "POST",
        "/v1/me/visitor-passes/{pass_id}/end",
        summary="End a visitor's pass",
        reply=VisitorPassView,
        access="citizen",
        refusals=(NotFoundError, *SESSION),
    )
    async def end_pass(call: Call[None]) -> Answer:
        """Gates know within minutes. Ending it again changes nothing."""
        return Answer(view=await desk.end(_host(call), call.id("pass_id")))

    return noun


def _host(call: Call[Any]) -> UUID:
    host_id = call.caller.user_id
    assert host_id is not None, "a citizen's session has a user"
    return host_id
