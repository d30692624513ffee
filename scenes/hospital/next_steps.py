"""What comes next in a visit (就诊指引): from what is booked, billed, paid and done. Pure.

Registering → checking in → waiting → the doctor → paying → examinations, results → medicine. The
first step is the next one; a step whose end nobody told us of stays until the hospital says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Step(StrEnum):
    """A step of a visit, in the order in which they come."""

    PAY_REGISTRATION = "pay_registration"
    CHECK_IN = "check_in"
    WAIT = "wait"
    CONSULT = "consult"
    PAY = "pay"
    LABORATORY = "laboratory"
    IMAGING = "imaging"
    TREATMENT = "treatment"
    REPORT = "report"
    PHARMACY = "pharmacy"


WORDS: Final[dict[Step, tuple[str, str]]] = {
    Step.PAY_REGISTRATION: ("缴纳诊察费，保住号源", "Pay the consultation fee to keep your place"),
    Step.CHECK_IN: ("到院后签到，领取排队号", "Check in on arrival for a queue number"),
    Step.WAIT: ("在诊区候诊，留意叫号", "Wait near the room until you are called"),
    Step.CONSULT: ("已叫到您，请进诊室", "You are called: please go in"),
    Step.PAY: ("缴费", "Pay"),
    Step.LABORATORY: ("抽血、化验", "Laboratory"),
    Step.IMAGING: ("影像、超声检查", "Imaging"),
    Step.TREATMENT: ("治疗", "Treatment"),
    Step.REPORT: ("取报告，回诊室给医生看", "Collect the results and take them back to the doctor"),
    Step.PHARMACY: ("取药", "Collect your medicine"),
}
# Where a place is kept under another name than the step.
PLACE_OF: Final = {Step.PAY_REGISTRATION: "pay", Step.CONSULT: "consult"}
MARKED: Final = (Step.LABORATORY, Step.IMAGING, Step.TREATMENT, Step.REPORT, Step.PHARMACY)
_EXAMINED: Final = {"lab": Step.LABORATORY, "imaging": Step.IMAGING}
_BEFORE_THE_DOCTOR: Final = {
    "held": Step.PAY_REGISTRATION,
    "booked": Step.CHECK_IN,
    "checked_in": Step.WAIT,
    "passed": Step.WAIT,
    "called": Step.CONSULT,
}
# Drugs: classes X, Z, T of the national insurance's codes. Services: chapters of the national list
# of medical service prices (全国医疗服务价格项目规范): 21-23 imaging, 25-27 laboratory, 24 and 3, 4
# treatment; 11 and 12 (consultation, nursing) lead nowhere.
_KINDS: Final = (
    (("X", "Z", "T"), Step.PHARMACY),
    (("21", "22", "23"), Step.IMAGING),
    (("25", "26", "27"), Step.LABORATORY),
    (("24", "3", "4"), Step.TREATMENT),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a visit.

    ``registration``: its state, None where there is none. ``open_bill``: something is billed and
    not paid. ``paid_items``: codes of what is paid and not given back. ``reported``: kinds of
    results that are there. ``done``: what the hospital says is done.
    """

    registration: str | None
    open_bill: bool
    paid_items: frozenset[str]
    reported: frozenset[str]
    done: frozenset[str]


def step_of_item(item_code: str) -> Step | None:
    """Where an item of a bill is had; None where nobody has to go anywhere for it."""
    code = item_code.rsplit("-", 1)[-1].removeprefix("00")
    return next((step for starts, step in _KINDS if code.startswith(starts)), None)


def steps_of(standing: Standing) -> list[Step]:
    """The next step and those behind it, as far as they are known. Empty: nothing is left."""
    before = _BEFORE_THE_DOCTOR.get(standing.registration or "")
    after = _after_the_doctor(standing)
    return [*([before] if before is not None else ()), *after]


def _after_the_doctor(standing: Standing) -> Iterable[Step]:
    found = {step for code in standing.paid_items if (step := step_of_item(code)) is not None}
    done = {Step(step) for step in standing.done}
    examined = {step for kind, step in _EXAMINED.items() if kind in standing.reported}
    if standing.open_bill:
        yield Step.PAY
    for step in (Step.LABORATORY, Step.IMAGING, Step.TREATMENT):
        if step in found and step not in done | examined:
            yield step
    examinations = found & set(_EXAMINED.values())
    if examinations and Step.REPORT not in done:
        yield Step.REPORT
    if Step.PHARMACY in found and Step.PHARMACY not in done:
        yield Step.PHARMACY
