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
    """The resource as the library's model of it. Raises where it is none."""
    kind = _kind(served)
    return model_of(kind).model_validate_json(served)


def required_codes(kind: str, element: str) -> frozenset[str]:
    """The standard's codes of an element, as the library knows them."""
    extra = model_of(kind).model_fields[element].json_schema_extra
    assert isinstance(extra, dict)
    return frozenset(extra["enum_values"])


def _kind(served: bytes) -> str:
    return str(json.loads(served)["resourceType"])
