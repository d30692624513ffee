"""JSON bodies read strictly: one meaning per byte string, bounded work, then one model.

Refused as ``json_invalid`` (400): not UTF-8, a byte order mark, anything outside RFC 8259 (a
trailing comma), a duplicate key (two readers could see two orders), a lone surrogate, nesting
beyond the bound. ``request_invalid`` (422), naming the field: a NUL character and a number beyond
IEEE doubles, which are JSON that cannot be stored, and NaN or Infinity, which are not JSON but
what common writers make of a wrong amount. Pure.
Sources: RFC 8259, RFC 7493 (I-JSON).
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from adapters.http.refusals import JSONInvalidError
from cardcore.field_faults import FieldFault, FieldsInvalidError, field_faults

ModelT = TypeVar("ModelT", bound=BaseModel)

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# An escaped character, or one that opens or closes something.
_STRUCTURE: Final = re.compile(rb'\\.|["\[\]{}]', re.DOTALL)
# More than any field holds, far less than Python reads.
_DIGITS_MAX: Final = 400
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def read_model(raw: bytes, model: type[ModelT], *, depth_max: int) -> ModelT:
    """The body as ``model``, without any coercion.

    Args:
        raw: the body, its size already bounded.
        model: what it must be.
        depth_max: how many brackets may be open at once.

    Raises:
        JSONInvalidError: not strict JSON.
        FieldsInvalidError: JSON, but not this model.
    """
    check(raw, depth_max=depth_max)
    try:
        return model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise FieldsInvalidError(field_faults(error)) from None


def check(raw: bytes, *, depth_max: int) -> None:
    """Raise unless ``raw`` is strict JSON that can be stored; see the module's docstring."""
    if raw.startswith(_BYTE_ORDER_MARK):
        raise JSONInvalidError("the body starts with a byte order mark")
    if _deeper_than(raw, depth_max):
        raise JSONInvalidError(f"the body nests deeper than {depth_max} levels")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JSONInvalidError(f"the body is not UTF-8 at byte {error.start}") from None
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise JSONInvalidError(f"{error.msg} at character {error.pos}") from None
    except ValueError:  # ours, and Python's own: it bounds the digits of an integer
        raise FieldsInvalidError([_number_fault(text)]) from None
    # Only an escape can smuggle in what UTF-8 and the grammar keep out.
    if b"\\u" in raw:
        _check_texts(value)


def _deeper_than(raw: bytes, depth_max: int) -> bool:
    if raw.count(b"{") + raw.count(b"[") <= depth_max:
        return False
    depth, in_text = 0, False
    for token in _STRUCTURE.finditer(raw):
        match token[0]:
            case b'"':
                in_text = not in_text
            case b"[" | b"{" if not in_text:
                depth += 1
                if depth > depth_max:
                    return True
            case b"]" | b"}" if not in_text:
                depth -= 1
    return False


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JSONInvalidError("an object has a duplicate key")
    return members


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_constant=_no_number, parse_float=_finite
)
# Read a second time, to say where it is: NaN is NaN, whatever is too large is infinite.
_TOLERANT_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique_keys,
    parse_int=lambda digits: math.inf if len(digits) > _DIGITS_MAX else int(digits),
)


def _number_fault(text: str) -> FieldFault:
    """The first number of ``text`` that cannot be kept."""
    try:
        value = _TOLERANT_DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise JSONInvalidError(f"{error.msg} at character {error.pos}") from None
    for path, leaf in _leaves(value, ""):
        if isinstance(leaf, float) and math.isnan(leaf):
            return FieldFault(field=path, code="wrong_type", reason="NaN is not a number")
        if isinstance(leaf, float) and math.isinf(leaf):
            return FieldFault(field=path, code="out_of_range", reason="a number is out of range")
    raise AssertionError("read strictly, a number was refused")


def _check_texts(value: object) -> None:
    for path, leaf in _leaves(value, ""):
        found = _UNSTORABLE.search(leaf) if isinstance(leaf, str) else None
        if found is None:
            continue
        if found[0] == "\x00":
            fault = FieldFault(field=path, code="not_valid", reason="a NUL character")
            raise FieldsInvalidError([fault])
        raise JSONInvalidError("a text has a lone surrogate")


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Every text, number and word in ``value`` with its path; a key goes by its object's path."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield path, key
            yield from _leaves(member, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _leaves(member, f"{path}.{index}" if path else str(index))
    else:
        yield path, value
