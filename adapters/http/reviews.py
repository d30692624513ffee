"""``/v1/record-reviews``: records of terminals that wait for a person."""

from typing import Final

from adapters.http.operation import Answer, Call, Noun
from adapters.http.operators import SESSION
from cardcore.caller import Scope
from cardcore.errors import NotFoundError
from cardcore.platform.errors import RecordDecidedError
from cardcore.platform.reviews import (
    CasesPage,
    CasesView,
    ReviewPage,
    ReviewsView,
    ReviewView,
    WriteOffRequest,
)

REVIEWS: Final = Noun("reviews", "Records of terminals that wait for a person's decision.")


@REVIEWS.operation(
    "GET",
    "/v1/record-reviews",
    summary="List records that wait for a decision",
    body=ReviewPage,
    reply=ReviewsView,
    access="operator",
    scope=Scope.PROPOSALS_WRITE,
    refusals=SESSION,
)
async def list_reviews(call: Call[ReviewPage]) -> Answer:
    """Oldest first, with the reason and whose loss it is until decided."""
    return Answer(view=await call.core.platform.reviews.waiting(call.caller, call.body))


@REVIEWS.operation(
    "GET",
    "/v1/record-cases",
    summary="List contradictions between records",
    body=CasesPage,
    reply=CasesView,
    access="operator",
    scope=Scope.PROPOSALS_WRITE,
    refusals=SESSION,
)
async def list_cases(call: Call[CasesPage]) -> Answer:
    """One code at two terminals, a terminal that signed one number twice, a key that was copied."""
    return Answer(view=await call.core.platform.reviews.cases(call.caller, call.body))


@REVIEWS.operation(
    "GET",
    "/v1/record-reviews/{record_id}",
    summary="Read a record that waits or waited",
    reply=ReviewView,
    access="operator",
    scope=Scope.PROPOSALS_WRITE,
    refusals=(*SESSION, NotFoundError),
)
async def read_review(call: Call[None]) -> Answer:
    """With what was decided, by whom, and the order where it was charged."""
    return Answer(view=await call.core.platform.reviews.read(call.caller, call.id("record_id")))


@REVIEWS.operation(
    "POST",
    "/v1/record-reviews/{record_id}/write-off",
    summary="Write a record off",
    body=WriteOffRequest,
    reply=ReviewView,
    keyed=True,
    access="operator",
    scope=Scope.PROPOSALS_DECIDE,
    refusals=(*SESSION, NotFoundError, RecordDecidedError),
    examples={"the terminal was wrong": {"liability": "merchant", "purpose": "工单 2026-118"}},
)
async def write_off(call: Call[WriteOffRequest]) -> Answer:
    """No money moves. To charge it instead, propose `charge_record`."""
    view, replayed = await call.core.platform.reviews.write_off(
        call.caller, call.id("record_id"), call.body, call.key
    )
    return Answer(view=view, replayed=replayed)
