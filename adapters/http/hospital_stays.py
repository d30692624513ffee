"""Paying later and paying before (信用就医、预交金): agreements, deposits, the end of a stay."""

from typing import Final

from adapters.http import hospital_examples as example
from adapters.http.hospital import PATIENT
from adapters.http.operation import Answer, Call, Noun
from adapters.http.operators import SESSION
from cardcore.caller import Scope
from cardcore.errors import (
    ForbiddenError,
    FundUnknownError,
    InsufficientBalanceError,
    LimitExceededError,
    NotFoundError,
    OrderExistsError,
)
from scenes.hospital.errors import (
    BillConflictError,
    DepositStateError,
    HospitalUnknownError,
    PrepaymentOffError,
)
from scenes.hospital.house_rules import HouseRulesRequest, HouseRulesView
from scenes.hospital.request import AgreementRequest, DepositRequest
from scenes.hospital.service import Hospital
from scenes.hospital.views import AgreementView, DepositView, VisitView

_FUNDS: Final = (InsufficientBalanceError, FundUnknownError, LimitExceededError)


def declare_house_rules(noun: Noun, hospital: Hospital) -> None:
    """A hospital's own rules, read and changed by the office."""

    @noun.operation(
        "GET",
        "/v1/hospitals/{merchant_id}/rules",
        summary="Read a hospital's own rules",
        reply=HouseRulesView,
        access="office",
        scope=Scope.MERCHANTS_READ,
        refusals=(*SESSION, HospitalUnknownError),
    )
    async def read_house_rules(call: Call[None]) -> Answer:
        """How long a place is held, how many a day, whether outpatients prepay."""
        return Answer(view=await hospital.read_house_rules(call.caller, call.path["merchant_id"]))

    @noun.operation(
        "POST",
        "/v1/hospitals/{merchant_id}/rules",
        summary="Change a hospital's own rules",
        body=HouseRulesRequest,
        reply=HouseRulesView,
        access="office",
        scope=Scope.MERCHANTS_WRITE,
        refusals=(*SESSION, ForbiddenError, HospitalUnknownError),
        examples={"outpatients prepay": example.HOUSE_RULES},
    )
    async def change_house_rules(call: Call[HouseRulesRequest]) -> Answer:
        """From now on. What is left out stays; the audit log keeps who changed it and why."""
        merchant_id = call.path["merchant_id"]
        return Answer(view=await hospital.change_house_rules(call.caller, merchant_id, call.body))


def declare_stays(noun: Noun, hospital: Hospital) -> None:
    """Agreements, deposits, discharge."""

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
        refusals=(
            NotFoundError,
            DepositStateError,
            BillConflictError,
            OrderExistsError,
            *PATIENT,
            *_FUNDS,
        ),
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
