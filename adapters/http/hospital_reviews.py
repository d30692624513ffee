"""``/v1/hospital-reviews…``: what people must look at, and three books compared (对账)."""

from typing import Final

from adapters.http import hospital_examples as example
from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.errors import NotFoundError
from cardcore.settlement.errors import BillInvalidError
from scenes.hospital.errors import HospitalUnknownError, PaymentStateError
from scenes.hospital.gateway import InsuranceRefusedError, InsuranceSilentError
from scenes.hospital.request import (
    BILL_SIZE_MAX,
    ChannelBillRequest,
    HISItemsRequest,
    ReconciliationRequest,
    ReviewRequest,
)
from scenes.hospital.service import Hospital
from scenes.hospital.views import (
    ChannelBillView,
    DifferencesView,
    HISItemsView,
    ReconciliationView,
    ReviewsView,
    ReviewView,
)

BILL_BYTES_MAX: Final = BILL_SIZE_MAX + 2**17


def declare_reviews(noun: Noun, hospital: Hospital) -> None:
    """The list, and the decisions."""

    @noun.operation(
        "GET",
        "/v1/hospital-reviews",
        summary="What people must look at",
        reply=ReviewsView,
        scope=Scope.HOSPITAL_REVIEW,
    )
    async def list_reviews(call: Call[None]) -> Answer:
        """Those in `review` wait for a decision, the others go on being tried. Oldest first.

        With age, and whose move it is.
        """
        return Answer(view=await hospital.list_reviews(call.caller))

    @noun.operation(
        "POST",
        "/v1/hospital-reviews/{subject_id}/decision",
        summary="Go on after a review",
        body=ReviewRequest,
        reply=ReviewView,
        keyed=True,
        scope=Scope.HOSPITAL_REVIEW,
        refusals=(NotFoundError, PaymentStateError),
        examples={"take it back": example.REVIEW},
    )
    async def decide_review(call: Call[ReviewRequest]) -> Answer:
        """`ask` the insurer again, or `cancel`: the settlement and the money go back.

        Of a return, `whole`: everything goes back, the rest is billed anew. `release`: people have
        the insurer's word that nothing stands there; the money goes back.
        """
        view, replayed = await hospital.decide_review(
            call.caller, call.id("subject_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)


def declare_comparisons(noun: Noun, hospital: Hospital) -> None:
    """The hospital's own items, the comparison, what it found."""

    @noun.operation(
        "POST",
        "/v1/hospitals/{merchant_id}/collected-items",
        summary="Tell what the hospital's system has collected",
        body=HISItemsRequest,
        reply=HISItemsView,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(HospitalUnknownError,),
        examples={"one payment": example.HIS_ITEMS},
    )
    async def take_his_items(call: Call[HISItemsRequest]) -> Answer:
        """Up to 1,000 at a time; the same again changes nothing.

        With `complete` the date is told whole: what was paid and is missing then is given back.
        """
        merchant_id = call.path["merchant_id"]
        return Answer(view=await hospital.take_his_items(call.caller, merchant_id, call.body))

    @noun.operation(
        "POST",
        "/v1/hospitals/{merchant_id}/channel-bills",
        summary="Bring the bill of the channel that moved the citizens' part",
        body=ChannelBillRequest,
        reply=ChannelBillView,
        scope=Scope.HOSPITAL_REVIEW,
        body_bytes_max=BILL_BYTES_MAX,
        refusals=(HospitalUnknownError, BillInvalidError),
        examples={"one payment": example.CHANNEL_BILL},
    )
    async def take_channel_bill(call: Call[ChannelBillRequest]) -> Answer:
        """By the card centre, as the channel sent it. One that was cut is refused whole.

        The same again changes nothing; another one of the date replaces it.
        """
        merchant_id = call.path["merchant_id"]
        return Answer(view=await hospital.take_channel_bill(call.caller, merchant_id, call.body))

    @noun.operation(
        "POST",
        "/v1/hospitals/{merchant_id}/reconciliations",
        summary="Compare the three books of a day",
        body=ReconciliationRequest,
        reply=ReconciliationView,
        scope=Scope.HOSPITAL_REVIEW,
        refusals=(HospitalUnknownError, InsuranceRefusedError, InsuranceSilentError),
        examples={"today": example.RECONCILIATION},
    )
    async def reconcile(call: Call[ReconciliationRequest]) -> Answer:
        """Hospital, insurer, channel, city.

        The worker does it every ten minutes for today and yesterday.
        """
        merchant_id = call.path["merchant_id"]
        return Answer(view=await hospital.reconcile(call.caller, merchant_id, call.body))

    @noun.operation(
        "GET",
        "/v1/hospitals/{merchant_id}/differences",
        summary="Differences that stand",
        reply=DifferencesView,
        scope=Scope.HOSPITAL_REVIEW,
        refusals=(HospitalUnknownError,),
    )
    async def list_differences(call: Call[None]) -> Answer:
        """The oldest first, with age and owner."""
        merchant_id = call.path["merchant_id"]
        return Answer(view=await hospital.list_differences(call.caller, merchant_id))
