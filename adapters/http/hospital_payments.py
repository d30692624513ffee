"""``/v1/hospital-visits…``: bills, the split agreed to, items given back, deposits (缴费)."""

from typing import Final

from adapters.http import hospital_examples as example
from adapters.http.citizens import SESSION
from adapters.http.hospital import PATIENT
from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.errors import (
    FundUnknownError,
    InsufficientBalanceError,
    LimitExceededError,
    NotFoundError,
)
from scenes.hospital.errors import (
    AgreementMissingError,
    BillConflictError,
    DepositStateError,
    HospitalUnknownError,
    PaymentStateError,
    PrepaymentOffError,
    RefundUnderWayError,
    RegistrationStateError,
    ReturnExceedsError,
)
from scenes.hospital.gateway import InsuranceRefusedError, InsuranceSilentError
from scenes.hospital.request import (
    AgreementRequest,
    BillRequest,
    ConfirmRequest,
    DepositRequest,
    HISItemsRequest,
    InsuranceRequest,
    OwnConfirmRequest,
    PaymentRequest,
    ReconciliationRequest,
    ReturnRequest,
    ReviewRequest,
    VisitRequest,
)
from scenes.hospital.service import Hospital
from scenes.hospital.split import InsuranceSumsError
from scenes.hospital.views import (
    AgreementView,
    BillsView,
    BillView,
    DepositView,
    DifferencesView,
    HISItemsView,
    PaymentView,
    ReconciliationView,
    ReturnView,
    ReviewsView,
    ReviewView,
    VisitView,
)

SUMMARY: Final = "Hospital fees: visits, bills, payments with the insurer's share, returns."
_INSURER: Final = (InsuranceRefusedError, InsuranceSilentError, InsuranceSumsError)
_FUNDS: Final = (InsufficientBalanceError, FundUnknownError, LimitExceededError)
_QUOTING: Final = (NotFoundError, BillConflictError, *_INSURER)


