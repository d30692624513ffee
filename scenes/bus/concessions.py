"""Concessions: which part of a fare the citizen bears, and who bears the rest. Pure.

A concession never raises a fare, and the shares always sum to the nominal fare: a free ride
still books its full fare as a receivable on whoever grants it. Half a fen is rounded down on the
citizen's side. Of several classes the one that leaves the citizen least counts, never two.

Validity is checked in two places: the core says which classes a person holds on the day; the
policy here says from when until when the city grants a class, and at which hours.

Source: preferential-ride rules of public transport in Shandong cities (seniors, students,
soldiers, disabled persons, honoured blood donors); the figures are data, see ADR-0041.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, time
from typing import Final, NamedTuple

from cardcore.business.quote import Payer

PER_MILLE: Final = 1000


@dataclass(frozen=True, slots=True)
class HoursWindow:
    """Local hours of a day, the start included, the end not; may not cross midnight."""

    starts: time
    ends: time

    def __post_init__(self) -> None:
        assert self.starts < self.ends

    def contains(self, at: time) -> bool:
        """Whether a local time of day lies inside."""
        return self.starts <= at < self.ends


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcessionRule:
    """What the city grants to one class.

    Attributes:
        concession: the class as the core names it.
        citizen_per_mille: the citizen's part of the fare, 0 (free) to 1000 (full).
        payer: who bears the rest.
        valid_from, valid_to: business dates, both included; None for no bound.
        workdays_excluded: hours of Monday to Friday when the class is not granted (peak hours).
    """

    concession: str
    citizen_per_mille: int
    name_zh: str
    name_en: str
    payer: Payer = Payer.FINANCE_BUREAU
    valid_from: date | None = None
    valid_to: date | None = None
    workdays_excluded: tuple[HoursWindow, ...] = ()

    def __post_init__(self) -> None:
        assert 0 <= self.citizen_per_mille <= PER_MILLE
        assert self.payer is not Payer.CITIZEN

    def applies(self, on: date, at: time) -> bool:
        """Whether the city grants this class on a business date at a local time."""
        if self.valid_from is not None and on < self.valid_from:
            return False
        if self.valid_to is not None and on > self.valid_to:
            return False
        workday = on.weekday() < 5
        return not (workday and any(window.contains(at) for window in self.workdays_excluded))

    def citizen_fen(self, nominal_fen: int) -> int:
        """The citizen's part, rounded down."""
        return nominal_fen * self.citizen_per_mille // PER_MILLE


class FareShares(NamedTuple):
    """A nominal fare split in two; ``rule`` None where the citizen bears it all."""

    citizen_fen: int
    subsidy_fen: int
    rule: ConcessionRule | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcessionPolicy:
    """All classes of a city. ``version`` goes onto every line it decides."""

    version: str
    rules: tuple[ConcessionRule, ...]

    def share(self, nominal_fen: int, classes: Collection[str], on: date, at: time) -> FareShares:
        """Split a fare.

        Args:
            nominal_fen: the fare, >= 0.
            classes: classes the person holds that day.
            on: business date.
            at: local time of day.

        Returns:
            Shares that sum to ``nominal_fen``.
        """
        assert nominal_fen >= 0
        offers = [
            rule for rule in self.rules if rule.concession in classes and rule.applies(on, at)
        ]
        best = min(offers, key=lambda rule: rule.citizen_per_mille, default=None)
        citizen_fen = nominal_fen if best is None else best.citizen_fen(nominal_fen)
        return FareShares(citizen_fen=citizen_fen, subsidy_fen=nominal_fen - citizen_fen, rule=best)


def shares_by_category(nominal_fen: int, category_fen: int) -> FareShares:
    """Shares where the tariff itself sells the ride to the rider's category for less."""
    assert 0 <= category_fen <= nominal_fen
    return FareShares(
        citizen_fen=category_fen, subsidy_fen=nominal_fen - category_fen, rule=CATEGORY_PRICE
    )


CATEGORY_PRICE: Final = ConcessionRule(
    concession="category_price",
    citizen_per_mille=PER_MILLE,
    name_zh="公布的优惠票价",
    name_en="published reduced fare",
)

DEFAULT_POLICY: Final = ConcessionPolicy(
    version="2024-1",
    rules=(
        ConcessionRule(
            concession="senior_65",
            citizen_per_mille=0,
            name_zh="65岁以上老年人",
            name_en="aged 65+",
        ),
        ConcessionRule(
            concession="disabled", citizen_per_mille=0, name_zh="残疾人", name_en="disabled person"
        ),
        ConcessionRule(
            concession="soldier", citizen_per_mille=0, name_zh="现役军人", name_en="serving soldier"
        ),
        ConcessionRule(
            concession="blood_donor",
            citizen_per_mille=0,
            name_zh="无偿献血荣誉者",
            name_en="honoured blood donor",
        ),
        ConcessionRule(
            concession="senior",
            citizen_per_mille=500,
            name_zh="60至64岁老年人",
            name_en="aged 60 to 64",
        ),
        ConcessionRule(
            concession="student",
            citizen_per_mille=500,
            name_zh="在校学生",
            name_en="student in term",
        ),
    ),
)
