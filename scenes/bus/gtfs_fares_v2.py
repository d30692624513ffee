"""Reading and checking the newer GTFS fares: products, media, categories, rules. Pure.

Source: GTFS Schedule reference: timeframes, rider_categories, fare_media, fare_products,
fare_leg_rules, fare_leg_join_rules, fare_transfer_rules, areas, stop_areas, networks,
route_networks.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from scenes.bus.fare_products import (
    UNLIMITED,
    DurationType,
    FareProduct,
    FareProducts,
    JoinRule,
    LegRule,
    MediumType,
    Timeframe,
    TransferRule,
    TransferType,
)
from scenes.bus.feed_rows import Faults, Row, first, read_rows, refer
from scenes.bus.network import Line, Stop
from scenes.bus.service_days import Service

DAY_S: Final = 86_400
STATION: Final = 1
FILES: Final = (
    "timeframes.txt",
    "rider_categories.txt",
    "fare_media.txt",
    "fare_products.txt",
    "fare_leg_rules.txt",
    "fare_leg_join_rules.txt",
    "fare_transfer_rules.txt",
    "areas.txt",
    "stop_areas.txt",
    "networks.txt",
    "route_networks.txt",
)


class FareProductsReader:
    """Reads the newer fares of a feed whose stops, lines and services are known.

    ``rows`` yields the rows of a file, none where the feed lacks it; faults go where they go.
    """

    def __init__(
        self,
        rows: Callable[[str, tuple[str, ...]], Iterator[Row]],
        fen_per_unit: Mapping[str, int],
        stops: Mapping[str, Stop],
        lines: Mapping[str, Line],
        services: Mapping[str, Service],
    ) -> None:
        self._rows = rows
        self._fen_per_unit = fen_per_unit
        self._stops = stops
        self._lines = lines
        self._services = services

    def read(self) -> FareProducts | None:
        """The fares, or None where the feed has no products or no leg needs one."""
        networks = self._networks()
        areas = self._areas()
        timeframes = self._timeframes()
        categories = self._categories()
        products = self._products(categories, self._media())
        leg_rules, uses_priority = self._leg_rules(products, areas, networks, timeframes)
        groups = {rule.leg_group_id for rule in leg_rules} - {""}
        fares = FareProducts(
            has_default=any(categories.values()),
            products=products,
            leg_rules=leg_rules,
            uses_priority=uses_priority,
            join_rules=self._join_rules(networks),
            transfer_rules=self._transfer_rules(products, groups),
            timeframes=timeframes,
            areas_of_stop=self._areas_of_stop(areas),
            network_of_line=self._network_of_line(networks),
            station_of_stop={
                stop.stop_id: stop.parent_id or stop.stop_id for stop in self._stops.values()
            },
            zone_of_stop=self._zone_of_stop(),
        )
        return fares if leg_rules else None

    def _zone_of_stop(self) -> dict[str, str]:
        """A platform's own time zone is its station's, where it has a station."""
        found: dict[str, str] = {}
        for stop in self._stops.values():
            zone = self._stops.get(stop.parent_id, stop).timezone
            if zone:
                found[stop.stop_id] = zone
        return found

    def _networks(self) -> set[str]:
        listed: dict[str, str] = {}
        for row in self._rows("networks.txt", ("network_id",)):
            network_id = row.text("network_id")
            if first(row, "network_id", network_id, listed):
                listed[network_id] = network_id
        return listed.keys() | {line.network_id for line in self._lines.values()} - {""}

    def _network_of_line(self, known: set[str]) -> dict[str, str]:
        networks = {line.line_id: line.network_id for line in self._lines.values()}
        assigned: dict[str, str] = {}
        for row in self._rows("route_networks.txt", ("network_id", "route_id")):
            line_id = row.text("route_id")
            refer(row, "network_id", row.text("network_id"), known, "networks.txt")
            refer(row, "route_id", line_id, self._lines, "routes.txt")
            if first(row, "route_id", line_id, assigned):
                assigned[line_id] = row.text("network_id")
        return networks | assigned

    def _areas(self) -> set[str]:
        listed: dict[str, str] = {}
        for row in self._rows("areas.txt", ("area_id",)):
            area_id = row.text("area_id")
            if first(row, "area_id", area_id, listed):
                listed[area_id] = area_id
        return set(listed)

    def _areas_of_stop(self, areas: set[str]) -> dict[str, frozenset[str]]:
        own: dict[str, set[str]] = defaultdict(set)
        for row in self._rows("stop_areas.txt", ("area_id", "stop_id")):
            area_id, stop_id = row.text("area_id"), row.text("stop_id")
            refer(row, "area_id", area_id, areas, "areas.txt")
            refer(row, "stop_id", stop_id, self._stops, "stops.txt")
            if row.sound:
                own[stop_id].add(area_id)
        found: dict[str, frozenset[str]] = {}
        for stop in self._stops.values():
            parent = self._stops.get(stop.parent_id)
            of_station = parent is not None and parent.location_type == STATION
            inherited = own.get(stop.parent_id, set()) if of_station else set()
            found[stop.stop_id] = frozenset(own.get(stop.stop_id) or inherited)
        return found

    def _timeframes(self) -> dict[str, tuple[Timeframe, ...]]:
        found: dict[str, list[Timeframe]] = defaultdict(list)
        for row in self._rows("timeframes.txt", ("timeframe_group_id", "service_id")):
            group_id, service_id = row.text("timeframe_group_id"), row.text("service_id")
            starts_s = row.clock_s_or_none("start_time")
            ends_s = row.clock_s_or_none("end_time")
            refer(row, "service_id", service_id, self._services, "calendar.txt")
            if (starts_s is None) != (ends_s is None) and row.sound:
                row.fault("end_time", "value_missing", "start_time and end_time stand together")
            starts_s, ends_s = starts_s or 0, DAY_S if ends_s is None else ends_s
            if not starts_s < ends_s <= DAY_S:
                row.fault("end_time", "out_of_range", "start before end, both up to 24:00:00")
            service = self._services.get(service_id)
            if service is None or not row.sound:
                continue
            for other in found[group_id]:
                if other.service is service and starts_s < other.ends_s and other.starts_s < ends_s:
                    row.fault("start_time", "overlap", "overlaps another row of the timeframe")
            found[group_id].append(Timeframe(starts_s=starts_s, ends_s=ends_s, service=service))
        return {group_id: tuple(rows) for group_id, rows in found.items()}

    def _categories(self) -> dict[str, bool]:
        """Every category, and whether it is a default one: one product may have one of them."""
        found: dict[str, bool] = {}
        for row in self._rows("rider_categories.txt", ("rider_category_id",)):
            category_id = row.text("rider_category_id")
            default = row.choice("is_default_fare_category", range(2), default=0) == 1
            if first(row, "rider_category_id", category_id, found):
                found[category_id] = default
        return found

    def _media(self) -> dict[str, MediumType]:
        found: dict[str, MediumType] = {}
        for row in self._rows("fare_media.txt", ("fare_media_id", "fare_media_type")):
            medium_id = row.text("fare_media_id")
            kind = MediumType(row.choice("fare_media_type", range(5)))
            if first(row, "fare_media_id", medium_id, found):
                found[medium_id] = kind
        return found

    def _products(
        self, categories: Mapping[str, bool], media: Mapping[str, MediumType]
    ) -> dict[str, tuple[FareProduct, ...]]:
        defaults: dict[str, str] = {}
        found: dict[str, list[FareProduct]] = defaultdict(list)
        keys: dict[str, bool] = {}
        for row in self._rows("fare_products.txt", ("fare_product_id", "amount", "currency")):
            product_id = row.text("fare_product_id")
            category_id = row.text_or_empty("rider_category_id")
            medium_id = row.text_or_empty("fare_media_id")
            amount_fen = row.price_fen("amount", "currency", self._fen_per_unit, signed=True)
            refer(row, "rider_category_id", category_id, categories, "rider_categories.txt")
            refer(row, "fare_media_id", medium_id, media, "fare_media.txt")
            key = f"{product_id}\n{category_id}\n{medium_id}"
            default = category_id if categories.get(category_id) and row.sound else ""
            if default and defaults.setdefault(product_id, default) != default:
                row.fault("rider_category_id", "default_twice", "two default categories")
            if first(row, "fare_product_id", key, keys):
                keys[key] = True
                found[product_id].append(
                    FareProduct(
                        product_id=product_id,
                        category_id=category_id,
                        medium=media.get(medium_id),
                        amount_fen=amount_fen,
                        default=not category_id or categories[category_id],
                    )
                )
        return {product_id: tuple(rows) for product_id, rows in found.items()}

    def _leg_rules(
        self,
        products: Mapping[str, object],
        areas: set[str],
        networks: set[str],
        timeframes: Mapping[str, object],
    ) -> tuple[tuple[LegRule, ...], bool]:
        rules: list[LegRule] = []
        uses_priority = False
        for row in self._rows("fare_leg_rules.txt", ("fare_product_id",)):
            uses_priority = "rule_priority" in row.texts
            rule = LegRule(
                leg_group_id=row.text_or_empty("leg_group_id"),
                network_id=row.text_or_empty("network_id"),
                from_area_id=row.text_or_empty("from_area_id"),
                to_area_id=row.text_or_empty("to_area_id"),
                from_timeframe_id=row.text_or_empty("from_timeframe_group_id"),
                to_timeframe_id=row.text_or_empty("to_timeframe_group_id"),
                product_id=row.text("fare_product_id"),
                priority=row.count_or_none("rule_priority") or 0,
            )
            refer(row, "network_id", rule.network_id, networks, "networks.txt")
            refer(row, "from_area_id", rule.from_area_id, areas, "areas.txt")
            refer(row, "to_area_id", rule.to_area_id, areas, "areas.txt")
            for name, group_id in (
                ("from_timeframe_group_id", rule.from_timeframe_id),
                ("to_timeframe_group_id", rule.to_timeframe_id),
            ):
                refer(row, name, group_id, timeframes, "timeframes.txt")
            refer(row, "fare_product_id", rule.product_id, products, "fare_products.txt")
            if row.sound:
                rules.append(rule)
        return tuple(rules), uses_priority

    def _join_rules(self, networks: set[str]) -> tuple[JoinRule, ...]:
        rules: list[JoinRule] = []
        columns = ("from_network_id", "to_network_id")
        for row in self._rows("fare_leg_join_rules.txt", columns):
            rule = JoinRule(
                from_network_id=row.text_or_empty("from_network_id"),
                to_network_id=row.text_or_empty("to_network_id"),
                from_stop_id=row.text_or_empty("from_stop_id"),
                to_stop_id=row.text_or_empty("to_stop_id"),
            )
            _together(row, "from_network_id", "to_network_id")
            _together(row, "from_stop_id", "to_stop_id")
            for name in ("from_network_id", "to_network_id"):
                refer(row, name, row.text_or_empty(name), networks, "networks.txt")
            for name in ("from_stop_id", "to_stop_id"):
                refer(row, name, row.text_or_empty(name), self._stops, "stops.txt")
            if row.sound:
                rules.append(rule)
        return tuple(rules)

    def _transfer_rules(
        self, products: Mapping[str, object], groups: set[str]
    ) -> tuple[TransferRule, ...]:
        rules: list[TransferRule] = []
        for row in self._rows("fare_transfer_rules.txt", ("fare_transfer_type",)):
            from_group, to_group = (
                row.text_or_empty(name) for name in ("from_leg_group_id", "to_leg_group_id")
            )
            limit_s = row.count_or_none("duration_limit")
            _together(row, "duration_limit", "duration_limit_type")
            rule = TransferRule(
                from_group_id=from_group,
                to_group_id=to_group,
                count=_transfer_count(row, from_group, to_group),
                limit_s=limit_s,
                duration_type=None
                if limit_s is None or not row.text_or_empty("duration_limit_type")
                else DurationType(row.choice("duration_limit_type", range(4))),
                transfer_type=TransferType(row.choice("fare_transfer_type", range(3))),
                product_id=row.text_or_empty("fare_product_id"),
            )
            refer(row, "from_leg_group_id", from_group, groups, "fare_leg_rules.txt")
            refer(row, "to_leg_group_id", to_group, groups, "fare_leg_rules.txt")
            refer(row, "fare_product_id", rule.product_id, products, "fare_products.txt")
            if row.sound:
                rules.append(rule)
        return tuple(rules)


def _transfer_count(row: Row, from_group: str, to_group: str) -> int | None:
    text = row.text_or_empty("transfer_count")
    if not text and (from_group != to_group or not from_group):
        return None
    if from_group != to_group:
        row.fault("transfer_count", "not_allowed", "only where both leg groups are the same")
        return None
    if text == str(UNLIMITED):
        return UNLIMITED
    count = row.count("transfer_count")
    if row.sound and count == 0:
        row.fault("transfer_count", "out_of_range", "-1 for no limit, or 1 and more")
    return count


def _together(row: Row, one: str, other: str) -> None:
    missing = [name for name in (one, other) if not row.text_or_empty(name)]
    if len(missing) == 1:
        row.fault(missing[0], "value_missing", f"{one} and {other} stand together")


def read_products(
    files: Mapping[str, bytes],
    fen_per_unit: Mapping[str, int],
    stops: Mapping[str, Stop],
    lines: Mapping[str, Line],
    services: Mapping[str, Service],
) -> FareProducts | None:
    """The newer fares from their files alone, as they were taken when the feed was imported."""
    faults = Faults(lenient=True)

    def rows(file: str, columns: tuple[str, ...]) -> Iterator[Row]:
        if file in files:
            yield from read_rows(file, files[file], columns, faults)

    products = FareProductsReader(rows, fen_per_unit, stops, lines, services).read()
    faults.raise_if_any()
    return products
