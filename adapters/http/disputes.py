"""``/v1/disputes``: an order the citizen does not agree with, from the opening to the decision."""

from typing import Final

from adapters.http.examples import DISPUTE, DISPUTE_ANSWER, DISPUTE_DECISION
from adapters.http.operation import Answer, Call, Noun
from cardcore.business.dispute_errors import (
    DisputeExceedsError,
    DisputeStateError,
    SecondOperatorNeededError,
)
from cardcore.business.dispute_lists import DisputeRowsView, DisputesPage
from cardcore.business.dispute_request import (
    AnswerDisputeRequest,
    DecideDisputeRequest,
    OpenDisputeRequest,
)
from cardcore.business.dispute_views import DisputeView, EvidenceView
from cardcore.caller import Scope
from cardcore.errors import NotFoundError, OrderStateError

DISPUTES: Final = Noun("disputes", "Disputes: opened, answered, decided, settled.")

_STEP: Final = (NotFoundError, DisputeStateError)
_MONEY: Final = (*_STEP, SecondOperatorNeededError)


@DISPUTES.operation(
    "POST",
    "/v1/orders/{order_id}/disputes",
    summary="Dispute an order",
    body=OpenDisputeRequest,
    reply=DisputeView,
    status=201,
    keyed=True,
    scope=Scope.DISPUTES_WRITE,
    refusals=(NotFoundError, OrderStateError, DisputeExceedsError),
    examples={"wrong amount": DISPUTE},
)
async def open_dispute(call: Call[OpenDisputeRequest]) -> Answer:
    """All or part of what the citizen paid. What the books know now is kept as evidence.

    What is disputed cannot be refunded or disputed a second time meanwhile.
    """
    view, replayed = await call.core.open_dispute(
        call.caller, call.id("order_id"), call.body, call.key
    )
    return Answer(view=view, replayed=replayed)


@DISPUTES.operation(
    "GET",
    "/v1/disputes",
    summary="List disputes",
    body=DisputesPage,
    reply=DisputeRowsView,
    access="office",
    scope=Scope.DISPUTES_READ,
)
async def list_disputes(call: Call[DisputesPage]) -> Answer:
    """Those not decided yet, or of the `status` named; what must be decided first comes first."""
    return Answer(view=await call.core.disputes(call.caller, call.body))


@DISPUTES.operation(
    "GET",
    "/v1/disputes/{dispute_id}",
    summary="Read a dispute",
    reply=DisputeView,
    access="office",
    scope=Scope.DISPUTES_READ,
    refusals=(NotFoundError,),
)
async def read_dispute(call: Call[None]) -> Answer:
    """As it stands now, with every step. One of another merchant is not found."""
    return Answer(view=await call.core.read_dispute(call.caller, call.id("dispute_id")))


@DISPUTES.operation(
    "GET",
    "/v1/disputes/{dispute_id}/evidence",
    summary="The evidence of a dispute",
    reply=EvidenceView,
    access="office",
    scope=Scope.DISPUTES_READ,
    refusals=(NotFoundError,),
)
async def dispute_evidence(call: Call[None]) -> Answer:
    """The order, its lines, transfers and evidence as they were when the dispute was opened."""
    return Answer(view=await call.core.dispute_evidence(call.caller, call.id("dispute_id")))


@DISPUTES.operation(
    "POST",
    "/v1/disputes/{dispute_id}/answer",
    summary="Answer a dispute as the merchant",
    body=AnswerDisputeRequest,
    reply=DisputeView,
    keyed=True,
    scope=Scope.DISPUTES_ANSWER,
    refusals=_STEP,
    examples={"contest": DISPUTE_ANSWER},
)
async def answer_dispute(call: Call[AnswerDisputeRequest]) -> Answer:
    """`accept` settles it for the citizen; `contest` brings it to the card centre's decision.

    No answer by `respond_by` is an acceptance.
    """
    view, replayed = await call.core.answer_dispute(
        call.caller, call.id("dispute_id"), call.body, call.key
    )
    return Answer(view=view, replayed=replayed)


@DISPUTES.operation(
    "POST",
    "/v1/disputes/{dispute_id}/credit",
    summary="Credit the citizen provisionally",
    reply=DisputeView,
    keyed=True,
    scope=Scope.DISPUTES_DECIDE,
    refusals=_MONEY,
)
async def credit_dispute(call: Call[None]) -> Answer:
    """At the latest it happens by itself at `credit_by`. The request has no body.

    Above the limit of one person two operators do it: a proposal `credit_dispute`.
    """
    view, replayed = await call.core.credit_dispute(call.caller, call.id("dispute_id"), call.key)
    return Answer(view=view, replayed=replayed)


@DISPUTES.operation(
    "POST",
    "/v1/disputes/{dispute_id}/decision",
    summary="Decide a dispute",
    body=DecideDisputeRequest,
    reply=DisputeView,
    keyed=True,
    scope=Scope.DISPUTES_DECIDE,
    refusals=_MONEY,
    examples={"for the merchant": DISPUTE_DECISION},
)
async def decide_dispute(call: Call[DecideDisputeRequest]) -> Answer:
    """Final. Whoever is in the wrong pays back what was credited, as far as there is money now.

    Above the limit of one person two operators do it: a proposal `decide_dispute`.
    """
    view, replayed = await call.core.decide_dispute(
        call.caller, call.id("dispute_id"), call.body, call.key
    )
    return Answer(view=view, replayed=replayed)


@DISPUTES.operation(
    "POST",
    "/v1/disputes/{dispute_id}/withdrawal",
    summary="Withdraw a dispute",
    reply=DisputeView,
    keyed=True,
    scope=Scope.DISPUTES_WRITE,
    refusals=_STEP,
)
async def withdraw_dispute(call: Call[None]) -> Answer:
    """The citizen takes it back; what was credited is owed again. The request has no body."""
    view, replayed = await call.core.withdraw_dispute(call.caller, call.id("dispute_id"), call.key)
    return Answer(view=view, replayed=replayed)
