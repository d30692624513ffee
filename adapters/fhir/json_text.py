"""JSON as FHIR wants it: a decimal keeps its digits, ``12.30`` stays ``12.30``. Pure.

Source: FHIR R4B, ``datatypes.html#decimal``: the precision of a decimal has meaning.
"""

from collections.abc import Mapping
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

Tree = dict[str, Any]


def json_text(tree: Mapping[str, Any]) -> bytes:
    """A tree of texts, integers, booleans, decimals, lists and objects, in UTF-8."""
    return _text(tree).encode("utf-8")


def _text(value: object) -> str:
    match value:
        case str():
            return encode_basestring(value)
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return format(value, "f")
        case Mapping():
            members = [f"{encode_basestring(name)}:{_text(one)}" for name, one in value.items()]
            return f"{{{','.join(members)}}}"
        case list() | tuple():
            return f"[{','.join([_text(one) for one in value])}]"
    raise TypeError(f"not JSON of FHIR: {type(value).__name__}")


def present(**members: object) -> Tree:
    """An object of the members that say something: FHIR knows no null and nothing empty.

    A name that is a word of Python's bears a low line at its end.
    """
    return {
        name.rstrip("_"): member
        for name, member in members.items()
        if member is not None and member not in ("", [], {})
    }
