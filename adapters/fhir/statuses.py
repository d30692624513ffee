"""Our states in FHIR's words. Pure.

``VALUE_SETS`` are the codes of the standard's required value sets that we use; a test holds every
state we have against them, and the sets against the standard's.
Source: FHIR R4B, the value sets named in each entry.
"""

from collections.abc import Mapping
from typing import Final

VALUE_SETS: Final[Mapping[str, frozenset[str]]] = {
    "slotstatus": frozenset(
        {"busy", "free", "busy-unavailable", "busy-tentative", "entered-in-error"}
    ),
    "appointmentstatus": frozenset(
        {
            "proposed",
            "pending",
            "booked",
            "arrived",
            "fulfilled",
            "cancelled",
            "noshow",
            "entered-in-error",
            "checked-in",
            "waitlist",
        }
    ),
    "encounter-status": frozenset(
        {
            "planned",
            "arrived",
            "triaged",
            "in-progress",
            "onleave",
            "finished",
            "cancelled",
            "entered-in-error",
            "unknown",
        }
    ),
    "chargeitem-status": frozenset(
        {
            "planned",
            "billable",
            "not-billable",
            "aborted",
            "billed",
            "entered-in-error",
            "unknown",
        }
    ),
    "invoice-status": frozenset({"draft", "issued", "balanced", "cancelled", "entered-in-error"}),
    "fm-status": frozenset({"active", "cancelled", "draft", "entered-in-error"}),
    "remittance-outcome": frozenset({"queued", "complete", "error", "partial"}),
}

SLOT: Final[Mapping[str, str]] = {"free": "free", "taken": "busy", "closed": "busy-unavailable"}
# A place that is kept for the time of paying is not agreed to by everybody yet.
APPOINTMENT: Final[Mapping[str, str]] = {
    "held": "pending",
    "booked": "booked",
    "checked_in": "checked-in",
    "called": "arrived",
    "passed": "checked-in",
    "seen": "fulfilled",
    "cancelled": "cancelled",
    "lapsed": "cancelled",
    "no_show": "noshow",
}
ENCOUNTER_OPEN: Final = "in-progress"
ENCOUNTER_CLOSED: Final = "finished"
# Of a visit that began with a registration, until it is closed.
ENCOUNTER: Final[Mapping[str, str]] = {
    "held": "planned",
    "booked": "planned",
    "checked_in": "arrived",
    "called": "in-progress",
    "passed": "arrived",
    "seen": "finished",
    "cancelled": "cancelled",
    "lapsed": "cancelled",
    "no_show": "cancelled",
}
ENCOUNTER_CLASS: Final[Mapping[str, str]] = {"outpatient": "AMB", "inpatient": "IMP"}
CHARGE_ITEM: Final[Mapping[str, str]] = {"open": "billed", "paid": "billed", "withdrawn": "aborted"}
INVOICE: Final[Mapping[str, str]] = {"open": "issued", "paid": "balanced", "withdrawn": "cancelled"}
# Payments and returns: status and outcome.
_UNDER_WAY: Final = ("active", "queued")
_CAME_TO_NOTHING: Final = ("cancelled", "error")
PAYMENT: Final[Mapping[str, tuple[str, str]]] = {
    "quoted": ("draft", "queued"),
    "holding": _UNDER_WAY,
    "held": _UNDER_WAY,
    "settling": _UNDER_WAY,
    "asking": _UNDER_WAY,
    "reversing": _UNDER_WAY,
    "settled": _UNDER_WAY,
    "cancelling": _UNDER_WAY,
    "releasing": _UNDER_WAY,
    "review": ("active", "partial"),
    "paid": ("active", "complete"),
    "returned": _CAME_TO_NOTHING,
    "refused": _CAME_TO_NOTHING,
    "lapsed": _CAME_TO_NOTHING,
}
RETURN: Final[Mapping[str, tuple[str, str]]] = {
    "cancelling": _UNDER_WAY,
    "resettle": _UNDER_WAY,
    "resettling": _UNDER_WAY,
    "asking": _UNDER_WAY,
    "reversing": _UNDER_WAY,
    "unsettling": _UNDER_WAY,
    "refunding": _UNDER_WAY,
    "review": ("active", "partial"),
    "refunded": ("active", "complete"),
    "refused": _CAME_TO_NOTHING,
}


def states_of(table: Mapping[str, str], status: str) -> tuple[str, ...]:
    """Our states that are told as ``status``."""
    return tuple(state for state, told in table.items() if told == status)
