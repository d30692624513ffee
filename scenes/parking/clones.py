"""One plate in two places at once: then one of the two cars bears a copy. Pure.

A car that was seen to come and to leave was there in between. Whatever shows the same plate
elsewhere strictly in between cannot be the same car. A stay whose one end nobody saw proves
nothing: a missed exit is common, a cloned plate is rare.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from scenes.parking.stays import Stay


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A stay of a plate, and at which car park."""

    car_park_id: str
    stay: Stay


def elsewhere_meanwhile(here: Sighting, others: Iterable[Sighting]) -> list[Sighting]:
    """Those of ``others`` that cannot be the same car as ``here``, earliest first."""
    found = [
        other
        for other in others
        if other.car_park_id != here.car_park_id
        and (_seen_within(here.stay, other.stay) or _seen_within(other.stay, here.stay))
    ]
    return sorted(found, key=lambda one: (one.stay.first.at, one.stay.first.passage_id))


def _seen_within(inner: Stay, outer: Stay) -> bool:
    """Was a car of ``inner`` seen while that of ``outer`` was, provably, inside?"""
    span = _proven(outer)
    return span is not None and any(span[0] < one.at < span[1] for one in inner.passages)


def _proven(stay: Stay) -> tuple[datetime, datetime] | None:
    if stay.entry is None or stay.exit is None:
        return None
    return stay.entry.at, stay.exit.at
