"""How many got on and off, by vehicle, trip, stop and minute, as events without persons. Pure.

For kiosks at stops and the district's command platform. Arrivals are not ours to tell; what taps
say is. A window that changes because a tap came late is told again, as another event with the
higher ``sequence``; the same figures are the same event, whoever asks, and when.
Source: CloudEvents 1.0 with the extension ``sequence``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

TYPE: Final = "cardcore.bus.passengers"
SOURCE: Final = "/cardcore/bus"
_NAMESPACE: Final = UUID("5d1c9c0e-1f5a-5a0b-9a39-61a2b4c1d7f3")


@dataclass(frozen=True, slots=True, kw_only=True)
class StopCount:
    """One vehicle at one stop in one minute.

    ``alighted`` is None where nobody taps off: then nothing is known of it, and it is not zero.
    ``merchant`` is the operator, whose the vehicle is; it stands in no event.
    """

    line: str
    trip: str
    vehicle: str
    stop: str
    minute: datetime
    boarded: int
    alighted: int | None
    merchant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A count, and how many are on board afterwards as far as anybody tapped; None: not known."""

    count: StopCount
    load_estimate: int | None


def flows_of(counts: Iterable[StopCount]) -> Sequence[Flow]:
    """Counts in the order of the journey, each with the load after it.

    The load is estimated per vehicle and trip, from its first count on; never below zero (who got
    on without a tap gets off with one). It is unknown for a trip on which nobody tapped off at all.
    """
    ordered = sorted(
        counts, key=lambda one: (one.vehicle, one.trip, one.minute, one.line, one.stop)
    )
    tapped_off = {(one.vehicle, one.trip) for one in ordered if one.alighted is not None}
    load: dict[tuple[str, str], int] = {}
    flows = []
    for one in ordered:
        ride = (one.vehicle, one.trip)
        load[ride] = max(0, load.get(ride, 0) + one.boarded - (one.alighted or 0))
        flows.append(Flow(count=one, load_estimate=load[ride] if ride in tapped_off else None))
    return flows


def passenger_event(flow: Flow) -> dict[str, Any]:
    """A CloudEvent in structured JSON. There is no field in which a person could stand."""
    count = flow.count
    data = {
        "line": count.line,
        "trip": count.trip,
        "vehicle": count.vehicle,
        "stop": count.stop,
        "boarded": count.boarded,
        "alighted": count.alighted,
        "load_estimate": flow.load_estimate,
    }
    name = "\0".join(str(value) for value in (count.minute.isoformat(), *data.values()))
    return {
        "specversion": "1.0",
        "id": str(uuid5(_NAMESPACE, name)),
        "source": SOURCE,
        "type": TYPE,
        "subject": f"{count.vehicle}/{count.stop}",
        "time": count.minute.isoformat(),
        "sequence": f"{count.boarded + (count.alighted or 0):020d}",
        "datacontenttype": "application/json",
        "data": data,
    }
