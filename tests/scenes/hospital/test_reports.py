"""Reports of examinations: read with consent, in an emergency without, never unseen."""

import io
import json
from datetime import timedelta
from uuid import UUID

import httpx2
import pytest
from pydantic import ValidationError
from sqlalchemy import delete, select, text

from adapters import demo_city
from adapters.settings import Settings
from adapters.wiring import make_api
from cardcore.books import transaction
from cardcore.caller import Caller
from cardcore.errors import (
    ForbiddenError,
    IdempotencyKeyReusedError,
    NotFoundError,
    PersonStateError,
)
from cardcore.user.people_request import AccessQuery, Act
from cardcore.user.people_tables import person_key
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
    Emergency,
    OwnReportConsentRequest,
    ReadReportsRequest,
    RecogniseRequest,
    ReportConsentRequest,
    ReportRequest,
    WithdrawReportRequest,
)
from scenes.hospital.report_rules import Kind, Reason
from scenes.hospital.report_service import READ_IN_EMERGENCY, ReportService
from scenes.hospital.report_tables import report
from scenes.hospital.report_views import OpenedReportsView, ReportView
from scenes.hospital.request import DepartmentRequest, DoctorRequest, VisitRequest
from tests.city_life import ALL_SCOPES, CENTRE
from tests.scenes.hospital.conftest import HIS, MERCHANT, Ward
from tests.scenes.hospital.test_payments import citizen
from tests.scenes.hospital.test_walk_through import URL, token

OTHER = demo_city.GATE_MERCHANT
OTHER_HIS = Caller(client_id="other-his", merchant_id=OTHER, scopes=ALL_SCOPES)
PLANTED = "机密白细胞七点九"
DOCTOR = "D2"


class Clinic:
    """The demo city's hospital, which examines, and another, which treats."""

    def __init__(self, ward: Ward) -> None:
        self.ward = ward

    @property
    def reports(self) -> ReportService:
        return self.ward.city.reports

    async def open(self, code: str | None = "H37048100002") -> None:
        await self.ward.hospital.add_hospital(
            merchant_id=OTHER,
            terminal_id=demo_city.GATE_TERMINAL,
            fixmedins_code=code,
            now=self.ward.clock.now,
        )
        for caller, merchant in ((HIS, MERCHANT), (OTHER_HIS, OTHER)):
            await self.ward.hospital.put_department(
                caller,
                merchant,
                DepartmentRequest(dept_code="NK", name_zh="内科", name_en="Medicine", place="二层"),
            )
            await self.ward.hospital.put_doctor(
                caller,
                merchant,
                DoctorRequest(
                    doctor_code=DOCTOR, dept_code="NK", name="医", title_zh="医师", title_en="Dr"
                ),
            )

    async def visit(self, user_id: UUID, caller: Caller = OTHER_HIS) -> UUID:
        number = next(self.ward.numbers)
        request = VisitRequest(
            user=await self.ward.shown(user_id), visit_no=f"V{number}", dept_code="NK"
        )
        assert caller.merchant_id is not None
        view, _ = await self.ward.hospital.open_visit(
            caller, caller.merchant_id, request, f"v{number}"
        )
        return view.visit_id

    def result(self, **changes: object) -> ReportRequest:
        fields: dict[str, object] = {
            "out_report_no": f"JY{next(self.ward.numbers)}",
            "kind": "lab",
            "category": "blood_count",
            "mark": "city",
            "performed_at": self.ward.clock.now,
            "content": {
                "item_code": "250101001",
                "name_zh": "血常规",
                "name_en": "Blood count",
                "measured": [{"name": "WBC", "value": PLANTED}],
            },
        }
        return ReportRequest.model_validate(fields | changes)

    async def examined(self, user_id: UUID, **changes: object) -> ReportView:
        visit_id = await self.visit(user_id, HIS)
        view, _ = await self.reports.put_report(
            HIS, visit_id, self.result(**changes), f"r{next(self.ward.numbers)}"
        )
        return view

    async def agrees(self, user_id: UUID, *kinds: Kind, days: int = 7) -> UUID:
        view, _ = await self.reports.consent_myself(
            citizen(user_id),
            OwnReportConsentRequest(merchant_id=OTHER, kinds=list(kinds or Kind), days=days),
            f"c{next(self.ward.numbers)}",
        )
        return view.consent_id

    async def read(
        self, visit_id: UUID, *kinds: Kind, emergency: Emergency | None = None
    ) -> OpenedReportsView:
        request = ReadReportsRequest(
            doctor_code=DOCTOR, kinds=list(kinds or Kind), emergency=emergency
        )
        return await self.reports.read_reports(OTHER_HIS, visit_id, request)


