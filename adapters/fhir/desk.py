"""What the operations share: the scene behind them, and how what they change is found and told."""

from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from adapters.fhir.act import Taken, Values
from adapters.fhir.json_text import Tree
from adapters.fhir.kind import Kind
from cardcore.caller import Caller
from cardcore.errors import NotFoundError
from cardcore.field_faults import FieldsInvalidError, field_faults
from scenes.hospital.listing_service import ListingService
from scenes.hospital.service import Hospital

ModelT = TypeVar("ModelT", bound=BaseModel)

# One of these says who stands there.
PERSON: Final = (
    Taken(name="credential", words="The code that is shown", type="string"),
    Taken(name="card", words="A card's tap", type="string"),
    Taken(name="user-id", words="Who it is; for the card centre alone", type="string"),
)


@dataclass(frozen=True, slots=True)
class Desk:
    """The scene's services. All calls may be made concurrently."""

    hospital: Hospital
    lists: ListingService

    async def named(self, caller: Caller, kind: Kind, identity: str) -> Any:  # noqa: ANN401  (a row of the kind's list)
        """The row of the caller's that has this id. Raises ``NotFoundError``."""
        condition = kind.identity.matches(identity)
        if condition is None:
            raise NotFoundError
        return await self.lists.row_of(caller, kind.listing, condition)

    async def told(self, caller: Caller, kind: Kind, identity: object) -> Tree:
        """The resource of what was just changed."""
        return kind.resource(await self.named(caller, kind, str(identity)))


def request_of(model: type[ModelT], **values: object) -> ModelT:
    """The native request of an operation. Raises ``FieldsInvalidError``, by the native names."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise FieldsInvalidError(field_faults(error)) from None


def user_of(values: Values) -> dict[str, object] | None:
    """Who is meant, as the native requests say it; None where nobody is."""
    said = {one.name.replace("-", "_"): values[one.name] for one in PERSON if one.name in values}
    return said or None
