"""A hospital's own rules (院规): how long a place is held, whether outpatients prepay, and so on.

Changed by the card centre's office, not by a hospital's own systems: what bars a citizen from
registering, and what money is taken before there is a bill, is agreed with the district. Who has
changed what, and why, is in the audit log.
"""

from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator
from sqlalchemy import Row, update

from cardcore import audit
from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.errors import ForbiddenError
from cardcore.model import Model
from scenes.hospital.counter import Counter
from scenes.hospital.tables import hospital

DAY_S: Final = 86_400
_Days = Annotated[int, Field(ge=1, le=365)]


class HouseRulesView(Model):
    """The rules of a hospital as they stand; ``…_s`` are seconds."""

    merchant_id: str
    hold_s: int
    cancel_before_s: int
    days_ahead: int
    per_day_max: int
    no_show_max: int
    no_show_days: int
    blocked_days: int
    quote_s: int
    outpatient_prepayment: bool


class HouseRulesRequest(Model):
    """What is different; what is left out stays as it is.

    ``hold_s``: how long a place waits for its fee. ``cancel_before_s``: until when it may be given
    back. ``days_ahead``: how far ahead one registers. ``per_day_max``: registrations of a person a
    day. ``no_show_max`` missed visits in ``no_show_days`` bar for ``blocked_days``. ``quote_s``:
    how long a quoted split stands.
    """

    hold_s: Annotated[int, Field(ge=60, le=DAY_S)] | None = None
    cancel_before_s: Annotated[int, Field(ge=0, le=30 * DAY_S)] | None = None
    days_ahead: Annotated[int, Field(ge=0, le=365)] | None = None
    per_day_max: Annotated[int, Field(ge=1, le=100)] | None = None
    no_show_max: Annotated[int, Field(ge=1, le=100)] | None = None
    no_show_days: _Days | None = None
    blocked_days: _Days | None = None
    quote_s: Annotated[int, Field(ge=60, le=DAY_S)] | None = None
    outpatient_prepayment: bool | None = Field(
        default=None, description="Money taken of outpatients before there is a bill. Off by rule."
    )
    purpose: Annotated[
        str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
    ]

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.changes():
            raise ValueError("nothing is to be changed")
        return self

    def changes(self) -> dict[str, object]:
        """What is to be another from now on."""
        return self.model_dump(exclude_none=True, exclude={"purpose"})


class HouseRules(Counter):
    """Reads and changes the rules of hospitals."""

    async def read_house_rules(self, caller: Caller, merchant_id: str) -> HouseRulesView:
        """The rules in force. Raises ``HospitalUnknownError``."""
        caller.require(Scope.MERCHANTS_READ)
        async with transaction(self._around.engine) as (connection, _):
            return _view(await self._hospital(connection, caller, merchant_id))

    async def change_house_rules(
        self, caller: Caller, merchant_id: str, request: HouseRulesRequest
    ) -> HouseRulesView:
        """Rules from now on; what was agreed to before stays. The same again changes nothing.

        Raises:
            ForbiddenError: a hospital's own client.
            HospitalUnknownError: no such hospital.
        """
        caller.require(Scope.MERCHANTS_WRITE)
        if caller.merchant_id is not None:
            raise ForbiddenError("a hospital's rules are changed by the card centre")
        changes = request.changes()
        async with transaction(self._around.engine) as (connection, _):
            found = await self._hospital(connection, caller, merchant_id)
            if all(getattr(found, name) == value for name, value in changes.items()):
                return _view(found)
            await connection.execute(
                update(hospital).where(hospital.c.merchant_id == merchant_id).values(changes)
            )
            await audit.record(
                connection,
                actor=caller.client_id,
                action="hospital.rules",
                subject=f"hospital/{merchant_id}",
                outcome="done",
                now=self._around.clock(),
                purpose=request.purpose,
            )
            return _view(await self._hospital(connection, caller, merchant_id))


def _view(row: Row[tuple[object, ...]]) -> HouseRulesView:
    return HouseRulesView.model_validate(
        {name: getattr(row, name) for name in HouseRulesView.model_fields}
    )