@pytest.fixture
async def clinic(ward: Ward) -> Clinic:
    made = Clinic(ward)
    await made.open()
    return made


async def test_another_hospital_reads_with_consent_and_the_citizen_sees_it(clinic: Clinic) -> None:
    user_id = await clinic.ward.person()
    made = await clinic.examined(user_id)
    visit_id = await clinic.visit(user_id)
    with pytest.raises(ReportConsentError) as refused:
        await clinic.read(visit_id)
    assert refused.value.facts == {"kinds": ["imaging", "lab"]}
    await clinic.agrees(user_id, Kind.LAB)
    with pytest.raises(ReportConsentError):
        await clinic.read(visit_id)
    opened = await clinic.read(visit_id, Kind.LAB)
    (one,) = opened.reports
    assert one.content.measured[0].value == PLANTED
    assert (one.report.report_id, one.standing) == (made.report_id, "recognisable")

    seen = await clinic.reports.my_report_reads(citizen(user_id))
    (look,) = seen.reads
    assert (look.merchant_id, look.doctor_code, look.basis) == (OTHER, DOCTOR, "consent")
    assert look.report_ids == [made.report_id]
    log = await clinic.ward.city.core.list_accesses(CENTRE, user_id, AccessQuery())
    treatment = [entry for entry in log.accesses if entry.purpose == "treatment"]
    assert [(entry.client_id, entry.operator) for entry in treatment] == [("other-his", DOCTOR)]
    assert treatment[0].fields == ["report"]
    assert treatment[0].in_clear


async def test_a_consent_ends_by_itself_by_withdrawal_and_with_the_visit(clinic: Clinic) -> None:
    user_id = await clinic.ward.person()
    await clinic.examined(user_id)
    visit_id = await clinic.visit(user_id)
    await clinic.agrees(user_id, days=1)
    assert len((await clinic.read(visit_id)).reports) == 1
    clinic.ward.clock.now += timedelta(days=1)
    with pytest.raises(ReportConsentError):
        await clinic.read(visit_id)
    consent_id = await clinic.agrees(user_id)
    await clinic.ward.city.core.withdraw_consent(
        CENTRE, consent_id, Act(reason="user_request", operator="op1"), "withdraw"
    )
    with pytest.raises(ReportConsentError):
        await clinic.read(visit_id)
    await clinic.agrees(user_id)
    await clinic.ward.hospital.discharge(OTHER_HIS, visit_id, "over")
    with pytest.raises(VisitClosedError):
        await clinic.read(visit_id)


async def test_at_the_counter_the_patients_own_code_agrees(clinic: Clinic) -> None:
    user_id, other_id = await clinic.ward.person(), await clinic.ward.person()
    await clinic.examined(user_id)
    visit_id = await clinic.visit(user_id)

    async def agree(by: UUID, key: str) -> bool:
        request = ReportConsentRequest(user=await clinic.ward.shown(by), kinds=[Kind.LAB], hours=2)
        view, replayed = await clinic.reports.consent_at_counter(OTHER_HIS, visit_id, request, key)
        assert view.valid_to == clinic.ward.clock.now + timedelta(hours=2)
        return replayed

    with pytest.raises(OtherPatientError):
        await agree(other_id, "a")
    assert not await agree(user_id, "b")
    assert await agree(user_id, "b")
    assert len((await clinic.read(visit_id, Kind.LAB)).reports) == 1
    clinic.ward.clock.now += timedelta(hours=2)
    with pytest.raises(ReportConsentError):
        await clinic.read(visit_id, Kind.LAB)


async def test_in_an_emergency_nobody_is_asked_and_the_person_is_told(clinic: Clinic) -> None:
    user_id = await clinic.ward.person()
    await clinic.examined(user_id)
    visit_id = await clinic.visit(user_id)
    why = Emergency(reason="unconscious", note="车祸，" + PLANTED)
    opened = await clinic.read(visit_id, emergency=why)
    assert (opened.read.basis, len(opened.reports)) == ("emergency", 1)

    (look,) = (await clinic.reports.my_report_reads(citizen(user_id))).reads
    assert (look.emergency_reason, look.note) == ("unconscious", why.note)
    history = await clinic.ward.city.core.read_history(CENTRE, user_id)
    told = [event for event in history.events if event.kind == READ_IN_EMERGENCY]
    assert [(one.object, one.operator) for one in told] == [(str(look.read_id), DOCTOR)]
    async with transaction(clinic.ward.city.engine) as (connection, _):
        topics = await connection.scalars(
            text("SELECT topic FROM cardcore.outbox WHERE topic LIKE 'user.reports%'")
        )
        assert list(topics) == [f"user.{READ_IN_EMERGENCY}"]
    log = await clinic.ward.city.core.list_accesses(CENTRE, user_id, AccessQuery())
    assert "emergency" in {entry.purpose for entry in log.accesses}


