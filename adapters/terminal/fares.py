"""What a scan costs here, from the fares in the package or a flat amount set by hand.

The terminal knows the rider's tariff class from the code and nothing else of the person; the server
prices again from its register when the record arrives. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from cardcore.errors import RequestInvalidError
from scenes.bus.fares_part import FARES_PART, FareBook, read_fares_part
from scenes.bus.leg_fares import FareRefusedError


class PriceRefusedError(Exception):
    """Nothing can be asked for this scan; ``code`` is the stable reason."""

    code: ClassVar[str] = "fare_missing"

    def __init__(self, code: str | None = None) -> None:
        self.reason = code or self.code
        super().__init__(self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boarding:
    """Where and when a scan happens; ids of the fare tables, "" where the terminal has none."""

    line_id: str
    stop_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Price:
    """What is taken, in fen, and the version of the rules that say so (0 = set by hand)."""

    amount_fen: int
    rule_version: int = 0


class TerminalFares(Protocol):
    """Prices of one package."""

    def price(self, boarding: Boarding, concession: str) -> Price:
        """The citizen's part for a rider of a class, "" for none. Raises ``PriceRefusedError``."""
        ...


@dataclass(frozen=True, slots=True)
class FlatAmount:
    """The same for everybody, set at the terminal; 0 for a gate."""

    amount_fen: int

    def price(self, boarding: Boarding, concession: str) -> Price:  # noqa: ARG002  (the Protocol's)
        """See ``TerminalFares``."""
        return Price(self.amount_fen)


@dataclass(frozen=True, slots=True)
class PackageFares:
    """The fares of the package: by line, boarding stop, instant and the rider's class."""

    book: FareBook

    def price(self, boarding: Boarding, concession: str) -> Price:
        """See ``TerminalFares``. The citizen's part; whoever grants the rest is the server's."""
        try:
            fare = self.book.fare(boarding.line_id, boarding.stop_id, boarding.at, concession)
        except FareRefusedError as refused:
            raise PriceRefusedError(refused.code) from None
        except RequestInvalidError:
            # No line or stop is set at this terminal.
            raise PriceRefusedError from None
        return Price(fare.citizen_fen, fare.rule_version)


def read_fares(blobs: Mapping[str, bytes]) -> TerminalFares | None:
    """The fares of a package, None where it has none. Raises ``FaresPartError``."""
    data = blobs.get(FARES_PART)
    return None if data is None else PackageFares(read_fares_part(data))
