"""The words every way of pricing a ride shares: the ride, its fare, the refusals. Pure values."""

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from cardcore.errors import RequestInvalidError
from scenes.bus.transfers import TransferRight

LINE_FIELD: Final = "business.details.line"
ON_STOP_FIELD: Final = "business.details.on_stop"
OFF_STOP_FIELD: Final = "business.details.off_stop"


class FareRefusedError(RequestInvalidError):
    """Base of the refusals of the bus fares."""

    code = "fare_refused"
    title_zh = "无法计价"
    title_en = "This ride cannot be priced"


class LineUnknownError(FareRefusedError):
    """The active fare tables have no such line."""

    code = "line_unknown"
    title_zh = "线路不存在"
    title_en = "No such line in the active fare tables"


class StopUnknownError(FareRefusedError):
    """The active fare tables have no such stop (on a distance line: not on this line)."""

    code = "stop_unknown"
    title_zh = "站点不存在"
    title_en = "No such stop in the active fare tables"


class FareUnknownError(FareRefusedError):
    """The tables know no price at all that could be asked for this ride."""

    code = "fare_unknown"
    title_zh = "票价未公布"
    title_en = "No fare is published for this ride"


class FareBasis(StrEnum):
    """How a leg fare was found."""

    FLAT = "flat"
    SECTIONAL = "sectional"
    SEQUENCE = "sequence"
    DISTANCE = "distance"
    PRODUCT = "product"
    MAXIMUM_FROM_STOP = "maximum_from_stop"
    MAXIMUM_OF_LINE = "maximum_of_line"
    MAXIMUM_OF_NETWORK = "maximum_of_network"


class Medium(StrEnum):
    """What is paid with, as far as a tariff cares: card covers cards and codes."""

    CARD = "card"
    CASH = "cash"


class Ride(NamedTuple):
    """One leg: from a boarding to an alighting on one line.

    ``off_stop`` None: no tap-off (flat lines, or an incomplete journey). Sequences are those of
    the feed's pattern; ``trip_id`` "" where the validator does not know its run. The instants
    (aware) and the rider's categories matter only where prices depend on them.
    """

    line_id: str
    on_stop: str
    off_stop: str | None = None
    trip_id: str = ""
    on_sequence: int | None = None
    off_sequence: int | None = None
    medium: Medium = Medium.CARD
    boarded_at: datetime | None = None
    left_at: datetime | None = None
    categories: frozenset[str] = frozenset()


class LegFare(NamedTuple):
    """The price of one leg.

    ``concessions_allowed`` False: the line takes no passes or rebates. ``category_fen``: the lower
    price published for one of the rider's categories, None where there is none.
    ``transfer_right``: what the published fare itself allows, None where nothing.
    """

    amount_fen: int
    basis: FareBasis
    rule_id: str
    concessions_allowed: bool = True
    category_fen: int | None = None
    transfer_right: TransferRight | None = None