async def test_a_result_is_recognised_or_the_reason_is_said(clinic: Clinic) -> None:
    user_id = await clinic.ward.person()
    made = await clinic.examined(user_id)
    unmarked = await clinic.examined(user_id, mark="none")
    visit_id = await clinic.visit(user_id)

    async def say(which: ReportView, key: str, **said: object) -> tuple[bool, str | None]:
        fields = {"visit_id": visit_id, "doctor_code": DOCTOR, **said}
        view, _ = await clinic.reports.recognise(
            OTHER_HIS, which.report_id, RecogniseRequest.model_validate(fields), key
        )
        return view.recognised, view.reason_en

    with pytest.raises(ReportUnreadError):
        await say(made, "a", recognised=True)
    await clinic.agrees(user_id)
    await clinic.read(visit_id)
    for wrong, said in (
        (made, {"recognised": False}),
        (unmarked, {"recognised": True}),
        (unmarked, {"recognised": False, "reason": Reason.DECISIVE}),
    ):
        with pytest.raises(RecognitionError):
            await say(wrong, f"w{next(clinic.ward.numbers)}", **said)
    again = {"recognised": False, "reason": Reason.OTHER, "note": PLANTED}
    recognised, words = await say(made, "b", **again)
    assert (recognised, words is None) == (False, False)
    assert await say(made, "b", **again) == (recognised, words)
    with pytest.raises(RecognitionError):
        await say(made, "c", recognised=True)
    assert await say(unmarked, "d", recognised=False) == (False, None)
    mine = await clinic.reports.my_reports(citizen(user_id))
    assert {len(one.recognitions) for one in mine.reports} == {1}


async def test_a_result_is_worth_less_when_old_or_from_elsewhere(clinic: Clinic) -> None:
    user_id = await clinic.ward.person()
    await clinic.examined(user_id)
    await clinic.examined(user_id, mark="national", category="inherited")
    visit_id = await clinic.visit(user_id)
    await clinic.agrees(user_id, days=30)
    clinic.ward.clock.now += timedelta(days=3)
    standings = {one.report.category: one.standing for one in (await clinic.read(visit_id)).reports}
    assert standings == {"blood_count": "expired", "inherited": "recognisable"}


async def test_a_mark_of_the_city_does_not_hold_in_another_province(ward: Ward) -> None:
    clinic = Clinic(ward)
    await clinic.open("H11010100002")
    user_id = await ward.person()
    await clinic.examined(user_id)
    visit_id = await clinic.visit(user_id)
    await clinic.agrees(user_id)
    (one,) = (await clinic.read(visit_id)).reports
    assert one.standing == "other_area"


async def test_a_result_taken_back_is_read_by_nobody(clinic: Clinic) -> None:
    user_id = await clinic.ward.person()
    made = await clinic.examined(user_id)
    visit_id = await clinic.visit(user_id)
    await clinic.agrees(user_id)
    await clinic.read(visit_id)
    mistaken = WithdrawReportRequest(reason="mistaken")
    with pytest.raises(NotFoundError):
        await clinic.reports.withdraw_report(OTHER_HIS, made.report_id, mistaken, "a")
    view, _ = await clinic.reports.withdraw_report(HIS, made.report_id, mistaken, "b")
    assert view.withdrawn_at == clinic.ward.clock.now
    with pytest.raises(NotFoundError):
        await clinic.reports.withdraw_report(HIS, made.report_id, mistaken, "c")
    assert (await clinic.read(visit_id)).reports == []
    with pytest.raises(NotFoundError):
        await clinic.reports.recognise(
            OTHER_HIS,
            made.report_id,
            RecogniseRequest(visit_id=visit_id, doctor_code=DOCTOR, recognised=True),
            "d",
        )


async def test_a_report_is_put_once_under_its_number(clinic: Clinic) -> None:
    user_id = await clinic.ward.person()
    visit_id = await clinic.visit(user_id, HIS)
    one = clinic.result()
    first, _ = await clinic.reports.put_report(HIS, visit_id, one, "k")
    again, replayed = await clinic.reports.put_report(HIS, visit_id, one, "k")
    assert (again, replayed) == (first, True)
    with pytest.raises(IdempotencyKeyReusedError):
        await clinic.reports.put_report(HIS, visit_id, clinic.result(), "k")
    with pytest.raises(ReportConflictError):
        await clinic.reports.put_report(HIS, visit_id, one, "l")
    with pytest.raises(ReportCategoryError):
        await clinic.reports.put_report(HIS, visit_id, clinic.result(category="mri"), "m")
    with pytest.raises(NotFoundError):
        await clinic.reports.put_report(OTHER_HIS, visit_id, clinic.result(), "n")


