"""The comparison of a day's books as a Parameters resource. Pure."""

from collections.abc import Sequence
from typing import Final

from adapters.fhir.datatypes import instant, money
from adapters.fhir.json_text import Tree
from scenes.hospital.views import DifferenceView, ReconciliationView

_COUNTS: Final = (
    "payments",
    "insurer_items",
    "his_items",
    "differences",
    "new",
    "gone",
    "returned",
)


def comparison_of(compared: ReconciliationView, standing: Sequence[DifferenceView]) -> Tree:
    """What each book has, and every difference of the day that stands."""
    said: list[Tree] = [{"name": "date", "valueDate": compared.business_on.isoformat()}]
    if compared.totals_agree is not None:
        said.append({"name": "totals-agree", "valueBoolean": compared.totals_agree})
    said += [
        {"name": name.replace("_", "-"), "valueInteger": getattr(compared, name)}
        for name in _COUNTS
    ]
    said += [{"name": "difference", "part": _difference(one)} for one in standing]
    return {"resourceType": "Parameters", "parameter": said}


def _difference(one: DifferenceView) -> list[Tree]:
    parts: list[Tree] = [
        {"name": "kind", "valueCode": one.kind},
        {"name": "item", "valueString": one.item},
        {"name": "owner", "valueCode": one.owner},
    ]
    amounts = (("expected", one.expected_fen), ("found", one.found_fen))
    parts += [{"name": name, "valueMoney": money(fen)} for name, fen in amounts if fen is not None]
    parts.append({"name": "found-at", "valueInstant": instant(one.found_at)})
    parts.append({"name": "age-days", "valueInteger": one.age_days})
    return parts
