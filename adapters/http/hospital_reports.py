"""``/v1/hospital-reports…``: results put, read with consent, recognised (检查检验结果互认)."""

from typing import Any, Final

from adapters.http.citizens import SESSION
from adapters.http.hospital import PATIENT
from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.errors import NotFoundError, PersonStateError
from scenes.hospital.errors import HospitalUnknownError
from scenes.hospital.report_errors import (
    OtherPatientError,
    RecognitionError,
    ReportCategoryError,
    ReportConflictError,
    ReportConsentError,
    ReportUnreadError,
    VisitClosedError,
)
from scenes.hospital.report_request import (
    OwnReportConsentRequest,
    ReadReportsRequest,
    RecogniseRequest,
    ReportConsentRequest,
    ReportRequest,
    WithdrawReportRequest,
)
from scenes.hospital.report_service import ReportService
from scenes.hospital.report_views import (
    OpenedReportsView,
    OwnReportReadsView,
    OwnReportsView,
    RecognitionView,
    ReportConsentView,
    ReportView,
)

SUMMARY: Final = "Hospital reports: results of examinations, read with consent and recognised."

Example = dict[str, Any]
_ID: Final = "0197a3c2-5e00-7000-8000-000000000000"
REPORT: Final[Example] = {
    "out_report_no": "JY20261125000001",
    "kind": "lab",
    "category": "blood_count",
    "mark": "province",
    "performed_at": "2026-11-25T09:10:00+08:00",
    "content": {
        "item_code": "250101001",
        "name_zh": "血常规",
        "name_en": "Blood count",
        "measured": [
            {"name": "WBC", "value": "6.1", "unit": "10^9/L", "usual": "3.5-9.5", "flag": ""}
        ],
    },
}
WITHDRAWAL: Final[Example] = {"reason": "mistaken"}
CONSENT: Final[Example] = {"user": {"credential": "M1:…"}, "kinds": ["lab"], "hours": 24}
OWN_CONSENT: Final[Example] = {"merchant_id": "shanting-hospital", "kinds": ["lab"], "days": 7}
READ: Final[Example] = {"doctor_code": "D0001", "kinds": ["lab", "imaging"]}
EMERGENCY: Final[Example] = {
    "doctor_code": "D0001",
    "emergency": {"reason": "unconscious", "note": "车祸送医，无陪同人员"},
}
RECOGNITION: Final[Example] = {"visit_id": _ID, "doctor_code": "D0001", "recognised": True}
NO_RECOGNITION: Final[Example] = {
    "visit_id": _ID,
    "doctor_code": "D0001",
    "recognised": False,
    "reason": "changes_quickly",
}


def report_noun(reports: ReportService) -> Noun:
    """The operations of reports in this scene."""
    noun = Noun("hospital reports", SUMMARY)
    _putting(noun, reports)
    _reading(noun, reports)
    _own(noun, reports)
    return noun


def _putting(noun: Noun, reports: ReportService) -> None:
    @noun.operation(
        "POST",
        "/v1/hospital-visits/{visit_id}/reports",
        summary="Put a result",
        body=ReportRequest,
        reply=ReportView,
        status=201,
        keyed=True,
        scope=Scope.HOSPITAL_REPORTS,
        refusals=(NotFoundError, ReportCategoryError, ReportConflictError, PersonStateError),
        examples={"blood count": REPORT},
    )
    async def put_report(call: Call[ReportRequest]) -> Answer:
        """By who examined. What it says is sealed with the person's own key and not shown again."""
        view, replayed = await reports.put_report(
            call.caller, call.id("visit_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "POST",
        "/v1/hospital-reports/{report_id}/withdrawal",
        summary="Take a result back",
        body=WithdrawReportRequest,
        reply=ReportView,
        keyed=True,
        scope=Scope.HOSPITAL_REPORTS,
        refusals=(NotFoundError,),
        examples={"mistaken": WITHDRAWAL},
    )
    async def withdraw_report(call: Call[WithdrawReportRequest]) -> Answer:
        """Nobody reads it from then on; a corrected one is put under a number of its own."""
        view, replayed = await reports.withdraw_report(
            call.caller, call.id("report_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)


def _reading(noun: Noun, reports: ReportService) -> None:
    @noun.operation(
        "POST",
        "/v1/hospital-visits/{visit_id}/report-consents",
        summary="The patient agrees to reports being read",
        body=ReportConsentRequest,
        reply=ReportConsentView,
        status=201,
        keyed=True,
        scope=Scope.HOSPITAL_REPORTS,
        refusals=(NotFoundError, OtherPatientError, *PATIENT),
        examples={"scanned": CONSENT},
    )
    async def consent_to_reports(call: Call[ReportConsentRequest]) -> Answer:
        """By the code they show, for so many hours. They may withdraw it at any time."""
        view, replayed = await reports.consent_at_counter(
            call.caller, call.id("visit_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "POST",
        "/v1/hospital-visits/{visit_id}/report-reads",
        summary="Read a patient's reports",
        body=ReadReportsRequest,
        reply=OpenedReportsView,
        scope=Scope.HOSPITAL_REPORTS,
        refusals=(NotFoundError, VisitClosedError, ReportConsentError, PersonStateError),
        examples={"agreed": READ, "emergency": EMERGENCY},
    )
    async def read_reports(call: Call[ReadReportsRequest]) -> Answer:
        """For an open visit, with consent; in an emergency without. The patient reads of it."""
        return Answer(view=await reports.read_reports(call.caller, call.id("visit_id"), call.body))

    @noun.operation(
        "POST",
        "/v1/hospital-reports/{report_id}/recognitions",
        summary="Recognise a result, or say why not",
        body=RecogniseRequest,
        reply=RecognitionView,
        status=201,
        keyed=True,
        scope=Scope.HOSPITAL_REPORTS,
        refusals=(NotFoundError, ReportUnreadError, RecognitionError, PersonStateError),
        examples={"recognised": RECOGNITION, "not recognised": NO_RECOGNITION},
    )
    async def recognise_report(call: Call[RecogniseRequest]) -> Answer:
        """Once for each visit, of what was read for it."""
        view, replayed = await reports.recognise(
            call.caller, call.id("report_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)


def _own(noun: Noun, reports: ReportService) -> None:
    @noun.operation(
        "GET",
        "/v1/me/hospital-reports",
        summary="My reports",
        reply=OwnReportsView,
        access="citizen",
        refusals=SESSION,
    )
    async def my_reports(call: Call[None]) -> Answer:
        """What they say, and where they were recognised or why not. The last two hundred."""
        return Answer(view=await reports.my_reports(call.caller))

    @noun.operation(
        "GET",
        "/v1/me/hospital-report-reads",
        summary="Who read my reports",
        reply=OwnReportReadsView,
        access="citizen",
        refusals=SESSION,
    )
    async def my_report_reads(call: Call[None]) -> Answer:
        """Which doctor, for which visit, with consent or in an emergency and why."""
        return Answer(view=await reports.my_report_reads(call.caller))

    @noun.operation(
        "POST",
        "/v1/me/hospital-report-consents",
        summary="Let a hospital read my reports",
        body=OwnReportConsentRequest,
        reply=ReportConsentView,
        status=201,
        keyed=True,
        access="citizen",
        refusals=(*SESSION, HospitalUnknownError),
        examples={"a week": OWN_CONSENT},
    )
    async def consent_myself(call: Call[OwnReportConsentRequest]) -> Answer:
        """For so many days. It is withdrawn as other consents are."""
        view, replayed = await reports.consent_myself(call.caller, call.body, call.key)
        return Answer(view=view, replayed=replayed)
