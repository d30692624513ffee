"""What the demo's steps share: who takes part, and what one step hands on to the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from stdnum.cn import ric

from adapters.demo.api_client import APIClient
from adapters.demo.network import ChosenRide
from adapters.demo.report import Report
from adapters.wiring import City


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the network comes from; None means the bundled one.

    ``fen_per_unit`` says what one unit of the feed's currencies is worth, beside the usual ones.
    """

    gtfs: Path | None = None
    lines: Path | None = None
    fen_per_unit: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class DemoClock:
    """The wall clock, which the demo moves on to let a code expire."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        """Now, as the city sees it."""
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A synthetic citizen of the demo."""

    role: str
    name: str
    birth: str
    order: int
    concession: str | None

    @property
    def id_no(self) -> str:
        """A number that nobody has, with a right check character."""
        body = f"370406{self.birth}{self.order:03d}"
        return body + ric.calc_check_digit(body + "0")


PEOPLE: Final = (
    Person(role="adult", name="示例甲", birth="19880808", order=1, concession=None),
    Person(role="senior", name="示例乙", birth="19550101", order=2, concession="senior"),
    Person(role="student", name="示例丙", birth="20120301", order=3, concession="student"),
)


@dataclass(slots=True)
class Job:
    """What the steps hand on to each other."""

    report: Report
    sources: Sources
    clock: DemoClock
    city: City
    office: APIClient
    validator: APIClient
    gate: APIClient
    rides: list[ChosenRide] = field(default_factory=list)
    user_ids: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    order_ms: list[float] = field(default_factory=list)
