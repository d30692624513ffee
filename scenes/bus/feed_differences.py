"""What a new version would change for riders: the answer of a dry run. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from scenes.bus.distance_lines import DistanceLine
from scenes.bus.fare_products import FareProducts
from scenes.bus.network import Feed

EXAMPLES_MAX: Final = 100

Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """Prices of one rule before and after, ascending; () where it is new or gone.

    ``origin``, ``destination`` and ``contains`` are zones, "" for anywhere. For rules on fare
    products ``line_id`` is ``network:<id>``, ``origin`` and ``destination`` are areas, and
    ``contains`` is the timeframe at boarding; the prices are those of all categories and media.
    """

    line_id: str
    origin: str
    destination: str
    contains: str
    before_fen: tuple[int, ...]
    after_fen: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Differences of two versions of one source.

    ``price_changes`` holds the first ``EXAMPLES_MAX``; ``price_change_count`` counts all.
    ``rules_changed`` are other rules a fare stands on that came, went or changed, each by its kind
    and identifiers (``transfer town→rural``). ``sentences_changed`` are distance lines whose
    sentence or marks changed.
    """

    lines_added: tuple[str, ...]
    lines_removed: tuple[str, ...]
    stops_added: tuple[str, ...]
    stops_removed: tuple[str, ...]
    price_changes: tuple[PriceChange, ...]
    price_change_count: int
    rules_changed: tuple[str, ...] = ()
    sentences_changed: tuple[str, ...] = ()

    @property
    def none(self) -> bool:
        """Whether riders would notice nothing."""
        return not (
            self.lines_added
            or self.lines_removed
            or self.stops_added
            or self.stops_removed
            or self.price_change_count
            or self.rules_changed
            or self.sentences_changed
        )


def compare_feeds(before: Feed | None, after: Feed) -> Differences:
    """Differences from ``before`` (None: nothing was active) to ``after``."""
    old_prices = {} if before is None else _prices(before)
    new_prices = _prices(after)
    changed = sorted(
        key
        for key in old_prices.keys() | new_prices.keys()
        if old_prices.get(key) != new_prices.get(key)
    )
    lines = _sets(() if before is None else before.lines, after.lines)
    stops = _sets(() if before is None else before.stops, after.stops)
    return Differences(
        lines_added=lines[0],
        lines_removed=lines[1],
        stops_added=stops[0],
        stops_removed=stops[1],
        price_changes=tuple(
            PriceChange(
                line_id=key[0],
                origin=key[1],
                destination=key[2],
                contains=key[3],
                before_fen=old_prices.get(key, ()),
                after_fen=new_prices.get(key, ()),
            )
            for key in changed[:EXAMPLES_MAX]
        ),
        price_change_count=len(changed),
        rules_changed=_rules_changed(before, after),
    )


def compare_lines(
    before: Mapping[str, DistanceLine], after: Mapping[str, DistanceLine]
) -> Differences:
    """Differences of two sets of distance lines."""
    added, removed = _sets(before, after)
    stops = _sets(_stops(before.values()), _stops(after.values()))
    return Differences(
        lines_added=added,
        lines_removed=removed,
        stops_added=stops[0],
        stops_removed=stops[1],
        price_changes=(),
        price_change_count=0,
        sentences_changed=tuple(
            sorted(
                line_id
                for line_id in before.keys() & after.keys()
                if before[line_id] != after[line_id]
            )
        ),
    )


def _prices(feed: Feed) -> dict[Key, tuple[int, ...]]:
    prices: dict[Key, list[int]] = defaultdict(list)
    for rule in feed.fare_rules:
        key = (rule.line_id, rule.origin_id, rule.destination_id, rule.contains_id)
        prices[key].append(feed.fares[rule.fare_id].price_fen)
    if feed.fares and not feed.fare_rules:
        prices["", "", "", ""] = [fare.price_fen for fare in feed.fares.values()]
    if feed.products is not None:
        for leg in feed.products.leg_rules:
            network = f"network:{leg.network_id}"
            prices[network, leg.from_area_id, leg.to_area_id, leg.from_timeframe_id] += [
                product.amount_fen for product in feed.products.products[leg.product_id]
            ]
    return {key: tuple(sorted(fens)) for key, fens in prices.items()}


def _rules_changed(before: Feed | None, after: Feed) -> tuple[str, ...]:
    """Rules that came, went or changed; of lines and stops only those that both versions have."""
    if before is None:
        return ()
    old, new = _of_places(before), _of_places(after)
    changed = [name for name in old.keys() & new.keys() if old[name] != new[name]]
    old, new = _rules(before), _rules(after)
    changed += [name for name in old.keys() | new.keys() if old.get(name) != new.get(name)]
    return tuple(sorted(changed))


def _of_places(feed: Feed) -> dict[str, object]:
    """What a fare asks of a line or a stop."""
    found: dict[str, object] = {
        f"zone of {stop.stop_id}": stop.zone_id for stop in feed.stops.values()
    }
    for line_id, patterns in feed.patterns.items():
        found[f"stops of {line_id}"] = frozenset(patterns)
    if feed.products is not None:
        for line_id, network_id in feed.products.network_of_line.items():
            found[f"network of {line_id}"] = network_id
        for stop_id, areas in feed.products.areas_of_stop.items():
            found[f"areas of {stop_id}"] = areas
    return found


def _rules(feed: Feed) -> dict[str, object]:
    """What a fare stands on besides its price and places, by kind and identifiers."""
    rules: dict[str, object] = {
        f"conditions of {fare.fare_id}": replace(fare, price_fen=0) for fare in feed.fares.values()
    }
    fares = feed.products
    if fares is None:
        return rules
    for product_id, rows in fares.products.items():
        rules[f"product {product_id}"] = frozenset(rows)
    for group_id, frames in fares.timeframes.items():
        rules[f"timeframe {group_id}"] = frozenset(
            (frame.starts_s, frame.ends_s, frame.service) for frame in frames
        )
    return rules | _connections(fares)


def _connections(fares: FareProducts) -> dict[str, object]:
    """Rules between legs, and which legs they are between; several may have the same name."""
    rules: dict[str, set[object]] = defaultdict(set)
    for leg in fares.leg_rules:
        name = f"{leg.network_id}:{leg.from_area_id}→{leg.to_area_id}"
        rules[f"leg {name}"].add((leg, fares.uses_priority))
    for join in fares.join_rules:
        rules[f"join {join.from_network_id}→{join.to_network_id}"].add(join)
    for transfer in fares.transfer_rules:
        rules[f"transfer {transfer.from_group_id}→{transfer.to_group_id}"].add(transfer)
    return {name: frozenset(members) for name, members in rules.items()}


def _sets(before: Iterable[str], after: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    old, new = set(before), set(after)
    return tuple(sorted(new - old)), tuple(sorted(old - new))


def _stops(lines: Iterable[DistanceLine]) -> set[str]:
    return {mark.stop for line in lines for mark in line.marks}
