"""The fares a bus terminal carries: the part ``fares`` of its package, and pricing from it. Pure.

JSON, keys sorted, so that the same fares are the same bytes:

| name | meaning |
|---|---|
| ``format`` | 2 |
| ``activation_no`` | version of the prices; stands in the record as its rule version |
| ``feeds`` | fields of ``network.Feed``, without trips, services and notices |
| ``lines`` | distance lines: ``line_id``, ``name``, ``sentence``, ``marks`` of (stop, metres) |
| ``rules`` | the rule set as ``rule_set.rule_set_document`` writes it |

A terminal knows the rider's class from the code and no more of the person. It prices by the same
functions as the server, which prices once more when the record comes in.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, datetime
from enum import Enum
from typing import Any, ClassVar, Final
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from cardcore.business.quote import Payer, PricingFacts, Subject
from cardcore.calendar import business_date
from scenes.bus.concessions import ConcessionPolicy
from scenes.bus.distance_fare import FareSentenceError
from scenes.bus.distance_lines import DistanceLine, Mark
from scenes.bus.fare_table import FareTable, LineConflictError, LineFares, fares_of
from scenes.bus.network import Feed
from scenes.bus.pricing import FARE, BusPricer
from scenes.bus.rule_set import RuleSet, RuleSetInvalidError, read_rule_set, rule_set_document

FARES_PART: Final = "fares"
FORMAT: Final = 2
_FEED: Final = TypeAdapter(Feed)
_NOBODY: Final = UUID(int=0)


class FaresPartError(ValueError):
    """The part is not fares of a format known here."""

    code: ClassVar[str] = "fares_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalFare:
    """What a rider of a class is asked for, in fen, and the version of the prices."""

    citizen_fen: int
    nominal_fen: int
    rule_version: int


class FareBook:
    """Prices rides on a terminal."""

    def __init__(self, table: FareTable, policy: ConcessionPolicy) -> None:
        self._pricer = BusPricer(table, policy)

    @property
    def activation_no(self) -> int:
        """Version of the prices."""
        return self._pricer.table.activation_no

    def fare(self, line_id: str, stop_id: str, at: datetime, concession: str = "") -> TerminalFare:
        """The fare of a ride that begins here, where it ends not being known yet.

        Args:
            line_id: line of the fare tables.
            stop_id: boarding stop.
            at: aware instant.
            concession: the rider's class, "" for none.

        Raises:
            FareRefusedError: line, stop or price unknown.
            RequestInvalidError: no line or stop at all.
        """
        facts = PricingFacts(
            scene="bus",
            type=FARE,
            merchant_id="",
            terminal_id="",
            amount_fen=None,
            occurred_at=at,
            details={"line": line_id, "on_stop": stop_id},
        )
        subject = Subject(
            user_id=_NOBODY,
            level="",
            concessions=frozenset({concession} if concession else ()),
            business_on=business_date(at),
        )
        lines = self._pricer.price(facts, subject)
        return TerminalFare(
            citizen_fen=sum(line.amount_fen for line in lines if line.payer is Payer.CITIZEN),
            nominal_fen=sum(line.amount_fen for line in lines),
            rule_version=self.activation_no,
        )


def write_fares_part(
    activation_no: int, feeds: Iterable[Feed], lines: Iterable[DistanceLine], rules: RuleSet
) -> bytes:
    """The part's bytes."""
    document = {
        "format": FORMAT,
        "activation_no": activation_no,
        "feeds": [_plain(replace(feed, trips={}, services={}, notices=())) for feed in feeds],
        "lines": [
            {
                "line_id": line.line_id,
                "name": line.name,
                "sentence": line.sentence,
                "marks": [[mark.stop, mark.along_m] for mark in line.marks],
            }
            for line in sorted(lines, key=lambda line: line.line_id)
        ],
        "rules": rule_set_document(rules),
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def read_fares_part(data: bytes) -> FareBook:
    """The prices in a part.

    Raises:
        FaresPartError: not JSON, another format, or not fares.
    """
    try:
        document: dict[str, Any] = json.loads(data)
        _check_format(document["format"])
        sources: list[LineFares] = [
            fares_of(_FEED.validate_json(json.dumps(feed))) for feed in document["feeds"]
        ]
        sources += [_line(entry) for entry in document["lines"]]
        table = FareTable.of(int(document["activation_no"]), sources)
        return FareBook(table, read_rule_set(json.dumps(document["rules"])).policy)
    except FaresPartError:
        raise
    except (
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
        ValidationError,
        LineConflictError,
        RuleSetInvalidError,
        FareSentenceError,
    ) as error:
        raise FaresPartError(f"not fares: {type(error).__name__}") from None


def _check_format(value: object) -> None:
    if value != FORMAT:
        raise FaresPartError(f"format {value!r} is not known here")


def _line(entry: Mapping[str, Any]) -> DistanceLine:
    return DistanceLine.of(
        line_id=str(entry["line_id"]),
        name=str(entry["name"]),
        sentence=str(entry["sentence"]),
        marks=tuple(Mark(str(stop), int(along_m)) for stop, along_m in entry["marks"]),
    )


def _plain(value: Any) -> Any:  # noqa: ANN401  (JSON)
    """Dataclasses, mappings and sets as JSON has them; sets sorted, since they have no order."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(_plain(item) for item in value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, date) else value
