"""What is answered of reports. Instants are aware UTC."""

from datetime import datetime
from uuid import UUID

from cardcore.model import Model
from scenes.hospital.report_request import ReportContent


class ReportView(Model):
    """A report without what it says: who made it, what mark it bears, until when it is of use.

    ``area`` is that of GB/T 2260 of the hospital that examined.
    """

    report_id: UUID
    merchant_id: str
    out_report_no: str
    kind: str
    category: str
    mark: str
    area: str | None
    performed_at: datetime
    valid_until: datetime
    recorded_at: datetime
    withdrawn_at: datetime | None


class OpenedReportView(Model):
    """A report opened: ``standing`` is what it is worth at the hospital that reads it."""

    report: ReportView
    standing: str
    content: ReportContent


class ReportReadView(Model):
    """One look at a person's reports. A look in an emergency says why nobody was asked."""

    read_id: UUID
    merchant_id: str
    visit_id: UUID
    doctor_code: str
    basis: str
    emergency_reason: str | None
    note: str | None
    report_ids: list[UUID]
    recorded_at: datetime


class OpenedReportsView(Model):
    """What was read, and the look as it was written down."""

    read: ReportReadView
    reports: list[OpenedReportView]


class RecognitionView(Model):
    """What a doctor made of a report; the reason's words in both languages."""

    report_id: UUID
    visit_id: UUID
    merchant_id: str
    doctor_code: str
    recognised: bool
    standing: str
    reason: str | None
    reason_zh: str | None
    reason_en: str | None
    recorded_at: datetime


class ReportConsentView(Model):
    """A consent to a hospital reading reports."""

    consent_id: UUID
    merchant_id: str
    kinds: list[str]
    valid_to: datetime


class OwnReportView(Model):
    """A report of one's own, and what was made of it elsewhere."""

    report: ReportView
    content: ReportContent
    recognitions: list[RecognitionView]


class OwnReportsView(Model):
    """A person's reports, the newest first."""

    reports: list[OwnReportView]


class OwnReportReadsView(Model):
    """Who read a person's reports, the newest first."""

    reads: list[ReportReadView]
