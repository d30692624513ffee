"""Reading and checking a GTFS feed. Pure: bytes in, a ``Feed`` or faults out.

Everything a fare stands on is checked (identifiers, references, prices, times, order of stops);
what does not touch a fare is noted, not refused, since most published feeds carry some blemish
there.

Source: GTFS Schedule reference: agency, stops, routes, trips, stop_times, calendar,
calendar_dates, fare_attributes, fare_rules; the newer fares are read by ``gtfs_fares_v2``.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from scenes.bus.feed_rows import Faults, Row, first, read_rows, refer
from scenes.bus.gtfs_fares_v2 import FareProductsReader
from scenes.bus.network import (
    FareAttribute,
    FareRule,
    Feed,
    Line,
    PatternStop,
    Stop,
    Trip,
)
from scenes.bus.service_days import Service

_WEEKDAYS: Final = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "agency.txt": ("agency_name", "agency_timezone"),
    "stops.txt": ("stop_id",),
    "routes.txt": ("route_id", "route_type"),
    "trips.txt": ("route_id", "service_id", "trip_id"),
    "stop_times.txt": ("trip_id", "stop_id", "stop_sequence"),
    "calendar.txt": ("service_id", *_WEEKDAYS, "start_date", "end_date"),
    "calendar_dates.txt": ("service_id", "date", "exception_type"),
    "fare_attributes.txt": ("fare_id", "price", "currency_type", "payment_method", "transfers"),
    "fare_rules.txt": ("fare_id",),
}
_REQUIRED: Final = ("agency.txt", "stops.txt", "routes.txt", "trips.txt", "stop_times.txt")


@dataclass(frozen=True, slots=True)
class _Visit:
    sequence: int
    stop_id: str
    arrives_s: int | None
    departs_s: int | None
    line: int


@dataclass(slots=True)
class FeedReader:
    """Reads the files of one feed in the order of their references.

    Attributes:
        files: name to bytes, as found in the folder or archive.
        minor_per_unit: ISO 4217 code to fen per currency unit; the money inside is always fen, so
            a feed in another currency states here what one unit is worth.
        faults: where faults are collected; shared with the reader of the newer fares.
    """

    files: Mapping[str, bytes]
    minor_per_unit: Mapping[str, int]
    faults: Faults = field(default_factory=Faults)

    def read(self) -> Feed:
        """The feed. Raises ``FeedInvalidError`` with every fault found (up to a bound)."""
        self._require_files()
        timezone, agencies = self._agencies()
        stops = self._stops()
        lines = self._lines(agencies)
        services = self._services()
        visits = self._visits(stops)
        patterns, trips = self._trips(lines, services, visits)
        fares = self._fares(agencies)
        rules = self._fare_rules(fares, lines, {stop.zone_id for stop in stops.values()})
        products = FareProductsReader(self.rows, self.minor_per_unit, stops, lines, services).read()
        if products is None and "fare_products.txt" in self.files and not self.faults.found:
            self._products_unused()
        self.faults.raise_if_any()
        return Feed(
            timezone=timezone,
            stops=stops,
            lines=lines,
            patterns=patterns,
            trips=trips,
            services=services,
            fares=fares,
            fare_rules=rules,
            products=products,
            notices=tuple(self.faults.notices),
        )

    def rows(self, file: str, columns: tuple[str, ...] | None = None) -> Iterator[Row]:
        """The rows of a file; none where the feed does not have it."""
        if file in self.files:
            yield from read_rows(
                file, self.files[file], _COLUMNS[file] if columns is None else columns, self.faults
            )

    def _require_files(self) -> None:
        for file in _REQUIRED:
            if file not in self.files:
                self.faults.add(file, 0, "", "file_missing", "the feed has no such file")
        if not {"calendar.txt", "calendar_dates.txt"} & self.files.keys():
            self.faults.add(
                "calendar.txt", 0, "", "file_missing", "neither this nor calendar_dates.txt"
            )
        if not {"fare_attributes.txt", "fare_products.txt"} & self.files.keys():
            self.faults.add(
                "fare_attributes.txt", 0, "", "file_missing", "neither this nor fare_products.txt"
            )

    def _products_unused(self) -> None:
        """Products that no leg needs price nothing: the older fares do, where there are any."""
        add = self._note if "fare_attributes.txt" in self.files else self.faults.add
        add("fare_products.txt", 0, "", "products_unused", "no row of fare_leg_rules.txt needs one")

    def _agencies(self) -> tuple[str, set[str]]:
        """The time zone of the feed, and the operators; "" where one has no identifier."""
        agencies: set[str] = set()
        zones: list[str] = []
        for row in self.rows("agency.txt"):
            zones.append(row.text("agency_timezone"))
            agencies.add(row.text_or_empty("agency_id"))
            _check_zone(row, "agency_timezone", zones[-1])
            if zones[-1] != zones[0]:
                self._notice(row, "agency_timezone", "time_zones", f"the feed's is {zones[0]}")
        return zones[0] if zones else "", agencies

    def _stops(self) -> dict[str, Stop]:
        stops: dict[str, Stop] = {}
        places: list[tuple[Row, Stop]] = []
        for row in self.rows("stops.txt"):
            stop = Stop(
                stop_id=row.text("stop_id"),
                name=row.text_or_empty("stop_name"),
                zone_id=row.text_or_empty("zone_id"),
                parent_id=row.text_or_empty("parent_station"),
                location_type=row.choice("location_type", range(5), default=0),
                timezone=row.text_or_empty("stop_timezone"),
            )
            _check_zone(row, "stop_timezone", stop.timezone)
            row.degrees("stop_lat", 90)
            row.degrees("stop_lon", 180)
            if first(row, "stop_id", stop.stop_id, stops):
                stops[stop.stop_id] = stop
                places.append((row, stop))
            else:
                self.faults.spoiled.add(("zone", stop.zone_id))
        for row, stop in places:
            if stop.parent_id and stop.parent_id not in stops:
                self._notice(row, "parent_station", "unknown_reference", "no such station")
        return stops

    def _lines(self, agencies: set[str]) -> dict[str, Line]:
        lines: dict[str, Line] = {}
        for row in self.rows("routes.txt"):
            line_id = row.text("route_id")
            row.count("route_type")
            agency_id = row.text_or_empty("agency_id")
            if agency_id and agency_id not in agencies:
                self._notice(row, "agency_id", "unknown_reference", "no such operator")
            name = row.text_or_empty("route_short_name") or row.text_or_empty("route_long_name")
            if first(row, "route_id", line_id, lines):
                lines[line_id] = Line(
                    line_id=line_id,
                    name=name or line_id,
                    agency_id=agency_id,
                    network_id=row.text_or_empty("network_id"),
                )
        return lines

    def _services(self) -> dict[str, Service]:
        services: dict[str, Service] = {}
        for row in self.rows("calendar.txt"):
            service_id = row.text("service_id")
            days = [row.choice(name, range(2)) for name in _WEEKDAYS]
            service = Service(
                weekdays=frozenset(number for number, runs in enumerate(days) if runs),
                starts_on=row.day("start_date"),
                ends_on=row.day("end_date"),
            )
            if first(row, "service_id", service_id, services):
                services[service_id] = service
        added: dict[str, set[date]] = {}
        removed: dict[str, set[date]] = {}
        for row in self.rows("calendar_dates.txt"):
            service_id = row.text("service_id")
            exceptions = added if row.choice("exception_type", range(1, 3)) == 1 else removed
            exceptions.setdefault(service_id, set()).add(row.day("date"))
        for service_id in added.keys() | removed.keys():
            known = services.get(service_id, Service())
            services[service_id] = Service(
                weekdays=known.weekdays,
                starts_on=known.starts_on,
                ends_on=known.ends_on,
                added=frozenset(added.get(service_id, ())),
                removed=frozenset(removed.get(service_id, ())),
            )
        return services

    def _visits(self, stops: Mapping[str, Stop]) -> dict[str, list[_Visit]]:
        visits: dict[str, list[_Visit]] = {}
        for row in self.rows("stop_times.txt"):
            if not row.text_or_empty("stop_id") and (
                row.text_or_empty("location_id") or row.text_or_empty("location_group_id")
            ):
                continue  # on-demand areas have no stop, so no stop-to-stop fare
            trip_id = row.text("trip_id")
            visit = _Visit(
                sequence=row.count("stop_sequence"),
                stop_id=row.text("stop_id"),
                arrives_s=row.clock_s_or_none("arrival_time"),
                departs_s=row.clock_s_or_none("departure_time"),
                line=row.line,
            )
            refer(row, "stop_id", visit.stop_id, stops, "stops.txt")
            if row.sound:
                visits.setdefault(trip_id, []).append(visit)
        for trip_visits in visits.values():
            trip_visits.sort(key=lambda visit: visit.sequence)
            self._check_order(trip_visits)
        return visits

    def _check_order(self, visits: list[_Visit]) -> None:
        clock_s = 0
        for earlier, later in itertools.pairwise(visits):
            if earlier.sequence == later.sequence:
                self.faults.add(
                    "stop_times.txt",
                    max(earlier.line, later.line),
                    "stop_sequence",
                    "duplicate",
                    f"{later.sequence} stands more than once in this trip",
                )
        for visit in visits:
            for time_s in (visit.arrives_s, visit.departs_s):
                if time_s is not None and time_s < clock_s:
                    self._note("stop_times.txt", visit.line, "arrival_time", "time_backwards")
                clock_s = max(clock_s, time_s or 0)

    def _trips(
        self,
        lines: Mapping[str, Line],
        services: Mapping[str, Service],
        visits: Mapping[str, list[_Visit]],
    ) -> tuple[dict[str, tuple[tuple[PatternStop, ...], ...]], dict[str, Trip]]:
        numbers: dict[str, dict[tuple[PatternStop, ...], int]] = {line_id: {} for line_id in lines}
        trips: dict[str, Trip] = {}
        for row in self.rows("trips.txt"):
            trip_id, line_id, service_id = (
                row.text(name) for name in ("trip_id", "route_id", "service_id")
            )
            direction = row.choice("direction_id", range(2), default=0)
            refer(row, "route_id", line_id, lines, "routes.txt")
            if service_id not in services:
                self._notice(row, "service_id", "unknown_reference", "no such service")
            if not first(row, "trip_id", trip_id, trips):
                continue
            run = visits.get(trip_id, [])
            pattern = tuple(PatternStop(visit.sequence, visit.stop_id) for visit in run)
            known = numbers.setdefault(line_id, {})  # its own record may be at fault
            trips[trip_id] = Trip(
                trip_id=trip_id,
                line_id=line_id,
                service_id=service_id,
                direction=direction,
                pattern_no=known.setdefault(pattern, len(known)),
                starts_s=run[0].departs_s if run else None,
                ends_s=run[-1].arrives_s if run else None,
            )
        unknown = {
            trip_id
            for trip_id in visits.keys() - trips.keys()
            if ("trips.txt", trip_id) not in self.faults.spoiled
        }
        for trip_id in sorted(unknown, key=lambda trip_id: visits[trip_id][0].line):
            self.faults.add(
                "stop_times.txt",
                visits[trip_id][0].line,
                "trip_id",
                "unknown_reference",
                f"trips.txt has no {trip_id!r}",
            )
        return {line_id: tuple(known) for line_id, known in numbers.items()}, trips

    def _fares(self, agencies: set[str]) -> dict[str, FareAttribute]:
        fares: dict[str, FareAttribute] = {}
        for row in self.rows("fare_attributes.txt"):
            fare = FareAttribute(
                fare_id=row.text("fare_id"),
                price_fen=row.price_fen("price", "currency_type", self.minor_per_unit),
                prepaid=row.choice("payment_method", range(2), default=0) == 1,
                transfers=row.count_or_none("transfers"),
                transfer_duration_s=row.count_or_none("transfer_duration"),
                agency_id=row.text_or_empty("agency_id"),
            )
            if not row.text_or_empty("payment_method"):
                self._notice(row, "payment_method", "value_missing", "taken as paid on board")
            refer(row, "agency_id", fare.agency_id, agencies, "agency.txt")
            if first(row, "fare_id", fare.fare_id, fares):
                fares[fare.fare_id] = fare
        return fares

    def _fare_rules(
        self, fares: Mapping[str, FareAttribute], lines: Mapping[str, Line], zones: set[str]
    ) -> tuple[FareRule, ...]:
        rules: list[FareRule] = []
        for row in self.rows("fare_rules.txt"):
            rule = FareRule(
                fare_id=row.text("fare_id"),
                line_id=row.text_or_empty("route_id"),
                origin_id=row.text_or_empty("origin_id"),
                destination_id=row.text_or_empty("destination_id"),
                contains_id=row.text_or_empty("contains_id"),
            )
            refer(row, "fare_id", rule.fare_id, fares, "fare_attributes.txt")
            refer(row, "route_id", rule.line_id, lines, "routes.txt")
            for name in ("origin_id", "destination_id", "contains_id"):
                zone = row.text_or_empty(name)
                if zone and zone not in zones and ("zone", zone) not in self.faults.spoiled:
                    row.fault(name, "unknown_reference", f"stops.txt has no zone {zone!r}")
            if row.sound:
                rules.append(rule)
        return tuple(rules)

    def _notice(self, row: Row, name: str, reason: str, text: str) -> None:
        self._note(row.file, row.line, name, reason, text)

    def _note(self, file: str, line: int, name: str, reason: str, text: str = "") -> None:
        self.faults.note(file, line, name, reason, text or reason)


def _check_zone(row: Row, name: str, zone: str) -> None:
    """A fault unless the name is empty or a time zone of the IANA database."""
    try:
        if zone:
            ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder's name is an OSError
        row.fault(name, "time_zone_unknown", f"{zone!r} is no time zone")


def read_feed(
    files: Mapping[str, bytes], minor_per_unit: Mapping[str, int], *, lenient: bool = False
) -> Feed:
    """Read and check a whole feed; see ``FeedReader``.

    ``lenient`` leaves out records that refer to nothing or stand twice, each with a notice.
    Raises ``FeedInvalidError``.
    """
    faults = Faults(lenient=lenient)
    return FeedReader(files=files, minor_per_unit=minor_per_unit, faults=faults).read()