async def test_whoever_may_not_read_is_refused(clinic: Clinic) -> None:
    user_id = await clinic.ward.person()
    visit_id = await clinic.visit(user_id)
    nobody = Caller(client_id="x", merchant_id=OTHER, scopes=frozenset())
    asked = ReadReportsRequest(doctor_code=DOCTOR)
    with pytest.raises(ForbiddenError):
        await clinic.reports.read_reports(nobody, visit_id, asked)
    with pytest.raises(NotFoundError):
        await clinic.reports.read_reports(HIS, visit_id, asked)
    with pytest.raises(NotFoundError):
        await clinic.reports.read_reports(
            OTHER_HIS, visit_id, ReadReportsRequest(doctor_code="nobody")
        )


async def test_no_column_and_no_log_line_has_what_a_report_says(
    clinic: Clinic, city_settings: Settings
) -> None:
    """How: a value is planted in a report, an emergency's words, a note and a broken request."""
    ward, log = clinic.ward, io.BytesIO()
    user_id = await ward.person()
    visit_id = await clinic.visit(user_id, HIS)
    app = await make_api(ward.city, public_url=URL, clock=ward.clock, log_to=log)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=URL) as http:
        bearer = {"Authorization": f"Bearer {await token(ward, http, city_settings)}"}

        async def post(path: str, body: dict[str, object]) -> httpx2.Response:
            headers = {**bearer, "Idempotency-Key": f"k{next(ward.numbers)}"}
            return await http.post(path, json=body, headers=headers)

        result = clinic.result().model_dump(mode="json")
        put = await post(f"/v1/hospital-visits/{visit_id}/reports", result)
        assert put.status_code == 201
        assert PLANTED not in put.text
        broken = {**result, "content": PLANTED}
        assert (await post(f"/v1/hospital-visits/{visit_id}/reports", broken)).status_code == 422
        emergency = {"reason": "other", "note": PLANTED}
        asked: dict[str, object] = {"doctor_code": DOCTOR, "emergency": emergency}
        seen = await post(f"/v1/hospital-visits/{visit_id}/report-reads", asked)
        assert PLANTED in seen.text
        said: dict[str, object] = {"visit_id": str(visit_id), "doctor_code": DOCTOR}
        said |= {"recognised": False, "reason": "other", "note": PLANTED}
        report_id = put.json()["report_id"]
        made = await post(f"/v1/hospital-reports/{report_id}/recognitions", said)
        assert made.status_code == 201
    assert await _columns_with(ward, PLANTED) == []
    lines = log.getvalue().decode()
    assert lines.count("report-reads") == 1
    assert PLANTED not in lines
    assert json.dumps(PLANTED)[1:-1] not in lines


async def _columns_with(ward: Ward, planted: str) -> list[str]:
    """The tables of the whole database in which a text stands, as it is or as bytes."""
    found = []
    async with transaction(ward.city.engine) as (connection, _):
        tables = await connection.execute(
            text(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
                " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            )
        )
        for name in tables.scalars().all():
            query = f"SELECT count(*) FROM {name} t WHERE t::text LIKE ANY(:forms)"
            forms = [f"%{planted}%", f"%{planted.encode().hex()}%"]
            if await connection.scalar(text(query), {"forms": forms}):
                found.append(name)
    return found


async def test_an_erased_person_takes_their_reports_along(clinic: Clinic) -> None:
    """How: the wrapped key is destroyed, as erasing does; the sealed bytes stay."""
    user_id = await clinic.ward.person()
    made = await clinic.examined(user_id)
    visit_id = await clinic.visit(user_id)
    await clinic.agrees(user_id)
    async with transaction(clinic.ward.city.engine) as (connection, _):
        await connection.execute(delete(person_key).where(person_key.c.user_id == user_id))
    with pytest.raises(PersonStateError):
        await clinic.read(visit_id)
    async with transaction(clinic.ward.city.engine) as (connection, _):
        sealed = await connection.scalar(
            select(report.c.content_sealed).where(report.c.report_id == made.report_id)
        )
    assert sealed is not None
    assert PLANTED.encode() not in sealed


def test_a_report_says_something_and_a_reason_has_what_it_needs() -> None:
    with pytest.raises(ValidationError):
        Emergency(reason="other", note="")
    for wrong in (
        {"recognised": True, "reason": "decisive"},
        {"recognised": False, "reason": "other"},
    ):
        with pytest.raises(ValidationError):
            RecogniseRequest.model_validate({"visit_id": UUID(int=1), "doctor_code": "D", **wrong})
