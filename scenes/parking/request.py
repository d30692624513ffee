"""What lanes, counters and the card centre send to the parking scene. Pure."""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from cardcore.business.request import CredentialText
from cardcore.model import Instant, Model, PrintedNumber
from scenes.parking.stays import Direction
from scenes.parking.tariffs import Tariff

PlateText = Annotated[str, StringConstraints(min_length=7, max_length=16)]
_Title = Annotated[str, StringConstraints(min_length=1, max_length=60)]
EVENTS_MAX = 200


class Lane(Model):
    """A lane: a terminal of the merchant, and which way it leads."""

    lane_id: PrintedNumber
    direction: Direction


class RegisterTariffRequest(Model):
    """A tariff, for stays whose entry lies at or after ``valid_from``."""

    valid_from: Instant
    tariff: Tariff


class RegisterCarParkRequest(Model):
    """A car park with its lanes and its first tariff."""

    car_park_id: PrintedNumber
    merchant_id: PrintedNumber
    name_zh: _Title
    name_en: _Title
    spaces: Annotated[int, Field(strict=True, ge=1, le=100_000)]
    lanes: Annotated[list[Lane], Field(min_length=1, max_length=64)]
    valid_from: Instant
    tariff: Tariff


class PassageEvent(Model):
    """One reading of a plate.

    ``event_no`` is the lane's own number of it and never used again: sending an event twice changes
    nothing. ``live``: the lane waits for an answer; otherwise the gate opened already, off-line.
    ``image_sha256`` is of the picture the lane keeps as evidence.
    """

    lane_id: PrintedNumber
    event_no: Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
    plate: PlateText
    occurred_at: Instant
    live: Annotated[bool, Field(strict=True)] = True
    image_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None


class PassagesRequest(Model):
    """Readings, in any order, live ones and those of an hour without network."""

    events: Annotated[list[PassageEvent], Field(min_length=1, max_length=EVENTS_MAX)]


class FindStayRequest(Model):
    """The car that stands here now. A body and no query: a plate belongs in no path."""

    car_park_id: PrintedNumber
    plate: PlateText


class PayStayRequest(Model):
    """Pay what is due of a stay by the code somebody shows; ``lane_id``: where."""

    credential: CredentialText
    lane_id: PrintedNumber


class SignContractRequest(Model):
    """Leave first, pay afterwards: for one plate, up to a limit of credit."""

    user_id: UUID
    plate: PlateText
    limit_fen: Annotated[int, Field(strict=True, ge=0, le=20_000)]


class MonthCardRequest(Model):
    """Months for one plate in one car park, paid by a code or, at the card centre, by the user."""

    plate: PlateText
    lane_id: PrintedNumber
    from_on: date
    months: Annotated[int, Field(strict=True, ge=1, le=12)]
    credential: CredentialText | None = None
    user_id: UUID | None = None

    @model_validator(mode="after")
    def _one_payer(self) -> Self:
        if (self.credential is None) == (self.user_id is None):
            raise ValueError("give exactly one of credential and user_id")
        return self


class ClaimAlertRequest(Model):
    """The citizen says which of the two stays was not their car."""

    stay_id: UUID


class CloseAlertRequest(Model):
    """What an operator found: a copied plate, or a camera that misread."""

    finding: Literal["cloned", "misread"]
