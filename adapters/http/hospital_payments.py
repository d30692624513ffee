"""``/v1/hospital-visits…``: bills, the split agreed to, items given back (缴费)."""

from typing import Final

from adapters.http import hospital_examples as example
from adapters.http.hospital import PATIENT
from adapters.http.hospital_citizens import QUOTING, declare_own_bills
from adapters.http.hospital_reviews import declare_comparisons, declare_reviews
from adapters.http.hospital_stays import declare_house_rules, declare_stays
from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.errors import (
    NotFoundError,
)
from scenes.hospital.errors import (
    AgreementMissingError,
    BillConflictError,
    HospitalUnknownError,
    PaymentStateError,
    RefundUnderWayError,
    RegistrationStateError,
    ReturnExceedsError,
)
from scenes.hospital.request import (
    BillRequest,
    ConfirmRequest,
    InsuranceRequest,
    PaymentRequest,
    ReturnRequest,
    VisitRequest,
)
from scenes.hospital.service import Hospital
from scenes.hospital.views import (
    BillsView,
    BillView,
    PaymentView,
    ReturnView,
    VisitView,
)

SUMMARY: Final = "Hospital fees: visits, bills, payments with the insurer's share, returns."


def fee_noun(hospital: Hospital) -> Noun:
    """The operations of paying in this scene."""
    noun = Noun("hospital fees", SUMMARY)
    _visits(noun, hospital)
    _payments(noun, hospital)
    _returns(noun, hospital)
    declare_reviews(noun, hospital)
    declare_comparisons(noun, hospital)
    declare_house_rules(noun, hospital)
    declare_stays(noun, hospital)
    declare_own_bills(noun, hospital)
    return noun


def _visits(noun: Noun, hospital: Hospital) -> None:
    @noun.operation(
        "POST",
        "/v1/hospitals/{merchant_id}/visits",
        summary="Open a visit",
        body=VisitRequest,
        reply=VisitView,
        status=201,
        keyed=True,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(HospitalUnknownError, BillConflictError, AgreementMissingError, *PATIENT),
        examples={"insured": example.VISIT},
    )
    async def open_visit(call: Call[VisitRequest]) -> Answer:
        """Of whoever presents the credential. An inpatient's visit has a deposit."""
        view, replayed = await hospital.open_visit(
            call.caller, call.path["merchant_id"], call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "POST",
        "/v1/hospital-registrations/{registration_id}/bill",
        summary="Bill a registration's fee",
        body=InsuranceRequest,
        reply=VisitView,
        status=201,
        keyed=True,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(NotFoundError, RegistrationStateError),
        examples={"insured": example.INSURANCE},
    )
    async def bill_registration(call: Call[InsuranceRequest]) -> Answer:
        """Opens the visit of a held place, with a bill over its fee. Paid, the place is booked."""
        view, replayed = await hospital.bill_registration(
            call.caller, call.id("registration_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "GET",
        "/v1/hospital-visits/{visit_id}",
        summary="Read a visit",
        reply=VisitView,
        scope=Scope.HOSPITAL_READ,
        refusals=(NotFoundError,),
    )
    async def read_visit(call: Call[None]) -> Answer:
        """As it stands."""
        return Answer(view=await hospital.read_visit(call.caller, call.id("visit_id")))

    @noun.operation(
        "POST",
        "/v1/hospital-visits/{visit_id}/bills",
        summary="Add a bill",
        body=BillRequest,
        reply=BillView,
        status=201,
        keyed=True,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(NotFoundError, BillConflictError),
        examples={"two items": example.BILL},
    )
    async def add_bill(call: Call[BillRequest]) -> Answer:
        """On an inpatient's visit it is a daily bill."""
        view, replayed = await hospital.add_bill(
            call.caller, call.id("visit_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "GET",
        "/v1/hospital-visits/{visit_id}/bills",
        summary="Bills of a visit",
        reply=BillsView,
        scope=Scope.HOSPITAL_READ,
        refusals=(NotFoundError,),
    )
    async def list_bills(call: Call[None]) -> Answer:
        """With their lines, oldest first."""
        return Answer(view=await hospital.list_bills(call.caller, call.id("visit_id")))


def _payments(noun: Noun, hospital: Hospital) -> None:
    @noun.operation(
        "POST",
        "/v1/hospital-visits/{visit_id}/payments",
        summary="Work out who pays what",
        body=PaymentRequest,
        reply=PaymentView,
        status=201,
        keyed=True,
        scope=Scope.HOSPITAL_WRITE,
        refusals=QUOTING,
        examples={"all open bills": example.PAYMENT},
    )
    async def quote_payment(call: Call[PaymentRequest]) -> Answer:
        """Several bills at once. Nothing is held, nothing settled: `quoted`."""
        view, replayed = await hospital.quote_payment(
            call.caller, call.id("visit_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "POST",
        "/v1/hospital-payments/{payment_id}/confirmation",
        summary="Pay: the citizen agrees to the split",
        body=ConfirmRequest,
        reply=PaymentView,
        keyed=True,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(NotFoundError, PaymentStateError, AgreementMissingError, *PATIENT),
        examples={"scanned": example.CONFIRM},
    )
    async def confirm_payment(call: Call[ConfirmRequest]) -> Answer:
        """Hold, settle with the insurer, capture. Read `state`: `paid`, or why not in `reason`.

        Where the insurer is silent it is `asking` or `reversing`: read it again later, it comes to
        `paid` or `returned` by itself and is never charged twice.
        """
        view, replayed = await hospital.confirm_payment(
            call.caller, call.id("payment_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "GET",
        "/v1/hospital-payments/{payment_id}",
        summary="Read a payment",
        reply=PaymentView,
        scope=Scope.HOSPITAL_READ,
        refusals=(NotFoundError,),
    )
    async def read_payment(call: Call[None]) -> Answer:
        """As it stands, with its steps."""
        return Answer(view=await hospital.read_payment(call.caller, call.id("payment_id")))


def _returns(noun: Noun, hospital: Hospital) -> None:
    @noun.operation(
        "POST",
        "/v1/hospital-payments/{payment_id}/returns",
        summary="Give items back",
        body=ReturnRequest,
        reply=ReturnView,
        status=201,
        keyed=True,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(
            NotFoundError,
            PaymentStateError,
            RefundUnderWayError,
            ReturnExceedsError,
            BillConflictError,
        ),
        examples={"one item": example.RETURN},
    )
    async def return_items(call: Call[ReturnRequest]) -> Answer:
        """The settlement is cancelled, the rest settled anew, the money goes the way it came."""
        view, replayed = await hospital.return_items(
            call.caller, call.id("payment_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "GET",
        "/v1/hospital-returns/{refund_id}",
        summary="Read a return",
        reply=ReturnView,
        scope=Scope.HOSPITAL_READ,
        refusals=(NotFoundError,),
    )
    async def read_return(call: Call[None]) -> Answer:
        """As it stands, with its steps."""
        return Answer(view=await hospital.read_return(call.caller, call.id("refund_id")))
