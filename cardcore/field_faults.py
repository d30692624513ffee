"""Wrong fields of a request, each with a stable code: one language for bodies, queries and details.

A scene checks the details of a business by a model of its own; what is wrong there is told in the
same words as what is wrong in the request around them. Pure.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from cardcore.errors import RequestInvalidError
from cardcore.values import value

ModelT = TypeVar("ModelT", bound=BaseModel)

# Pydantic's error types → the few codes clients may rely on.
_FAULT_CODES: Final = (
    (re.compile(r"missing"), "missing"),
    (re.compile(r"extra_forbidden"), "unknown_field"),
    (re.compile(r".*(too_long|too_short)"), "wrong_length"),
    (re.compile(r"greater_than.*|less_than.*|multiple_of|.*_(past|future)"), "out_of_range"),
    (re.compile(r"literal_error|enum"), "not_allowed"),
    (re.compile(r".*_(parsing|pattern_mismatch|from_float|parsing_size)"), "wrong_format"),
    (re.compile(r".*_type|timezone_aware"), "wrong_type"),
)


@value
class FieldFault:
    """One wrong field: its path (``business.amount_fen``), a stable code, a reason in English."""

    field: str
    code: str
    reason: str


class FieldsInvalidError(RequestInvalidError):
    """Fields of a request are missing, unknown, of a wrong type or out of range; at least one."""

    def __init__(self, faults: Sequence[FieldFault]) -> None:
        super().__init__(f"{len(faults)} field(s) are not valid", field=faults[0].field)
        self.faults = tuple(faults)


def details_as(model: type[ModelT], details: Mapping[str, object]) -> ModelT:
    """The details of a business as a scene wants them.

    Raises:
        FieldsInvalidError: they are not of this model; each fault under ``business.details``.
    """
    try:
        return model.model_validate(details)
    except ValidationError as error:
        raise FieldsInvalidError(field_faults(error, within=("business", "details"))) from None


def field_faults(error: ValidationError, *, within: Sequence[str] = ()) -> list[FieldFault]:
    """The faults of a validation, without the input; ``within`` says where that lay."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return [fault_of({**fault, "loc": (*within, *fault["loc"])}) for fault in faults]


def fault_of(fault: Mapping[str, Any]) -> FieldFault:
    """One fault as Pydantic tells it (``loc``, ``type``, ``msg``), in our words."""
    return FieldFault(
        field=".".join(str(part) for part in fault["loc"]),
        code=_fault_code(fault["type"]),
        reason=fault["msg"].removeprefix("Value error, "),
    )


def _fault_code(pydantic_type: str) -> str:
    for pattern, code in _FAULT_CODES:
        if pattern.fullmatch(pydantic_type):
            return code
    return "not_valid"
