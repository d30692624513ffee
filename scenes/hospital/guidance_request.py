"""What is asked of guidance: what troubles somebody, where things are, what is done.

What somebody says is read, answered and forgotten: it is written down nowhere.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictBool, StringConstraints

from cardcore.model import Model, PrintedNumber
from scenes.hospital.guidance.knowledge import current

Words = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Said = Annotated[str, StringConstraints(min_length=1, max_length=300)]


def _known(specialty: str) -> str:
    if specialty not in current().specialties:
        raise ValueError("no such specialty")
    return specialty


Specialty = Annotated[str, AfterValidator(_known)]


class Age(Model):
    """How old: whole years; of infants months or days, whichever is known."""

    years: Annotated[int, Field(strict=True, ge=0, le=130)] = 0
    months: Annotated[int, Field(strict=True, ge=0, le=36)] = 0
    days: Annotated[int, Field(strict=True, ge=0, le=90)] = 0

    @property
    def as_years(self) -> float:
        """As one figure."""
        return self.years + self.months / 12 + self.days / 365


class GuidanceRequest(Model):
    """What troubles somebody, in their own words, and who it is about as far as it is told."""

    text: Said
    age: Age | None = None
    sex: Literal["f", "m"] | None = None
    pregnant: StrictBool = False


class OwnGuidanceRequest(GuidanceRequest):
    """The same in a citizen's session; ``merchant_id``: clinics of this hospital alone."""

    merchant_id: PrintedNumber | None = None


class PlaceRequest(Model):
    """A window or room for a step, of one department or of all.

    ``waiting``: how many wait there now, as the hospital counts them; left out: not known.
    """

    place_code: PrintedNumber
    step: Literal[
        "register",
        "check_in",
        "wait",
        "consult",
        "pay",
        "laboratory",
        "imaging",
        "treatment",
        "report",
        "pharmacy",
        "emergency",
    ]
    dept_code: PrintedNumber | None = None
    name_zh: Words
    name_en: Words
    floor_zh: Words
    floor_en: Words
    window_no: Words | None = None
    waiting: Annotated[int, Field(strict=True, ge=0, le=9_999)] | None = None


class DoneStepRequest(Model):
    """A step of a visit that is done."""

    step: Literal["laboratory", "imaging", "treatment", "report", "pharmacy"]
