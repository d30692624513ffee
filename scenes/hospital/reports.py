"""Reports of examinations, reads and recognitions as rows. Runs in the caller's transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import errors as pg_errors
from sqlalchemy import Row, any_, insert, literal, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.caller import Caller
from cardcore.errors import NotFoundError
from scenes.hospital.report_errors import ReportCategoryError, ReportConflictError
from scenes.hospital.report_request import ReportRequest
from scenes.hospital.report_rules import REASON_WORDS, Reason, area_of, valid_until
from scenes.hospital.report_tables import report, report_read, report_recognition, report_validity
from scenes.hospital.report_views import RecognitionView, ReportReadView, ReportView
from scenes.hospital.tables import doctor, hospital

REPORTS_MAX = 200
_r = report.c


async def write_report(
    connection: AsyncConnection,
    report_id: UUID,
    found: Row[Any],
    request: ReportRequest,
    *,
    sealed: bytes,
    now: datetime,
) -> None:
    """A report of a visit.

    Raises:
        ReportCategoryError: the catalogue has no such category of this kind.
        ReportConflictError: the hospital has given the number to another report.
    """
    v = report_validity.c
    days = await connection.scalar(
        select(v.days).where(v.category == request.category, v.kind == request.kind.value)
    )
    if days is None:
        raise ReportCategoryError(field="category")
    area = area_of(await _hospital_code(connection, found.merchant_id))
    try:
        async with connection.begin_nested():
            await connection.execute(
                insert(report).values(
                    report_id=report_id,
                    merchant_id=found.merchant_id,
                    visit_id=found.visit_id,
                    user_id=found.user_id,
                    out_report_no=request.out_report_no,
                    kind=request.kind.value,
                    category=request.category,
                    mark=request.mark.value,
                    area=area,
                    performed_at=request.performed_at,
                    valid_until=valid_until(request.performed_at, days),
                    content_sealed=sealed,
                    recorded_at=now,
                )
            )
    except IntegrityError as broken:
        if isinstance(broken.orig, pg_errors.UniqueViolation):
            raise ReportConflictError(field="out_report_no") from broken
        raise


async def withdraw_report(
    connection: AsyncConnection, caller: Caller, report_id: UUID, reason: str, now: datetime
) -> None:
    """Take a report back. Raises ``NotFoundError``: none of this hospital's, or taken back."""
    written = await connection.execute(
        update(report)
        .where(
            _r.report_id == report_id,
            _r.withdrawn_at.is_(None),
            literal(caller.merchant_id is None) | (_r.merchant_id == caller.merchant_id),
        )
        .values(withdrawn_at=now, withdrawn_for=reason)
        .returning(_r.report_id)
    )
    if written.one_or_none() is None:
        raise NotFoundError(field="report_id")


async def reports_of(
    connection: AsyncConnection, user_ids: Sequence[UUID], kinds: Sequence[str]
) -> Sequence[Row[Any]]:
    """A person's reports of some kinds that stand, the newest first."""
    found = await connection.execute(
        select(report)
        .where(_r.user_id.in_(user_ids), _r.kind.in_(kinds), _r.withdrawn_at.is_(None))
        .order_by(_r.performed_at.desc(), _r.report_id)
        .limit(REPORTS_MAX)
    )
    return found.all()


async def find_report(connection: AsyncConnection, report_id: UUID) -> Row[Any]:
    """One report. Raises ``NotFoundError``."""
    row = (await connection.execute(select(report).where(_r.report_id == report_id))).one_or_none()
    if row is None:
        raise NotFoundError(field="report_id")
    return row


async def was_read(connection: AsyncConnection, report_id: UUID, visit_id: UUID) -> bool:
    """Has anybody read this report for this visit?"""
    c = report_read.c
    found = await connection.execute(
        select(c.read_id).where(c.visit_id == visit_id, literal(report_id) == any_(c.report_ids))
    )
    return found.first() is not None


async def write_read(connection: AsyncConnection, values: Mapping[str, object]) -> None:
    """Write a look down."""
    await connection.execute(insert(report_read).values(**values))


async def write_recognition(connection: AsyncConnection, values: Mapping[str, object]) -> bool:
    """Write down what was made of a report; False where that was said before for this visit."""
    try:
        async with connection.begin_nested():
            await connection.execute(insert(report_recognition).values(**values))
    except IntegrityError as broken:
        if isinstance(broken.orig, pg_errors.UniqueViolation):
            return False
        raise
    return True


async def reads_of(connection: AsyncConnection, user_ids: Sequence[UUID]) -> Sequence[Row[Any]]:
    """Looks at a person's reports, the newest first."""
    c = report_read.c
    found = await connection.execute(
        select(report_read)
        .where(c.user_id.in_(user_ids))
        .order_by(c.recorded_at.desc(), c.read_id)
        .limit(REPORTS_MAX)
    )
    return found.all()


async def recognitions_of(
    connection: AsyncConnection, user_ids: Sequence[UUID]
) -> dict[UUID, list[RecognitionView]]:
    """What was made of a person's reports, by report."""
    c = report_recognition.c
    found = await connection.execute(
        select(report_recognition).where(c.user_id.in_(user_ids)).order_by(c.recorded_at)
    )
    by_report: dict[UUID, list[RecognitionView]] = {}
    for row in found:
        by_report.setdefault(row.report_id, []).append(recognition_view(row))
    return by_report


async def find_recognition(
    connection: AsyncConnection, report_id: UUID, visit_id: UUID
) -> RecognitionView:
    """What was made of a report in a visit."""
    c = report_recognition.c
    row = (
        await connection.execute(
            select(report_recognition).where(c.report_id == report_id, c.visit_id == visit_id)
        )
    ).one()
    return recognition_view(row)


async def area_of_hospital(connection: AsyncConnection, merchant_id: str) -> str | None:
    """Where a hospital lies, by its number with the insurer."""
    return area_of(await _hospital_code(connection, merchant_id))


async def require_doctor(connection: AsyncConnection, merchant_id: str, doctor_code: str) -> None:
    """Raises ``NotFoundError`` unless the hospital has that doctor."""
    d = doctor.c
    found = await connection.execute(
        select(d.doctor_code).where(d.merchant_id == merchant_id, d.doctor_code == doctor_code)
    )
    if found.first() is None:
        raise NotFoundError(field="doctor_code")


def report_view(row: Row[Any]) -> ReportView:
    """A report without what it says."""
    return ReportView.model_validate({name: getattr(row, name) for name in ReportView.model_fields})


def read_view(row: Row[Any], note: str | None) -> ReportReadView:
    """A look; its note was opened by whoever may see it."""
    names = [name for name in ReportReadView.model_fields if name != "note"]
    return ReportReadView.model_validate(
        {name: getattr(row, name) for name in names} | {"note": note}
    )


def recognition_view(row: Row[Any]) -> RecognitionView:
    """What was made of a report, without the note."""
    words = (None, None) if row.reason is None else REASON_WORDS[Reason(row.reason)]
    return RecognitionView(
        report_id=row.report_id,
        visit_id=row.visit_id,
        merchant_id=row.merchant_id,
        doctor_code=row.doctor_code,
        recognised=row.recognised,
        standing=row.standing,
        reason=row.reason,
        reason_zh=words[0],
        reason_en=words[1],
        recorded_at=row.recorded_at,
    )


async def _hospital_code(connection: AsyncConnection, merchant_id: str) -> str | None:
    code: str | None = await connection.scalar(
        select(hospital.c.fixmedins_code).where(hospital.c.merchant_id == merchant_id)
    )
    return code
