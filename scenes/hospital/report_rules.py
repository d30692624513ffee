"""Whose examination result is good where, and until when (检查检验结果互认). Pure.

Source: 医疗机构检查检验结果互认管理办法 (国卫医发〔2022〕6号, in force since 2022-03-01): a
result that bears the mark (互认标识: the name of an area and HR) of the whole country, or of the
area the reading hospital lies in, is recognised where that does not harm the treatment; six cases
let the doctor examine anew. The 办法 gives no days: how long a result is of use is the city's
catalogue, kept as data (``report_validity``).

A hospital's area stands in its number with the insurer: H, six digits of GB/T 2260, five more.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

_HOSPITAL_CODE: Final = re.compile(r"[A-Z]([0-9]{6})[0-9A-Z]{5}", re.ASCII)


class Kind(StrEnum):
    """What was examined: something taken from the body (检验), or the body itself (检查)."""

    LAB = "lab"
    IMAGING = "imaging"


class Mark(StrEnum):
    """The mark of recognition a result bears: its area's, widest first."""

    NATIONAL = "national"
    PROVINCE = "province"
    CITY = "city"
    NONE = "none"


# How many digits of an area code two hospitals must share for the mark to hold at both.
_SHARED_DIGITS: Final = {Mark.NATIONAL: 0, Mark.PROVINCE: 2, Mark.CITY: 4}


class Standing(StrEnum):
    """What a result is worth at the hospital that reads it."""

    RECOGNISABLE = "recognisable"
    EXPIRED = "expired"
    OTHER_AREA = "other_area"
    UNMARKED = "unmarked"


class Reason(StrEnum):
    """Why a result that could be recognised is not: the cases of the 办法."""

    CONDITION_CHANGED = "condition_changed"
    CHANGES_QUICKLY = "changes_quickly"
    DECISIVE = "decisive"
    EMERGENCY = "emergency"
    APPRAISAL = "appraisal"
    OTHER = "other"


REASON_WORDS: Final[dict[Reason, tuple[str, str]]] = {
    Reason.CONDITION_CHANGED: (
        "病情变化，结果与临床表现或诊断不符，难以满足诊疗需求",
        "The condition has changed: the result does not fit what is seen",
    ),
    Reason.CHANGES_QUICKLY: (
        "该指标在疾病发展中变化较快",
        "What was measured changes quickly in this disease",
    ),
    Reason.DECISIVE: (
        "对诊疗意义重大，如手术、输血等重大措施前",
        "Much hangs on it, as before surgery or a transfusion",
    ),
    Reason.EMERGENCY: ("患者处于急诊、急救等紧急状态", "The patient is in an emergency"),
    Reason.APPRAISAL: ("涉及司法、伤残、病退等鉴定", "A court or a disability office asks"),
    Reason.OTHER: ("其他确需复查的情形", "Another case that needs it; the note says which"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """What of a report decides about its standing; ``area`` is that of who examined."""

    mark: Mark
    area: str | None
    valid_until: datetime


def area_of(hospital_code: str | None) -> str | None:
    """The six digits of the area in a hospital's number with the insurer, if it has them."""
    match = _HOSPITAL_CODE.fullmatch(hospital_code or "")
    return match[1] if match else None


def covers(mark: Mark, examined_in: str | None, read_in: str | None) -> bool:
    """Does a mark given in one area hold in another? A hospital of no area has the country's."""
    if mark is Mark.NONE:
        return False
    shared = _SHARED_DIGITS[mark]
    if shared == 0:
        return True
    if examined_in is None or read_in is None:
        return False
    return examined_in[:shared] == read_in[:shared]


def standing_of(report: Marked, *, read_in: str | None, now: datetime) -> Standing:
    """What a report is worth at a hospital of the area ``read_in``, now."""
    if report.mark is Mark.NONE:
        return Standing.UNMARKED
    if not covers(report.mark, report.area, read_in):
        return Standing.OTHER_AREA
    return Standing.RECOGNISABLE if now < report.valid_until else Standing.EXPIRED


def valid_until(performed_at: datetime, days: int) -> datetime:
    """Until when a result is of use."""
    return performed_at + timedelta(days=days)


def reason_is_due(standing: Standing, *, recognised: bool) -> bool:
    """Must the doctor say why? Only of what could have been recognised."""
    return standing is Standing.RECOGNISABLE and not recognised
