"""Every resource type that is served.

Its route, its search, its part of the CapabilityStatement and its tests come from its declaration.
"""

from typing import Final

from adapters.fhir.kind import Kind
from adapters.fhir.kinds_of_booking import APPOINTMENTS, SCHEDULES, SLOTS
from adapters.fhir.kinds_of_care import (
    CHARGE_ITEMS,
    CLAIM_RESPONSES,
    COVERAGES,
    ENCOUNTERS,
    INVOICES,
    PAYMENTS,
)
from adapters.fhir.kinds_of_people import (
    LOCATIONS,
    ORGANIZATIONS,
    PATIENTS,
    PRACTITIONER_ROLES,
    PRACTITIONERS,
)

KINDS: Final[tuple[Kind, ...]] = (
    PATIENTS,
    PRACTITIONERS,
    PRACTITIONER_ROLES,
    ORGANIZATIONS,
    LOCATIONS,
    SCHEDULES,
    SLOTS,
    APPOINTMENTS,
    ENCOUNTERS,
    COVERAGES,
    CHARGE_ITEMS,
    INVOICES,
    CLAIM_RESPONSES,
    PAYMENTS,
)
