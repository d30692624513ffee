"""The front door of reports: put by who examined, read by who treats, seen by whose they are.

Another hospital reads only for an open visit of the patient's and with their consent, which ends by
itself; in an emergency without, and then the person is told at once, in their own history. Every
look is a row of the scene's and of the core's access log, in the transaction of the look.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.errors import NotFoundError
from cardcore.sealed_service import SealedText
from cardcore.user.access_log import Access, Purpose
from cardcore.user.life_events import Doing
from cardcore.user.people_request import GrantConsentRequest
from cardcore.user.personal_data import Field
from scenes.hospital import reports
from scenes.hospital.bills import read_visit
from scenes.hospital.counter import Counter
from scenes.hospital.payments import Surroundings
from scenes.hospital.report_errors import (
    OtherPatientError,
    RecognitionError,
    ReportConsentError,
    ReportUnreadError,
    VisitClosedError,
)
from scenes.hospital.report_request import (
    OwnReportConsentRequest,
    ReadReportsRequest,
    RecogniseRequest,
    ReportConsentRequest,
    ReportContent,
    ReportRequest,
    WithdrawReportRequest,
)
from scenes.hospital.report_rules import (
    Kind,
    Mark,
    Marked,
    Standing,
    reason_is_due,
    standing_of,
)
from scenes.hospital.report_views import (
    OpenedReportsView,
    OpenedReportView,
    OwnReportReadsView,
    OwnReportsView,
    OwnReportView,
    RecognitionView,
    ReportConsentView,
    ReportReadView,
    ReportView,
)
from scenes.hospital.sealed_records import RECORDS, SealedRecords

TREATMENT: Final = "treatment"
READ_IN_EMERGENCY: Final = "reports_read_in_emergency"


def consent_scope(kind: Kind) -> str:
    """What a consent to reports of one kind names."""
    return f"hospital_report_{kind}"


class ReportService(Counter):
    """Serves reports. All calls may be made concurrently."""

    def __init__(self, around: Surroundings, records: SealedRecords) -> None:
        Counter.__init__(self, around)
        self._records = records

    # -- who examined ------------------------------------------------------------------------------

    async def put_report(
        self, caller: Caller, visit_id: UUID, request: ReportRequest, key: str
    ) -> tuple[ReportView, bool]:
        """A result of a visit.

        Raises:
            NotFoundError: no such visit of this hospital.
            ReportCategoryError, ReportConflictError: see there.
            PersonStateError: the person was erased.
        """
        caller.require(Scope.HOSPITAL_REPORTS)

        async def perform(connection: AsyncConnection, now: datetime) -> tuple[UUID, ReportView]:
            found = await read_visit(connection, caller, visit_id)
            sealed = await self._records.seal_text(
                RECORDS,
                connection,
                found.user_id,
                Field.REPORT,
                request.content.model_dump_json(),
            )
            report_id = self._new_id(now)
            await reports.write_report(
                connection, report_id, found, request, sealed=sealed, now=now
            )
            return report_id, await _view(connection, report_id)

        return await self._once(caller, key, request, f"report/{visit_id}", perform, _view)

    async def withdraw_report(
        self, caller: Caller, report_id: UUID, request: WithdrawReportRequest, key: str
    ) -> tuple[ReportView, bool]:
        """Take a result back; nobody reads it from then on. Raises ``NotFoundError``."""
        caller.require(Scope.HOSPITAL_REPORTS)

        async def perform(connection: AsyncConnection, now: datetime) -> tuple[UUID, ReportView]:
            await reports.withdraw_report(connection, caller, report_id, request.reason, now)
            return report_id, await _view(connection, report_id)

        return await self._once(
            caller, key, request, f"withdraw_report/{report_id}", perform, _view
        )

    # -- consent -----------------------------------------------------------------------------------

    async def consent_at_counter(
        self, caller: Caller, visit_id: UUID, request: ReportConsentRequest, key: str
    ) -> tuple[ReportConsentView, bool]:
        """The patient of a visit agrees by the code they show.

        Raises:
            NotFoundError: no such visit of this hospital.
            OtherPatientError: somebody else showed a code.
        """
        caller.require(Scope.HOSPITAL_REPORTS)
        async with transaction(self._around.engine) as (connection, _):
            found = await read_visit(connection, caller, visit_id)
            hospital = await self._hospital(connection, caller, found.merchant_id)
        patient = await self._patient(caller, hospital, request.user)
        async with transaction(self._around.engine) as (connection, _):
            names = await self._records.ids_of(RECORDS, connection, found.user_id)
        if patient.user_id not in names:
            raise OtherPatientError(field="user")
        return await self._consent(
            caller,
            key,
            user_id=patient.user_id,
            merchant_id=found.merchant_id,
            kinds=request.kinds,
            lasts=timedelta(hours=request.hours),
            evidence=f"visit:{visit_id}",
        )

    async def consent_myself(
        self, caller: Caller, request: OwnReportConsentRequest, key: str
    ) -> tuple[ReportConsentView, bool]:
        """The citizen agrees in their own session. Raises ``HospitalUnknownError``."""
        assert caller.user_id is not None
        async with transaction(self._around.engine) as (connection, _):
            await self._hospital(connection, caller, request.merchant_id)
        return await self._consent(
            caller,
            key,
            user_id=caller.user_id,
            merchant_id=request.merchant_id,
            kinds=request.kinds,
            lasts=timedelta(days=request.days),
            evidence="session",
        )

    async def _consent(
        self,
        caller: Caller,
        key: str,
        *,
        user_id: UUID,
        merchant_id: str,
        kinds: Sequence[Kind],
        lasts: timedelta,
        evidence: str,
    ) -> tuple[ReportConsentView, bool]:
        scopes = sorted({consent_scope(kind) for kind in kinds})

        def view(consent_id: UUID, valid_to: datetime) -> ReportConsentView:
            return ReportConsentView(
                consent_id=consent_id,
                merchant_id=merchant_id,
                kinds=sorted(set(kinds)),
                valid_to=valid_to,
            )

        async def perform(
            connection: AsyncConnection, now: datetime
        ) -> tuple[UUID, ReportConsentView]:
            consent_id = await self._records.write_consent(
                RECORDS,
                connection,
                user_id,
                GrantConsentRequest(
                    purpose=TREATMENT,
                    recipient=merchant_id,
                    scope=scopes,
                    valid_from=now,
                    valid_to=now + lasts,
                    evidence=evidence,
                ),
                Doing(client_id=caller.client_id, reason="user_request", at=now),
            )
            return consent_id, view(consent_id, now + lasts)

        async def recall(connection: AsyncConnection, consent_id: UUID) -> ReportConsentView:
            valid_to = await self._records.consent_ends_at(RECORDS, connection, consent_id)
            return view(consent_id, valid_to)

        asked = f"{user_id} {' '.join(scopes)} {lasts}"
        return await self._once(
            caller, key, asked, f"report_consent/{merchant_id}", perform, recall
        )

    # -- who treats --------------------------------------------------------------------------------

    async def read_reports(
        self, caller: Caller, visit_id: UUID, request: ReadReportsRequest
    ) -> OpenedReportsView:
        """A doctor reads the reports of the patient of an open visit.

        Raises:
            NotFoundError: no such visit, or no such doctor, of this hospital.
            VisitClosedError: the visit is over.
            ReportConsentError: the person has not agreed, and it is no emergency.
            PersonStateError: the person was erased.
        """
        caller.require(Scope.HOSPITAL_REPORTS)
        now = self._around.clock()
        async with transaction(self._around.engine) as (connection, _):
            found = await read_visit(connection, caller, visit_id)
            if found.closed_at is not None:
                raise VisitClosedError(field="visit_id")
            await reports.require_doctor(connection, found.merchant_id, request.doctor_code)
            names = await self._records.ids_of(RECORDS, connection, found.user_id)
            kinds = sorted(set(request.kinds))
            if request.emergency is None:
                await self._require_consent(connection, found, kinds)
            rows = await reports.reports_of(connection, names, kinds)
            contents = await self._open(
                connection,
                rows,
                Access(
                    client_id=caller.client_id,
                    operator=request.doctor_code,
                    purpose=Purpose.TREATMENT if request.emergency is None else Purpose.EMERGENCY,
                    at=now,
                    in_clear=True,
                ),
            )
            read_id = self._new_id(now)
            values = await self._look(connection, read_id, found, request, rows)
            values |= {"client_id": caller.client_id, "recorded_at": now}
            await reports.write_read(connection, values)
            if request.emergency is not None:
                await self._records.tell_person(
                    RECORDS,
                    connection,
                    found.user_id,
                    kind=READ_IN_EMERGENCY,
                    of=str(read_id),
                    doing=Doing(
                        client_id=caller.client_id,
                        reason=request.emergency.reason,
                        at=now,
                        operator=request.doctor_code,
                    ),
                )
            area = await reports.area_of_hospital(connection, found.merchant_id)
            note = None if request.emergency is None else request.emergency.note
            return OpenedReportsView(
                read=ReportReadView.model_validate(
                    {k: v for k, v in values.items() if k in ReportReadView.model_fields}
                    | {"note": note}
                ),
                reports=[
                    OpenedReportView(
                        report=reports.report_view(row),
                        standing=_standing(row, area, now),
                        content=content,
                    )
                    for row, content in zip(rows, contents, strict=True)
                ],
            )

    async def recognise(
        self, caller: Caller, report_id: UUID, request: RecogniseRequest, key: str
    ) -> tuple[RecognitionView, bool]:
        """Recognise a result, or say why not: once for each visit.

        Raises:
            NotFoundError: no such visit or doctor of this hospital.
            ReportUnreadError: it was not read for this visit.
            RecognitionError: its standing does not allow it, the reason is missing or out of
                place, or something else was said before.
        """
        caller.require(Scope.HOSPITAL_REPORTS)

        async def perform(
            connection: AsyncConnection, now: datetime
        ) -> tuple[UUID, RecognitionView]:
            found = await read_visit(connection, caller, request.visit_id)
            await reports.require_doctor(connection, found.merchant_id, request.doctor_code)
            if not await reports.was_read(connection, report_id, request.visit_id):
                raise ReportUnreadError(field="report_id")
            row = await reports.find_report(connection, report_id)
            if row.withdrawn_at is not None:
                raise NotFoundError("the report was taken back", field="report_id")
            area = await reports.area_of_hospital(connection, found.merchant_id)
            standing = _standing(row, area, now)
            _check_recognition(standing, request)
            note = None
            if request.note is not None:
                note = await self._records.seal_text(
                    RECORDS, connection, row.user_id, Field.NOTE, request.note
                )
            written = await reports.write_recognition(
                connection,
                {
                    "report_id": report_id,
                    "visit_id": request.visit_id,
                    "merchant_id": found.merchant_id,
                    "user_id": row.user_id,
                    "doctor_code": request.doctor_code,
                    "recognised": request.recognised,
                    "standing": standing,
                    "reason": request.reason,
                    "note_sealed": note,
                    "recorded_at": now,
                },
            )
            if not written:
                raise RecognitionError("said before", field="report_id", standing=standing)
            return report_id, await recall(connection, report_id)

        async def recall(connection: AsyncConnection, _: UUID) -> RecognitionView:
            return await reports.find_recognition(connection, report_id, request.visit_id)

        return await self._once(caller, key, request, f"recognise/{report_id}", perform, recall)

    # -- whose they are ----------------------------------------------------------------------------

    async def my_reports(self, caller: Caller) -> OwnReportsView:
        """The citizen's own reports, opened, and what was made of them."""
        assert caller.user_id is not None
        async with transaction(self._around.engine) as (connection, _):
            names = await self._records.ids_of(RECORDS, connection, caller.user_id)
            rows = await reports.reports_of(connection, names, list(Kind))
            contents = await self._open(connection, rows, self._own_look(caller))
            made = await reports.recognitions_of(connection, names)
        return OwnReportsView(
            reports=[
                OwnReportView(
                    report=reports.report_view(row),
                    content=content,
                    recognitions=made.get(row.report_id, []),
                )
                for row, content in zip(rows, contents, strict=True)
            ]
        )

    async def my_report_reads(self, caller: Caller) -> OwnReportReadsView:
        """Who has read the citizen's reports; the words of emergencies opened."""
        assert caller.user_id is not None
        async with transaction(self._around.engine) as (connection, _):
            names = await self._records.ids_of(RECORDS, connection, caller.user_id)
            rows = await reports.reads_of(connection, names)
            noted = [row for row in rows if row.note_sealed is not None]
            texts = [_sealed(row, Field.NOTE, row.note_sealed) for row in noted]
            opened = await self._records.open_texts(
                RECORDS, connection, texts, self._own_look(caller)
            )
        notes = {row.read_id: note for row, note in zip(noted, opened, strict=True)}
        return OwnReportReadsView(
            reads=[reports.read_view(row, notes.get(row.read_id)) for row in rows]
        )

    # -- parts -------------------------------------------------------------------------------------

    def _own_look(self, caller: Caller) -> Access:
        return Access(
            client_id=caller.client_id,
            purpose=Purpose.SERVICE,
            at=self._around.clock(),
            in_clear=True,
        )

    async def _require_consent(
        self, connection: AsyncConnection, found: Row[Any], kinds: Sequence[Kind]
    ) -> None:
        missing = [
            kind.value
            for kind in kinds
            if not await self._records.has_agreed(
                RECORDS,
                connection,
                found.user_id,
                purpose=TREATMENT,
                recipient=found.merchant_id,
                scope=consent_scope(kind),
            )
        ]
        if missing:
            raise ReportConsentError(field="kinds", kinds=missing)

    async def _open(
        self, connection: AsyncConnection, rows: Sequence[Row[Any]], access: Access
    ) -> list[ReportContent]:
        texts = [_sealed(row, Field.REPORT, row.content_sealed) for row in rows]
        opened = await self._records.open_texts(RECORDS, connection, texts, access)
        return [ReportContent.model_validate_json(text) for text in opened]

    async def _look(
        self,
        connection: AsyncConnection,
        read_id: UUID,
        found: Row[Any],
        request: ReadReportsRequest,
        rows: Sequence[Row[Any]],
    ) -> dict[str, Any]:
        emergency = request.emergency
        note = None
        if emergency is not None:
            note = await self._records.seal_text(
                RECORDS, connection, found.user_id, Field.NOTE, emergency.note
            )
        return {
            "read_id": read_id,
            "user_id": found.user_id,
            "merchant_id": found.merchant_id,
            "visit_id": found.visit_id,
            "doctor_code": request.doctor_code,
            "basis": "consent" if emergency is None else "emergency",
            "emergency_reason": None if emergency is None else emergency.reason,
            "note_sealed": note,
            "report_ids": [row.report_id for row in rows],
        }


async def _view(connection: AsyncConnection, report_id: UUID) -> ReportView:
    return reports.report_view(await reports.find_report(connection, report_id))


def _sealed(row: Row[Any], field: Field, sealed: bytes) -> SealedText:
    return SealedText(user_id=row.user_id, field=field, sealed=sealed)


def _standing(row: Row[Any], area: str | None, now: datetime) -> Standing:
    marked = Marked(mark=Mark(row.mark), area=row.area, valid_until=row.valid_until)
    return standing_of(marked, read_in=area, now=now)


def _check_recognition(standing: Standing, request: RecogniseRequest) -> None:
    if request.recognised and standing is not Standing.RECOGNISABLE:
        raise RecognitionError("its standing", field="recognised", standing=standing.value)
    due = reason_is_due(standing, recognised=request.recognised)
    if due != (request.reason is not None):
        why = "the reason is missing" if due else "the standing is the reason"
        raise RecognitionError(why, field="reason", standing=standing.value)
