"""Every way reports of examinations are refused."""

from typing import ClassVar

from cardcore.errors import CardcoreError, ForbiddenError, NotFoundError, RequestInvalidError


class ReportConflictError(CardcoreError):
    """The number names another report."""

    code: ClassVar[str] = "report_conflict"
    title_zh: ClassVar[str] = "报告编号冲突"
    title_en: ClassVar[str] = "The number names another report"


class ReportCategoryError(RequestInvalidError):
    """The city's catalogue has no such category of examinations."""

    code: ClassVar[str] = "report_category_unknown"
    title_zh: ClassVar[str] = "互认目录无此类别"
    title_en: ClassVar[str] = "No such category in the catalogue"


class ReportConsentError(ForbiddenError):
    """The person has not agreed that this hospital reads these; ``facts`` name the kinds."""

    code: ClassVar[str] = "report_consent_missing"
    title_zh: ClassVar[str] = "患者未同意本院调阅"
    title_en: ClassVar[str] = "The person has not agreed to this hospital reading these"


class VisitClosedError(ForbiddenError):
    """The visit is over: nothing is read for it any more."""

    code: ClassVar[str] = "visit_closed"
    title_zh: ClassVar[str] = "本次就诊已结束"
    title_en: ClassVar[str] = "The visit is over"


class OtherPatientError(ForbiddenError):
    """Whoever stands there is not the patient of this visit."""

    code: ClassVar[str] = "other_patient"
    title_zh: ClassVar[str] = "非本次就诊患者本人"
    title_en: ClassVar[str] = "Not the patient of this visit"


class ReportUnreadError(NotFoundError):
    """Nobody has read this report for this visit, so nothing can be said about it."""

    code: ClassVar[str] = "report_unread"
    title_zh: ClassVar[str] = "本次就诊未调阅该报告"
    title_en: ClassVar[str] = "The report was not read for this visit"


class RecognitionError(CardcoreError):
    """The report's standing does not allow this, or the reason is missing; ``facts`` name it."""

    code: ClassVar[str] = "recognition_invalid"
    title_zh: ClassVar[str] = "互认结论与报告状态不符"
    title_en: ClassVar[str] = "The report's standing does not allow this"
