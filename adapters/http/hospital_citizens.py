"""``/v1/me/hospital-…``: a citizen's own bills, paid in a session of their own."""

from typing import Final

from adapters.http import hospital_examples as example
from adapters.http.citizens import SESSION
from adapters.http.operation import Answer, Call, Noun
from cardcore.errors import NotFoundError
from scenes.hospital.errors import BillConflictError, PaymentStateError, RegistrationStateError
from scenes.hospital.gateway import InsuranceRefusedError, InsuranceSilentError
from scenes.hospital.request import InsuranceRequest, OwnConfirmRequest, PaymentRequest
from scenes.hospital.service import Hospital
from scenes.hospital.split import InsuranceSumsError
from scenes.hospital.views import BillsView, PaymentView, VisitView

QUOTING: Final = (
    NotFoundError,
    BillConflictError,
    InsuranceRefusedError,
    InsuranceSilentError,
    InsuranceSumsError,
)


def declare_own_bills(noun: Noun, hospital: Hospital) -> None:
    """Billed, split, paid, read."""

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
        refusals=(*SESSION, *QUOTING),
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
