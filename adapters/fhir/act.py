"""What is said of an operation: one declaration, from which route, reading and description come."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from adapters.fhir.json_text import Tree
from cardcore.caller import Caller, Scope

Values = Mapping[str, Any]
"""Parameters by name: a value, a list of values where several may be given, parts as ``Values``."""

# FHIR's type of a parameter → the element that carries it.
VALUES: Final[Mapping[str, str]] = {
    "string": "valueString",
    "code": "valueCode",
    "boolean": "valueBoolean",
    "integer": "valueInteger",
    "decimal": "valueDecimal",
    "date": "valueDate",
    "Reference": "valueReference",
    "Money": "valueMoney",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One parameter an operation takes.

    ``type`` is one of ``VALUES``, or empty where it has ``parts``; ``target`` the resource type of
    a reference; ``max`` "1" or "*".
    """

    name: str
    words: str
    type: str = ""
    min: int = 0
    max: Literal["1", "*"] = "1"
    target: str | None = None
    parts: tuple["Taken", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an operation answers."""

    resource: Tree
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """One request, checked: whose, of which resource, with what."""

    caller: Caller
    identity: str
    values: Values
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One operation of a resource type.

    ``on_one``: of one resource (``[type]/[id]/$name``), else of the type. ``keyed``: it demands an
    Idempotency-Key, as its native route does. ``gives`` is the resource type of its answer,
    ``native`` the route that calls the same method.
    """

    kind: str
    name: str
    words: str
    native: str
    scope: Scope
    run: Callable[[Doing], Awaitable[Done]]
    gives: str
    on_one: bool = True
    keyed: bool = True
    takes: Sequence[Taken] = ()

    @property
    def path(self) -> str:
        """Its route under the face's address."""
        return f"/{self.kind}/{{id}}/${self.name}" if self.on_one else f"/{self.kind}/${self.name}"

    @property
    def definition_id(self) -> str:
        """Id of its OperationDefinition."""
        return f"{self.kind}-{self.name}"
