"""Fare products, the newer GTFS fares: what they say, as values. Pure.

Read by ``gtfs_fares_v2``; what a ride costs by them is worked out in ``product_fares``.

Source: GTFS Schedule reference, the fares v2 files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from scenes.bus.service_days import Service

UNLIMITED: Final = -1


class MediumType(IntEnum):
    """``fare_media_type``."""

    NONE = 0
    PAPER = 1
    CARD = 2
    EMV = 3
    APP = 4


class DurationType(IntEnum):
    """``duration_limit_type``: from which validation of the first leg to which of the last."""

    DEPARTURE_TO_ARRIVAL = 0
    DEPARTURE_TO_DEPARTURE = 1
    ARRIVAL_TO_DEPARTURE = 2
    ARRIVAL_TO_ARRIVAL = 3


class TransferType(IntEnum):
    """``fare_transfer_type``: what is charged when A is followed by B."""

    FROM_LEG_PLUS_TRANSFER = 0
    BOTH_LEGS_PLUS_TRANSFER = 1
    TRANSFER_ALONE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FareProduct:
    """One price of a product. "" category: for anyone; ``medium`` None: any medium.

    ``default``: also for a rider of whom nothing is known.
    """

    product_id: str
    category_id: str
    medium: MediumType | None
    amount_fen: int
    default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeframe:
    """Hours of the days of a service; seconds of the local day, the end not included."""

    starts_s: int
    ends_s: int
    service: Service


@dataclass(frozen=True, slots=True, kw_only=True)
class LegRule:
    """Which product a leg needs. "" fields: see ``product_fares`` on empty fields."""

    leg_group_id: str
    network_id: str
    from_area_id: str
    to_area_id: str
    from_timeframe_id: str
    to_timeframe_id: str
    product_id: str
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRule:
    """Two legs in a row that count as one."""

    from_network_id: str
    to_network_id: str
    from_stop_id: str
    to_stop_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRule:
    """What it costs to go on from one leg group to another.

    ``count`` is set where both groups are the same (``UNLIMITED`` for no bound); ``product_id``
    "" means that the transfer itself costs nothing.
    """

    from_group_id: str
    to_group_id: str
    count: int | None
    limit_s: int | None
    duration_type: DurationType | None
    transfer_type: TransferType
    product_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FareProducts:
    """All of a feed's newer fares.

    Attributes:
        has_default: whether any category of the feed is that of a rider nothing is known of.
        products: by product id, every price of it.
        leg_rules: in file order.
        uses_priority: the file has the column ``rule_priority``.
        areas_of_stop: areas by stop; a stop without its own takes those of its station.
        network_of_line: network by line; "" where it has none.
        station_of_stop: the station a platform belongs to; itself where it has none.
        zone_of_stop: the time zone of the stops that have one of their own.
    """

    has_default: bool
    products: Mapping[str, tuple[FareProduct, ...]]
    leg_rules: tuple[LegRule, ...]
    uses_priority: bool
    join_rules: tuple[JoinRule, ...]
    transfer_rules: tuple[TransferRule, ...]
    timeframes: Mapping[str, tuple[Timeframe, ...]]
    areas_of_stop: Mapping[str, frozenset[str]]
    network_of_line: Mapping[str, str]
    station_of_stop: Mapping[str, str]
    zone_of_stop: Mapping[str, str]
