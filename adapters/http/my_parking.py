"""``/v1/me/parking``: a driver's own stays, debts and alerts, in a session of their own."""

from typing import Any, Final
from uuid import UUID

from adapters.http.citizens import SESSION
from adapters.http.examples import ALERT_CLAIM
from adapters.http.operation import Answer, Call, Noun
from cardcore.business.dispute_errors import DisputeExceedsError
from cardcore.errors import NotFoundError, OrderStateError
from scenes.parking.errors import AlertStateError
from scenes.parking.own import OwnParking
from scenes.parking.request import ClaimAlertRequest
from scenes.parking.views import AlertView, ContractView, DriverView, StaysView

SUMMARY: Final = "A driver's own parking, in a session of their own."


def my_parking_noun(own: OwnParking) -> Noun:
    """The operations of a driver about themselves."""
    noun = Noun("my-parking", SUMMARY)

    @noun.operation(
        "GET",
        "/v1/me/parking",
        summary="How I stand",
        reply=DriverView,
        access="citizen",
        refusals=SESSION,
    )
    async def my_standing(call: Call[None]) -> Answer:
        """My contracts, what I owe and when it is asked for next, notices, alerts of my plates."""
        return Answer(view=await own.standing(_driver(call)))

    @noun.operation(
        "GET",
        "/v1/me/parking/stays",
        summary="My stays",
        reply=StaysView,
        access="citizen",
        refusals=SESSION,
    )
    async def my_stays(call: Call[None]) -> Answer:
        """Newest first: what each cost, what is paid and due; since my plate was proven."""
        return Answer(view=await own.stays(_driver(call)))

    @noun.operation(
        "POST",
        "/v1/me/parking/payment",
        summary="Pay what I owe",
        reply=DriverView,
        access="citizen",
        refusals=SESSION,
    )
    async def pay_parking(call: Call[None]) -> Answer:
        """Out of my purse, as far as it reaches. Where nothing is owed, nothing changes."""
        return Answer(view=await own.pay(_driver(call)))

    @noun.operation(
        "POST",
        "/v1/me/parking/alerts/{alert_id}/claim",
        summary="Say which stay was not mine",
        body=ClaimAlertRequest,
        reply=AlertView,
        access="citizen",
        refusals=(NotFoundError, AlertStateError, OrderStateError, DisputeExceedsError, *SESSION),
        examples={"the other one": ALERT_CLAIM},
    )
    async def claim_my_alert(call: Call[ClaimAlertRequest]) -> Answer:
        """My plate stood in two places at once: what the other stay cost me is disputed."""
        return Answer(view=await own.claim(_driver(call), call.id("alert_id"), call.body))

    @noun.operation(
        "POST",
        "/v1/me/parking/contracts/{contract_id}/end",
        summary="End my contract",
        reply=ContractView,
        access="citizen",
        refusals=(NotFoundError, *SESSION),
    )
    async def end_my_contract(call: Call[None]) -> Answer:
        """My plate pays before it leaves from now on. What I owe stays owed."""
        return Answer(view=await own.end_contract(_driver(call), call.id("contract_id")))

    return noun


def _driver(call: Call[Any]) -> UUID:
    user_id = call.caller.user_id
    assert user_id is not None, "a citizen's session has a user"
    return user_id
