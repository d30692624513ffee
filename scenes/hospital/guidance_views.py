"""What guidance answers, in Chinese and English. Never a diagnosis."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

from cardcore.model import Model

NOTICE_ZH: Final = (
    "本结果只建议去哪个科室，不能代替医生诊断。如果胸痛、喘不上气、叫不醒、抽动、大量出血、突然口角歪斜或一侧无力、"
    "严重外伤、服毒，或有轻生念头，无论上面怎么写，请立即拨打120。"
)
NOTICE_EN: Final = (
    "This only says which department to go to; it is no doctor's diagnosis. With chest pain, no "
    "breath, no response, jerking, heavy bleeding, a sudden droop or weakness of one side, "
    "a grave injury, poison, or thoughts of ending your life, call 120 at once, whatever is said "
    "above."
)
UNCLEAR_ZH: Final = "没有看懂。请说明哪里不舒服、怎么不舒服、多久了，或到导诊台询问护士。"
UNCLEAR_EN: Final = (
    "This was not understood. Say where it hurts, how and since when, or ask the nurse at the desk."
)


class RedFlagView(Model):
    """Something that must be seen at once, what to do, and the words that led there."""

    flag: str
    level: str
    title_zh: str
    title_en: str
    advice_zh: str
    advice_en: str
    words: list[str]


class ClinicView(Model):
    """A half day with free places."""

    merchant_id: str
    dept_code: str
    dept_name_zh: str
    dept_name_en: str
    place: str
    place_en: str
    schedule_id: UUID
    doctor_code: str | None
    visit_on: date
    session: str
    starts_at: datetime
    fee_fen: int
    free_count: int


class RankedView(Model):
    """A kind of department, the words that led there, and where places are free."""

    specialty: str
    name_zh: str
    name_en: str
    words: list[str]
    clinics: list[ClinicView]


class GuidanceView(Model):
    """Where to go. ``version`` and ``digest`` name the tables this was decided by.

    ``urgency``: ``call_120``, ``emergency``, ``routine`` or ``unclear``.
    """

    version: str
    digest: str
    urgency: str
    red_flags: list[RedFlagView]
    departments: list[RankedView]
    ask_zh: str | None
    ask_en: str | None
    notice_zh: str = NOTICE_ZH
    notice_en: str = NOTICE_EN


class PlaceView(Model):
    """A window or room. ``waiting`` is null where nobody has said it lately."""

    place_code: str
    step: str
    dept_code: str | None
    name_zh: str
    name_en: str
    floor_zh: str
    floor_en: str
    window_no: str | None
    waiting: int | None


class PlacesView(Model):
    """Places of a hospital."""

    places: list[PlaceView]


class NextStepView(Model):
    """A step of a visit and where it is; ``ahead`` is how many come before, where that is known."""

    step: str
    title_zh: str
    title_en: str
    place: PlaceView | None
    queue_no: int | None
    ahead: int | None


class NextStepsView(Model):
    """What is left of a visit, the next step first; empty: nothing is."""

    merchant_id: str
    dept_code: str
    steps: list[NextStepView]
