"""``/v1/foreign-…``: ride codes of other cities, and what their issuers are told."""

from datetime import date
from typing import Final

from adapters.http.examples import FOREIGN_ISSUER, FOREIGN_RIDE
from adapters.http.operation import Answer, Call, Noun
from cardcore.business.foreign_request import (
    ClearingFileUnknownError,
    ClearingFileView,
    ForeignIssuerUnknownError,
    ForeignRideRequest,
    ForeignRideView,
    IssuerView,
    RegisterIssuerRequest,
)
from cardcore.caller import Scope
from cardcore.errors import (
    CodeRefusedError,
    LimitExceededError,
    MerchantUnknownError,
    NotFoundError,
    OrderConflictError,
    TerminalUnknownError,
)

FOREIGN: Final = Noun("foreign codes", "Ride codes of other cities, cleared to their issuers.")


@FOREIGN.operation(
    "POST",
    "/v1/foreign-issuers",
    summary="Register another city's issuer",
    body=RegisterIssuerRequest,
    reply=IssuerView,
    status=201,
    scope=Scope.SCENES_WRITE,
    refusals=(OrderConflictError,),
    examples={"the neighbour": FOREIGN_ISSUER},
)
async def register_issuer(call: Call[RegisterIssuerRequest]) -> Answer:
    """With the root its certificates are signed by. The same again changes nothing."""
    return Answer(view=await call.core.register_issuer(call.caller, call.body))


@FOREIGN.operation(
    "GET",
    "/v1/foreign-issuers/{issuer}",
    summary="Read an issuer",
    reply=IssuerView,
    scope=Scope.REPORTS_READ,
    refusals=(ForeignIssuerUnknownError,),
)
async def read_issuer(call: Call[None]) -> Answer:
    """What its cards get here, and what it owes."""
    return Answer(view=await call.core.read_issuer(call.caller, call.path["issuer"]))


@FOREIGN.operation(
    "POST",
    "/v1/foreign-rides",
    summary="A ride by a code of another city",
    body=ForeignRideRequest,
    reply=ForeignRideView,
    status=201,
    keyed=True,
    numbered=True,
    scope=Scope.ORDERS_WRITE,
    refusals=(
        ForeignIssuerUnknownError,
        CodeRefusedError,
        MerchantUnknownError,
        TerminalUnknownError,
        LimitExceededError,
        OrderConflictError,
    ),
    examples={"a ride": FOREIGN_RIDE},
)
async def foreign_ride(call: Call[ForeignRideRequest]) -> Answer:
    """Priced as a ride of ours, with the concession its card type gets here; its issuer owes it."""
    view, known = await call.core.foreign_ride(call.caller, call.body, call.key)
    return Answer.of_numbered(view, known)


@FOREIGN.operation(
    "GET",
    "/v1/foreign-issuers/{issuer}/clearing-files/{business_on}",
    summary="An issuer's file of a day",
    reply=ClearingFileView,
    scope=Scope.REPORTS_READ,
    refusals=(ForeignIssuerUnknownError, ClearingFileUnknownError),
)
async def clearing_file(call: Call[None]) -> Answer:
    """Signed, with count, sum and digest; never changed. What came late lies in a later one."""
    try:
        on = date.fromisoformat(call.path["business_on"])
    except ValueError:
        raise NotFoundError(field="business_on") from None
    return Answer(view=await call.core.clearing_file(call.caller, call.path["issuer"], on))