def fee_noun(hospital: Hospital) -> Noun:
    """The operations of paying in this scene."""
    noun = Noun("hospital fees", SUMMARY)
    _visits(noun, hospital)
    _payments(noun, hospital)
    _returns(noun, hospital)
    _reconciliation(noun, hospital)
    _deposits(noun, hospital)
    _own(noun, hospital)
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
        refusals=_QUOTING,
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

    @noun.operation(
        "GET",
        "/v1/hospital-reviews",
        summary="What people must look at",
        reply=ReviewsView,
        scope=Scope.HOSPITAL_REVIEW,
    )
    async def list_reviews(call: Call[None]) -> Answer:
        """Payments and returns whose sums do not agree, oldest first."""
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
        """`ask` the insurer again, or `cancel`: the settlement and the money go back."""
        view, replayed = await hospital.decide_review(
            call.caller, call.id("subject_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)


def _reconciliation(noun: Noun, hospital: Hospital) -> None:
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
        """Up to 1,000 at a time; the same again changes nothing."""
        merchant_id = call.path["merchant_id"]
        return Answer(view=await hospital.take_his_items(call.caller, merchant_id, call.body))

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
        """Hospital, insurer, city. The worker does it every ten minutes for today and yesterday."""
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


def _deposits(noun: Noun, hospital: Hospital) -> None:
    @noun.operation(
        "POST",
        "/v1/hospitals/{merchant_id}/credit-agreements",
        summary="Agree to pay after visits",
        body=AgreementRequest,
        reply=AgreementView,
        status=201,
        keyed=True,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(HospitalUnknownError, *PATIENT),
        examples={"signed": example.AGREEMENT},
    )
    async def sign_agreement(call: Call[AgreementRequest]) -> Answer:
        """One that is in force stays. The limit is that of the person's credit line."""
        view, replayed = await hospital.sign_agreement(
            call.caller, call.path["merchant_id"], call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "POST",
        "/v1/hospital-visits/{visit_id}/prepayment",
        summary="Open a prepayment of an outpatient",
        reply=DepositView,
        status=201,
        keyed=True,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(NotFoundError, PrepaymentOffError),
    )
    async def open_prepayment(call: Call[None]) -> Answer:
        """Off unless the hospital has switched it on. The request has no body."""
        view, replayed = await hospital.open_prepayment(call.caller, call.id("visit_id"), call.key)
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "POST",
        "/v1/hospital-visits/{visit_id}/deposits",
        summary="Put money down for a stay",
        body=DepositRequest,
        reply=DepositView,
        status=201,
        keyed=True,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(NotFoundError, DepositStateError, BillConflictError, *PATIENT, *_FUNDS),
        examples={"1,000 yuan": example.DEPOSIT},
    )
    async def put_down(call: Call[DepositRequest]) -> Answer:
        """From the funds of whoever presents the credential."""
        view, replayed = await hospital.put_down(
            call.caller, call.id("visit_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "GET",
        "/v1/hospital-visits/{visit_id}/deposits",
        summary="Read a deposit",
        reply=DepositView,
        scope=Scope.HOSPITAL_READ,
        refusals=(NotFoundError,),
    )
    async def read_deposit(call: Call[None]) -> Answer:
        """Put down, charged, used, given back."""
        return Answer(view=await hospital.read_deposit(call.caller, call.id("visit_id")))

    @noun.operation(
        "POST",
        "/v1/hospital-visits/{visit_id}/discharge",
        summary="End a visit",
        reply=VisitView,
        keyed=True,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(NotFoundError, BillConflictError, DepositStateError),
    )
    async def discharge(call: Call[None]) -> Answer:
        """All bills are paid; the rest of a deposit goes back. The request has no body."""
        view, replayed = await hospital.discharge(call.caller, call.id("visit_id"), call.key)
        return Answer(view=view, replayed=replayed)


def _own(noun: Noun, hospital: Hospital) -> None:
    @noun.operation(
        "POST",
        "/v1/me/hospital-registrations/{registration_id}/bill",
        summary="Bill my registration",
        body=InsuranceRequest,
        reply=VisitView,
        status=201,
        keyed=True,
        access="citizen",
        refusals=(*SESSION, NotFoundError, RegistrationStateError),
        examples={"insured": example.INSURANCE},
    )
    async def bill_my_registration(call: Call[InsuranceRequest]) -> Answer:
        """As at the counter."""
        view, replayed = await hospital.bill_registration(
            call.caller, call.id("registration_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "GET",
        "/v1/me/hospital-visits/{visit_id}/bills",
        summary="My bills of a visit",
        reply=BillsView,
        access="citizen",
        refusals=(*SESSION, NotFoundError),
    )
    async def my_bills(call: Call[None]) -> Answer:
        """With their lines, oldest first."""
        return Answer(view=await hospital.list_bills(call.caller, call.id("visit_id")))

    @noun.operation(
        "POST",
        "/v1/me/hospital-visits/{visit_id}/payments",
        summary="Work out what I pay",
        body=PaymentRequest,
        reply=PaymentView,
        status=201,
        keyed=True,
        access="citizen",
        refusals=(*SESSION, *_QUOTING),
        examples={"all open bills": example.PAYMENT},
    )
    async def quote_my_payment(call: Call[PaymentRequest]) -> Answer:
        """Nothing is held, nothing settled."""
        view, replayed = await hospital.quote_payment(
            call.caller, call.id("visit_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "POST",
        "/v1/me/hospital-payments/{payment_id}/confirmation",
        summary="Pay my bill",
        body=OwnConfirmRequest,
        reply=PaymentView,
        keyed=True,
        access="citizen",
        refusals=(*SESSION, NotFoundError, PaymentStateError),
        examples={"by the plan": example.OWN_CONFIRM},
    )
    async def confirm_my_payment(call: Call[OwnConfirmRequest]) -> Answer:
        """As at the counter."""
        view, replayed = await hospital.confirm_my_payment(
            call.caller, call.id("payment_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "GET",
        "/v1/me/hospital-payments/{payment_id}",
        summary="My payment",
        reply=PaymentView,
        access="citizen",
        refusals=(*SESSION, NotFoundError),
    )
    async def my_payment(call: Call[None]) -> Answer:
        """As it stands."""
        return Answer(view=await hospital.read_payment(call.caller, call.id("payment_id")))
