"""What is asked of reports of examinations. What is clinical is sealed before it is kept."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StrictBool, StringConstraints, model_validator

from cardcore.business.request import User
from cardcore.model import Instant, Model, Name, PrintedNumber
from scenes.hospital.report_rules import Kind, Mark, Reason

CONSENT_DAYS_MAX = 30
Words = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=8_000)]
Kinds = Annotated[list[Kind], Field(min_length=1, max_length=2)]


def _both() -> list[Kind]:
    return [Kind.LAB, Kind.IMAGING]


class Measured(Model):
    """One value: as printed, with its unit and what is usual."""

    name: Words
    value: Words
    unit: Annotated[str, StringConstraints(max_length=40)] = ""
    usual: Annotated[str, StringConstraints(max_length=80)] = ""
    flag: Literal["", "high", "low", "abnormal"] = ""


class ReportContent(Model):
    """What was found. The doctor's diagnosis is no part of it: only results are recognised."""

    item_code: PrintedNumber
    name_zh: Words
    name_en: Words
    measured: Annotated[list[Measured], Field(max_length=200)] = Field(default_factory=list)
    findings: Text | None = None
    image_ref: PrintedNumber | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.measured and self.findings is None:
            raise ValueError("a report says what was measured or what was seen")
        return self


class ReportRequest(Model):
    """A result of the hospital's own, put by its system; ``category`` is the city catalogue's."""

    out_report_no: PrintedNumber
    kind: Kind
    category: Name
    mark: Mark
    performed_at: Instant
    content: ReportContent


class WithdrawReportRequest(Model):
    """The hospital takes a result back: it was mistaken, or replaced by a corrected one."""

    reason: Literal["mistaken", "corrected"]


class ReportConsentRequest(Model):
    """The patient agrees at the counter, by the code they show, for so many hours."""

    user: User
    kinds: Kinds = Field(default_factory=_both)
    hours: Annotated[int, Field(strict=True, ge=1, le=72)] = 24


class OwnReportConsentRequest(Model):
    """The citizen agrees in a session of their own, for so many days."""

    merchant_id: PrintedNumber
    kinds: Kinds = Field(default_factory=_both)
    days: Annotated[int, Field(strict=True, ge=1, le=CONSENT_DAYS_MAX)] = 7


class Emergency(Model):
    """Why nobody could be asked. The citizen reads it afterwards."""

    reason: Literal["unconscious", "life_threat", "other"]
    note: Words


class ReadReportsRequest(Model):
    """A doctor reads the patient's reports; with ``emergency`` nobody was asked."""

    doctor_code: PrintedNumber
    kinds: Kinds = Field(default_factory=_both)
    emergency: Emergency | None = None


class RecogniseRequest(Model):
    """The doctor recognises a result that was read, or says why not."""

    visit_id: UUID
    doctor_code: PrintedNumber
    recognised: StrictBool
    reason: Reason | None = None
    note: Words | None = None

    @model_validator(mode="after")
    def _has_what_the_reason_needs(self) -> Self:
        if self.recognised and self.reason is not None:
            raise ValueError("what is recognised needs no reason")
        if self.reason is Reason.OTHER and self.note is None:
            raise ValueError("the reason other needs a note")
        return self
