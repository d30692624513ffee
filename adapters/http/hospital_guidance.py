"""``/v1/hospitals/…/guidance``, places and next steps: where to go (智能导诊、就诊指引)."""

from typing import Any, Final

from adapters.http.citizens import SESSION
from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.errors import NotFoundError
from scenes.hospital.errors import HospitalUnknownError
from scenes.hospital.guidance_request import (
    DoneStepRequest,
    GuidanceRequest,
    OwnGuidanceRequest,
    PlaceRequest,
)
from scenes.hospital.guidance_service import GuidanceService
from scenes.hospital.guidance_views import GuidanceView, NextStepsView, PlacesView, PlaceView

SUMMARY: Final = "Hospital guidance: departments for a complaint, the next step of a visit."

Example = dict[str, Any]
COMPLAINT: Final[Example] = {
    "text": "咳嗽有痰一个多星期了，没有发烧",
    "age": {"years": 40},
    "sex": "m",
}
OWN_COMPLAINT: Final[Example] = {
    "text": "孩子咳嗽两天了",
    "age": {"years": 4},
    "merchant_id": "shanting-hospital",
}
PLACE: Final[Example] = {
    "place_code": "YF3",
    "step": "pharmacy",
    "name_zh": "门诊药房",
    "name_en": "Pharmacy",
    "floor_zh": "门诊楼一层",
    "floor_en": "Outpatient building, ground floor",
    "window_no": "3",
    "waiting": 6,
}
DONE: Final[Example] = {"step": "laboratory"}


def guidance_noun(guidance: GuidanceService) -> Noun:
    """The operations of guidance in this scene."""
    noun = Noun("hospital guidance", SUMMARY)
    _complaints(noun, guidance)
    _places(noun, guidance)
    _steps(noun, guidance)
    return noun


def _complaints(noun: Noun, guidance: GuidanceService) -> None:
    @noun.operation(
        "POST",
        "/v1/hospitals/{merchant_id}/guidance",
        summary="Where to go with a complaint",
        body=GuidanceRequest,
        reply=GuidanceView,
        scope=Scope.HOSPITAL_READ,
        refusals=(HospitalUnknownError,),
        examples={"cough": COMPLAINT},
    )
    async def guide(call: Call[GuidanceRequest]) -> Answer:
        """Red flags first, then departments with free places, and the words that led there.

        Never a diagnosis. What is said is written down nowhere.
        """
        merchant_id = call.path["merchant_id"]
        return Answer(view=await guidance.guide(call.caller, merchant_id, call.body))

    @noun.operation(
        "POST",
        "/v1/me/hospital-guidance",
        summary="Where I go with a complaint",
        body=OwnGuidanceRequest,
        reply=GuidanceView,
        access="citizen",
        refusals=(*SESSION, HospitalUnknownError),
        examples={"child": OWN_COMPLAINT},
    )
    async def guide_me(call: Call[OwnGuidanceRequest]) -> Answer:
        """As at the hospital's desk; clinics of one hospital, or of all."""
        return Answer(view=await guidance.guide_me(call.caller, call.body))


def _places(noun: Noun, guidance: GuidanceService) -> None:
    @noun.operation(
        "POST",
        "/v1/hospitals/{merchant_id}/places",
        summary="Put a window or room",
        body=PlaceRequest,
        reply=PlaceView,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(HospitalUnknownError, NotFoundError),
        examples={"pharmacy": PLACE},
    )
    async def put_place(call: Call[PlaceRequest]) -> Answer:
        """New, or changed; `waiting` is believed for half an hour."""
        merchant_id = call.path["merchant_id"]
        return Answer(view=await guidance.put_place(call.caller, merchant_id, call.body))

    @noun.operation(
        "GET",
        "/v1/hospitals/{merchant_id}/places",
        summary="Windows and rooms",
        reply=PlacesView,
        scope=Scope.HOSPITAL_READ,
        refusals=(HospitalUnknownError,),
    )
    async def list_places(call: Call[None]) -> Answer:
        """By code."""
        return Answer(view=await guidance.list_places(call.caller, call.path["merchant_id"]))


def _steps(noun: Noun, guidance: GuidanceService) -> None:
    @noun.operation(
        "GET",
        "/v1/hospital-registrations/{registration_id}/next-steps",
        summary="Next steps after registering",
        reply=NextStepsView,
        scope=Scope.HOSPITAL_READ,
        refusals=(NotFoundError,),
    )
    async def steps_of_registration(call: Call[None]) -> Answer:
        """The next one first: what, where, and how many come before."""
        registration_id = call.id("registration_id")
        return Answer(view=await guidance.steps_of_registration(call.caller, registration_id))

    @noun.operation(
        "GET",
        "/v1/hospital-visits/{visit_id}/next-steps",
        summary="Next steps of a visit",
        reply=NextStepsView,
        scope=Scope.HOSPITAL_READ,
        refusals=(NotFoundError,),
    )
    async def steps_of_visit(call: Call[None]) -> Answer:
        """The next one first: what, where, and how many come before."""
        return Answer(view=await guidance.steps_of_visit(call.caller, call.id("visit_id")))

    @noun.operation(
        "POST",
        "/v1/hospital-visits/{visit_id}/done-steps",
        summary="Say that a step is done",
        body=DoneStepRequest,
        reply=NextStepsView,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(NotFoundError,),
        examples={"blood was drawn": DONE},
    )
    async def mark_step_done(call: Call[DoneStepRequest]) -> Answer:
        """By the hospital's system. The same again changes nothing."""
        view = await guidance.mark_done(call.caller, call.id("visit_id"), call.body)
        return Answer(view=view)

    @noun.operation(
        "GET",
        "/v1/me/hospital-registrations/{registration_id}/next-steps",
        summary="My next steps after registering",
        reply=NextStepsView,
        access="citizen",
        refusals=(*SESSION, NotFoundError),
    )
    async def my_steps_of_registration(call: Call[None]) -> Answer:
        """As the hospital sees them."""
        registration_id = call.id("registration_id")
        return Answer(view=await guidance.steps_of_registration(call.caller, registration_id))

    @noun.operation(
        "GET",
        "/v1/me/hospital-visits/{visit_id}/next-steps",
        summary="My next steps of a visit",
        reply=NextStepsView,
        access="citizen",
        refusals=(*SESSION, NotFoundError),
    )
    async def my_steps_of_visit(call: Call[None]) -> Answer:
        """As the hospital sees them."""
        return Answer(view=await guidance.steps_of_visit(call.caller, call.id("visit_id")))
