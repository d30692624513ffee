"""What the standard's own models say of a resource."""

import json
from functools import cache
from importlib import import_module
from typing import Any

from pydantic import BaseModel


@cache
def model_of(kind: str) -> type[BaseModel]:
    """The library's R4B model of a resource."""
    module = import_module(f"fhir.resources.R4B.{kind.lower()}")
    model: type[BaseModel] = getattr(module, kind)
    return model


def judge(served: bytes) -> Any:  # noqa: ANN401  (a model of the library)
    """The resource as the library's model of it. Raises where it is none.

    Codes of the required value sets are looked at here: the library does not.
    """
    tree = json.loads(served)
    for resource in (tree, *(entry["resource"] for entry in tree.get("entry", []))):
        kind = resource["resourceType"]
        for element, field in model_of(kind).model_fields.items():
            extra = field.json_schema_extra
            code = resource.get(element)
            if isinstance(extra, dict) and "enum_values" in extra and isinstance(code, str):
                known = required_codes(kind, element)
                assert code in known or "+" in known, f"{kind}.{element}"
    return model_of(tree["resourceType"]).model_validate_json(served)


def required_codes(kind: str, element: str) -> frozenset[str]:
    """The standard's codes of an element, as the library knows them."""
    extra = model_of(kind).model_fields[element].json_schema_extra
    assert isinstance(extra, dict)
    return frozenset(extra["enum_values"])
