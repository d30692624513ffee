"""What a search may ask for: parameters of FHIR's types as conditions on the columns of a list.

A value that can be meant by no row (an id that is none, a code of another system) finds nothing; a
value that is not of its parameter's type is refused. Source: FHIR R4B, ``search.html``.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import ColumnElement, false, or_
from typing_extensions import override

from adapters.fhir.dates import matching, read_when
from adapters.fhir.ids import Identity
from adapters.fhir.statuses import states_of

Condition = ColumnElement[bool]
Column = ColumnElement[Any]
FindPatient = Callable[[str], Awaitable[list[UUID]]]
"""All ids of whoever has this name with the caller's hospital."""

_ESCAPED: Final = re.compile(r"\\([,|$\\])")
_SEPARATED: Final = re.compile(r"(?:[^,\\]|\\.)*", re.DOTALL)
_REFERENCE: Final = re.compile(r"(?:([A-Za-z]+)/)?([A-Za-z0-9.\-]{1,64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter(ABC):
    """One search parameter.

    ``type`` is FHIR's; ``ours`` says that the standard has no such parameter of this resource.
    """

    type: ClassVar[str]
    name: str
    words: str
    ours: bool = False

    @abstractmethod
    async def meets(self, value: str, modifier: str, find: FindPatient) -> Condition:
        """The condition of one value.

        Raises:
            ValueError: not a value of this type, or a modifier it does not know.
        """


def values_of(text: str) -> list[str]:
    """The values a parameter is given, any of which will do; escaped as they came."""
    found, at = [], 0
    while True:
        match = _SEPARATED.match(text, at)
        assert match is not None
        found.append(match[0])
        at = match.end() + 1
        if at > len(text):
            return found


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _no_modifier(modifier: str) -> None:
    if modifier:
        raise ValueError(f"the modifier {modifier} is not known")


@dataclass(frozen=True, slots=True, kw_only=True)
class ById(Parameter):
    """``_id``."""

    type: ClassVar[str] = "token"
    identity: Identity
    name: str = "_id"
    words: str = "The id"

    @override
    async def meets(self, value: str, modifier: str, find: FindPatient) -> Condition:
        """See ``Parameter``."""
        _no_modifier(modifier)
        found = self.identity.matches(value)
        return false() if found is None else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Token(Parameter):
    """A code or an identifier; ``columns`` by the system they are of."""

    type: ClassVar[str] = "token"
    columns: Mapping[str, Column]

    @override
    async def meets(self, value: str, modifier: str, find: FindPatient) -> Condition:
        """See ``Parameter``."""
        _no_modifier(modifier)
        system, code = _token(value)
        columns = [column for known, column in self.columns.items() if system in (None, known)]
        if code is None:
            return or_(false(), *(column.is_not(None) for column in columns))
        return or_(false(), *(column == code for column in columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Parameter):
    """A code of the standard's that tells states of ours, or what ``condition`` makes of it."""

    type: ClassVar[str] = "token"
    system: str
    codes: frozenset[str]
    condition: Callable[[str], Condition]

    @override
    async def meets(self, value: str, modifier: str, find: FindPatient) -> Condition:
        """See ``Parameter``."""
        _no_modifier(modifier)
        system, code = _token(value)
        if system not in (None, self.system):
            return false()
        if code not in self.codes:
            raise ValueError(f"not a code of {self.system}")
        return self.condition(code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag(Parameter):
    """True or false."""

    type: ClassVar[str] = "token"
    condition: Condition

    @override
    async def meets(self, value: str, modifier: str, find: FindPatient) -> Condition:
        """See ``Parameter``."""
        _no_modifier(modifier)
        if value not in ("true", "false"):
            raise ValueError("neither true nor false")
        return self.condition if value == "true" else ~self.condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Date(Parameter):
    """An instant, or from ``starts_at`` to ``ends_at``."""

    type: ClassVar[str] = "date"
    starts_at: Column
    ends_at: Column | None = None

    @override
    async def meets(self, value: str, modifier: str, find: FindPatient) -> Condition:
        """See ``Parameter``."""
        _no_modifier(modifier)
        return matching(read_when(value), self.starts_at, self.ends_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Parameter):
    """What a name begins with, in any case; ``:contains`` and ``:exact`` as they say."""

    type: ClassVar[str] = "string"
    columns: tuple[Column, ...]

    @override
    async def meets(self, value: str, modifier: str, find: FindPatient) -> Condition:
        """See ``Parameter``."""
        said = _plain(value)
        match modifier:
            case "":
                found = [one.istartswith(said, autoescape=True) for one in self.columns]
            case "contains":
                found = [one.icontains(said, autoescape=True) for one in self.columns]
            case "exact":
                found = [one == said for one in self.columns]
            case _:
                raise ValueError(f"the modifier {modifier} is not known")
        return or_(false(), *found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference(Parameter):
    """A resource of this server; ``targets`` by its type, a patient by the person's ``user_id``."""

    type: ClassVar[str] = "reference"
    targets: Mapping[str, Identity]
    patient: Column | None = None

    @override
    async def meets(self, value: str, modifier: str, find: FindPatient) -> Condition:
        """See ``Parameter``; the modifier names a type."""
        found = _REFERENCE.fullmatch(value)
        if found is None:
            raise ValueError("not a reference within this server")
        kind, identity = found[1] or modifier, found[2]
        if modifier not in ("", kind):
            raise ValueError(f"the modifier {modifier} is another type")
        if kind and kind not in self.targets and not (kind == "Patient" and self.takes_patients):
            raise ValueError(f"not a reference to a {kind}")
        conditions = [
            target.matches(identity) for name, target in self.targets.items() if kind in ("", name)
        ]
        if self.patient is not None and kind in ("", "Patient"):
            ids = await find(identity)
            conditions.append(self.patient.in_(ids) if ids else None)
        return or_(false(), *(one for one in conditions if one is not None))

    @property
    def takes_patients(self) -> bool:
        """May it be a patient?"""
        return self.patient is not None


def told_as(column: Column, table: Mapping[str, str]) -> Callable[[str], Condition]:
    """Rows whose state is told as a code."""
    return lambda code: column.in_(states_of(table, code))


def _token(value: str) -> tuple[str | None, str | None]:
    """System and code: None for any. Raises ``ValueError``."""
    system, bar, code = value.partition("|")
    if not bar:
        if not value:
            raise ValueError("empty")
        return None, _plain(value)
    if not code and not system:
        raise ValueError("empty")
    return system, _plain(code) or None
