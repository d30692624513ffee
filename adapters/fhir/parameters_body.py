"""The body of an operation: a Parameters resource, read by the operation's declaration.

JSON as strict as anywhere in this service, decimals exactly as they are written, nothing that is
not declared. Source: FHIR R4B, ``parameters.html``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from adapters.fhir.act import VALUES, Taken, Values
from adapters.fhir.datatypes import CURRENCY
from adapters.http.strict_json import check
from cardcore.field_faults import FieldFault, FieldsInvalidError

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DIGITS_MAX: Final = 15
_FEN_PER_YUAN: Final = 100


class _Wrong(ValueError):  # noqa: N818  (a fault of one field on its way to its refusal)
    """What is wrong with one value: ``code`` of the field, words."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


def read_parameters(raw: bytes, takes: Sequence[Taken], *, depth_max: int, base_url: str) -> Values:
    """The parameters of an operation by their names.

    Args:
        raw: the body; empty where nothing is said.
        takes: what may be said.
        depth_max: how many brackets may be open at once.
        base_url: address of this face, which references may begin with.

    Raises:
        JSONInvalidError: not strict JSON.
        FieldsInvalidError: no Parameters, or not these.
    """
    said: Any = {"resourceType": "Parameters"}
    if raw:
        check(raw, depth_max=depth_max)
        said = json.loads(raw, parse_float=Decimal)
    if not isinstance(said, dict) or said.get("resourceType") != "Parameters":
        raise FieldsInvalidError(
            [FieldFault(field="", code="wrong_type", reason="the body is no Parameters resource")]
        )
    # What any resource may have says nothing here; anything else would be overlooked.
    unknown = sorted(said.keys() - {"resourceType", "parameter", "id", "meta"})
    if unknown:
        raise FieldsInvalidError(
            [
                FieldFault(
                    field=f"Parameters.{name}"[:64], code="unknown_field", reason="not known"
                )
                for name in unknown
            ]
        )
    return _read_all(said.get("parameter", []), takes, "Parameters.parameter", base_url)


def _read_all(said: Any, takes: Sequence[Taken], place: str, base_url: str) -> Values:  # noqa: ANN401  (JSON)
    if not isinstance(said, list):
        raise FieldsInvalidError([FieldFault(field=place, code="wrong_type", reason="not a list")])
    known = {one.name: one for one in takes}
    faults: list[FieldFault] = []
    given: dict[str, list[Any]] = {one.name: [] for one in takes}
    for number, one in enumerate(said):
        here = f"{place}[{number}]"
        name = one.get("name") if isinstance(one, dict) else None
        taken = known.get(name) if isinstance(name, str) else None
        if taken is None:
            faults.append(FieldFault(field=here, code="unknown_field", reason="not known"))
            continue
        try:
            given[taken.name].append(_read_one(one, taken, here, base_url))
        except _Wrong as wrong:
            faults.append(FieldFault(field=here, code=wrong.code, reason=str(wrong)))
        except FieldsInvalidError as within:
            faults.extend(within.faults)
    faults += _counted(given, takes, place)
    if faults:
        raise FieldsInvalidError(faults)
    return {
        one.name: given[one.name] if one.max == "*" else given[one.name][0]
        for one in takes
        if given[one.name]
    }


def _counted(
    given: Mapping[str, Sequence[Any]], takes: Sequence[Taken], place: str
) -> list[FieldFault]:
    """Parameters that are missing, or given more often than once."""
    faults = []
    for one in takes:
        field = f"{place}.where(name='{one.name}')"
        if len(given[one.name]) < one.min:
            faults.append(FieldFault(field=field, code="missing", reason="required"))
        if one.max == "1" and len(given[one.name]) > 1:
            faults.append(FieldFault(field=field, code="not_allowed", reason="given twice"))
    return faults


def _read_one(said: Mapping[str, Any], taken: Taken, place: str, base_url: str) -> Any:  # noqa: ANN401  (a value of any type)
    if taken.parts:
        if said.keys() - {"name", "part"}:
            raise _Wrong("unknown_field", "it has parts and nothing else")
        return _read_all(said.get("part", []), taken.parts, f"{place}.part", base_url)
    element = VALUES[taken.type]
    if said.keys() != {"name", element}:
        raise _Wrong("wrong_type", f"it has {element} and nothing else")
    value = said[element]
    match taken.type:
        case "Reference":
            return _reference(value, taken.target or "", base_url)
        case "Money":
            return _fen(value)
        case _:
            return _plain(value, taken.type)


def _plain(value: Any, kind: str) -> Any:  # noqa: ANN401  (JSON)
    match kind, value:
        case "string" | "code", str() if value.strip():
            return value
        case "boolean", bool():
            return value
        case "integer", int() if not isinstance(value, bool):
            return value
        case "decimal", int() | Decimal() if not isinstance(value, bool):
            return _small(Decimal(value))
        case "date", str() if _DATE.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                raise _Wrong("wrong_format", "no such day") from None
        case _:
            raise _Wrong("wrong_type", f"not a {kind}")


def _reference(value: Any, target: str, base_url: str) -> str:  # noqa: ANN401  (JSON)
    """The id in a reference to a resource of ``target``."""
    said = value.get("reference") if isinstance(value, dict) else None
    if not isinstance(said, str):
        raise _Wrong("wrong_type", "not a reference")
    kind, slash, identity = said.removeprefix(f"{base_url}/").partition("/")
    if kind != target or not slash or not identity or "/" in identity:
        raise _Wrong("wrong_format", f"not a reference to a {target} of this server")
    return identity


def _fen(value: Any) -> int:  # noqa: ANN401  (JSON)
    """An amount of yuan in fen, exactly."""
    if not isinstance(value, dict) or value.keys() - {"value", "currency"}:
        raise _Wrong("wrong_type", "an amount has value and currency")
    if value.get("currency", CURRENCY) != CURRENCY:
        raise _Wrong("not_allowed", f"the currency is {CURRENCY}")
    yuan = value.get("value")
    if isinstance(yuan, bool) or not isinstance(yuan, int | Decimal):
        raise _Wrong("wrong_type", "an amount has a decimal value")
    fen = _small(Decimal(yuan)) * _FEN_PER_YUAN
    if fen != fen.to_integral_value():
        raise _Wrong("wrong_format", "an amount has whole fen")
    return int(fen)


def _small(number: Decimal) -> Decimal:
    if number and not -_DIGITS_MAX < number.adjusted() < _DIGITS_MAX:
        raise _Wrong("out_of_range", "a number is out of range")
    return number
