"""Lines priced by distance: kilometre marks of the stops and a fare sentence. Pure.

A line is one direction, its stops in riding order. The marks may rise or fall along it; a ride's
distance is the difference of two marks. A stop that a loop passes twice is told apart by its
sequence (1 for the first stop); without sequences the shorter way counts.

Source: public Beijing route data (``name``, ``from_stop_zh``, ``to_stop_zh``, ``fare``, ``stops``
as name and kilometre mark).
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Self

from scenes.bus.distance_fare import DistanceFare, FareSentenceError, parse_fare_sentence
from scenes.bus.feed_rows import Faults
from scenes.bus.leg_fares import (
    OFF_STOP_FIELD,
    ON_STOP_FIELD,
    FareBasis,
    LegFare,
    Ride,
    StopUnknownError,
)

STOPS_MAX: Final = 1000
_MARK_KM_MAX: Final = 1000
_FIELDS: Final = ("name", "from_stop_zh", "to_stop_zh", "fare", "stops")


@dataclass(frozen=True, slots=True)
class Mark:
    """One stop of the line and how far along it lies, metres."""

    stop: str
    along_m: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceLine:
    """One direction of a line priced by distance."""

    line_id: str
    name: str
    sentence: str
    fare: DistanceFare
    marks: tuple[Mark, ...]
    _places: Mapping[str, tuple[int, ...]] = field(repr=False, compare=False)

    @classmethod
    def of(cls, *, line_id: str, name: str, sentence: str, marks: tuple[Mark, ...]) -> Self:
        """A line with its tariff read. Raises ``FareSentenceError``."""
        places: dict[str, tuple[int, ...]] = defaultdict(tuple)
        for place, mark in enumerate(marks):
            places[mark.stop] += (place,)
        return cls(
            line_id=line_id,
            name=name,
            sentence=sentence,
            fare=parse_fare_sentence(sentence),
            marks=marks,
            _places=dict(places),
        )

    def stops_after(self, line_id: str, stop: str, sequence: int | None) -> frozenset[str]:
        """Where the vehicle goes on to after a visit."""
        places = self._places.get(stop, ()) if line_id == self.line_id else ()
        if sequence is not None and sequence - 1 in places:
            places = (sequence - 1,)
        return (
            frozenset(mark.stop for mark in self.marks[places[0] + 1 :]) if places else frozenset()
        )

    def leg_fare(self, ride: Ride) -> LegFare:
        """The fare of one ride on this line.

        A ride without a tap-off, or against the direction, costs as far as the line goes on.

        Raises:
            StopUnknownError: a stop is not on this line.
        """
        boarded = self._visits(ride.on_stop, ride.on_sequence, ON_STOP_FIELD)
        rule_id = f"{FareBasis.DISTANCE}:{self.line_id}"
        distances_m: list[int] = []
        if ride.off_stop is not None:
            left = self._visits(ride.off_stop, ride.off_sequence, OFF_STOP_FIELD)
            distances_m = [self._metres(on, off) for on in boarded for off in left if off > on]
        if distances_m:
            basis, distance_m = FareBasis.DISTANCE, min(distances_m)
        elif self.fare.steps.base_m is None and ride.off_stop is None:
            basis, distance_m = FareBasis.FLAT, 0
        else:
            onward_m = [
                self._metres(on, off) for on in boarded for off in range(on + 1, len(self.marks))
            ]
            basis = FareBasis.MAXIMUM_FROM_STOP if onward_m else FareBasis.MAXIMUM_OF_LINE
            distance_m = max(onward_m, default=self.length_m)
        return LegFare(
            amount_fen=self.fare.fare_fen(distance_m, ride.medium),
            basis=basis,
            rule_id=rule_id,
            concessions_allowed=self.fare.concessions_allowed,
        )

    @property
    def length_m(self) -> int:
        """Distance between the outermost marks."""
        places = [mark.along_m for mark in self.marks]
        return max(places) - min(places)

    @property
    def line_ids(self) -> frozenset[str]:
        """This line alone."""
        return frozenset({self.line_id})

    def _visits(self, stop: str, sequence: int | None, name: str) -> tuple[int, ...]:
        places = self._places.get(stop)
        if places is None:
            raise StopUnknownError(f"{stop!r} is not on line {self.line_id!r}", field=name)
        if sequence is not None and sequence - 1 in places:
            return (sequence - 1,)
        return places

    def _metres(self, on_place: int, off_place: int) -> int:
        return abs(self.marks[off_place].along_m - self.marks[on_place].along_m)


def read_distance_line(file: str, content: bytes, faults: Faults) -> DistanceLine | None:
    """Read one line from its JSON file.

    Args:
        file: name for the faults.
        content: UTF-8 JSON, with or without a byte order mark.
        faults: where faults go.

    Returns:
        The line, or None when any fault was noted.
    """
    try:
        document = json.loads(content.decode("utf-8-sig"), parse_float=Decimal)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        faults.add(file, line, "", "bad_encoding", f"byte {error.start} is not UTF-8")
        return None
    except json.JSONDecodeError as error:
        faults.add(file, error.lineno, "", "bad_json", error.msg)
        return None
    except RecursionError:
        faults.add(file, 1, "", "bad_json", "nested too deeply")
        return None
    if not isinstance(document, dict):
        faults.add(file, 1, "", "bad_json", "not an object")
        return None
    return _line_of(file, content.decode("utf-8-sig"), document, faults)


def _line_of(
    file: str, text: str, document: Mapping[str, Any], faults: Faults
) -> DistanceLine | None:
    faults_before = len(faults.found)
    for name in _FIELDS:
        if name not in document:
            faults.add(file, 0, name, "field_missing", f"the object has no {name}")
        elif name != "stops" and not (isinstance(document[name], str) and document[name].strip()):
            faults.add(file, _line_no(text, name), name, "value_missing", "not a text")
    marks = _marks(file, text, document.get("stops", []), faults)
    if len(faults.found) > faults_before:
        return None
    line_id = f"{document['name']}({document['from_stop_zh']}-{document['to_stop_zh']})"
    try:
        return DistanceLine.of(
            line_id=line_id, name=document["name"], sentence=document["fare"], marks=marks
        )
    except FareSentenceError as error:
        faults.add(file, _line_no(text, "fare"), "fare", error.code, str(error))
        return None


def _marks(file: str, text: str, stops: object, faults: Faults) -> tuple[Mark, ...]:
    line = _line_no(text, "stops")
    if not isinstance(stops, list) or not 2 <= len(stops) <= STOPS_MAX:
        faults.add(file, line, "stops", "out_of_range", f"not a list of 2 to {STOPS_MAX} stops")
        return ()
    marks: list[Mark] = []
    for number, stop in enumerate(stops, start=1):
        match stop:
            case [str(name), int() | Decimal() as km] if name and not isinstance(km, bool):
                pass
            case _:
                faults.add(file, line, "stops", "bad_stop", f"stop {number} is not [name, km]")
                continue
        if 0 <= km <= _MARK_KM_MAX:
            marks.append(Mark(name, int(km * 1000)))
        else:
            faults.add(file, line, "stops", "out_of_range", f"stop {number}: {km} km")
    return tuple(marks)


def _line_no(text: str, name: str) -> int:
    """The line where a field stands, for the fault; 1 when it cannot be found."""
    return text.count("\n", 0, max(text.find(f'"{name}"'), 0)) + 1
