"""What is said of a resource type, and parameters that several of them have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.fhir import names, statuses
from adapters.fhir.ids import ByCodes, Identity
from adapters.fhir.json_text import Tree
from adapters.fhir.parameters import ById, Date, Parameter, Reference, Status, Token, told_as
from adapters.fhir.people import DOCTOR
from adapters.fhir.places import HOSPITAL
from scenes.hospital.listings import Listing


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One resource type: whose rows, how they are named and told, what may be searched by.

    ``changed``: the rows know when what is told of them has changed last.
    """

    name: str
    words: str
    listing: Listing[Any]
    identity: Identity
    resource: Callable[[Any], Tree]
    own: tuple[Parameter, ...]
    changed: bool = False

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All of them, those of every resource first."""
        everywhere: list[Parameter] = [ById(identity=self.identity)]
        if self.changed:
            changed_at = self.listing.column("changed_at")
            words = "When it has changed last"
            everywhere.append(Date(name="_lastUpdated", words=words, starts_at=changed_at))
        return (*everywhere, *self.own)


def hospital_of(listing: Listing[Any]) -> Identity:
    """The hospital a row is of."""
    return ByCodes(HOSPITAL, (listing.column("merchant_id"),))


def department_of(listing: Listing[Any], kind: str) -> Identity:
    """The department a row is of, as an organization or a location."""
    return ByCodes(kind, (listing.column("merchant_id"), listing.column("dept_code")))


def doctor_of(listing: Listing[Any], kind: str = DOCTOR) -> Identity:
    """The doctor of a row."""
    return ByCodes(kind, (listing.column("merchant_id"), listing.column("doctor_code")))


def patients_of(listing: Listing[Any], *parameter_names: str) -> tuple[Parameter, ...]:
    """The patient of a row, under each of these names."""
    user_id = listing.column("user_id")
    return tuple(
        Reference(name=name, words="The patient", targets={}, patient=user_id)
        for name in parameter_names
    )


def service_type_of(listing: Listing[Any]) -> Parameter:
    """The department of a row, by its code."""
    columns = {names.DEPARTMENT: listing.column("dept_code")}
    return Token(name="service-type", words="The department's code", columns=columns)


def status_of(listing: Listing[Any], value_set: str, table: Mapping[str, str]) -> Parameter:
    """The status of rows that have a state of ours."""
    return Status(
        name="status",
        words="Where it stands",
        system=f"http://hl7.org/fhir/{value_set}",
        codes=statuses.VALUE_SETS[value_set],
        condition=told_as(listing.column("state"), table),
    )
