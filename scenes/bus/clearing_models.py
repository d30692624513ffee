"""Requests of clearing. Dates are business dates, amounts fen, rates millionths."""

from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from cardcore.model import Model
from cardcore.settlement.fees import PER_MILLION, FeeRate, FeeTier
from scenes.bus.clearing import ClearingRules
from scenes.bus.operator_revenue import SplitRule

DAYS_MAX = 31
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Amount = Annotated[int, Field(strict=True, ge=0, le=10**13)]


class ClearingQuery(Model):
    """Which days, of which operator; ``to_on`` is by default the same day."""

    from_on: date
    to_on: date | None = None
    merchant_id: Identifier | None = None
    language: Literal["zh", "en"] = "zh"

    @model_validator(mode="after")
    def _span(self) -> Self:
        if not timedelta() <= self.last_on - self.from_on < timedelta(days=DAYS_MAX):
            raise ValueError(f"a span is 1 to {DAYS_MAX} days")
        return self

    @property
    def last_on(self) -> date:
        """The last day."""
        return self.to_on or self.from_on


class VehicleCount(Model):
    """What a vehicle counted itself on a business date."""

    vehicle: Identifier
    business_on: date
    taps: Amount


class VehicleCounts(Model):
    """Counts of an upload; a later one for the same vehicle and date takes its place."""

    counts: Annotated[list[VehicleCount], Field(min_length=1, max_length=1_000)]


class TakenCounts(Model):
    """How many counts were written."""

    counts: int


class Tier(Model):
    """From this turnover on, so many millionths of what lies above it."""

    from_fen: Amount
    per_million: Annotated[int, Field(strict=True, ge=0, le=PER_MILLION)]


class Rate(Model):
    """What clearing costs one operator: tiers by turnover, rising from 0; bounds of the whole."""

    merchant_id: Identifier
    tiers: Annotated[list[Tier], Field(min_length=1, max_length=20)]
    min_fen: Amount = 0
    max_fen: Amount | None = None

    @model_validator(mode="after")
    def _rising(self) -> Self:
        starts = [tier.from_fen for tier in self.tiers]
        if starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError("tiers rise from 0")
        if self.max_fen is not None and self.max_fen < self.min_fen:
            raise ValueError("the most is below the least")
        return self


class ClearingRulesRequest(Model):
    """All rules of clearing, of one version.

    An operator without a rate is shown with the fee of settlement's tariff, which is the one that
    is booked; a rate here shows what another tariff would make of the days.
    """

    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z_.\-]{0,39}$")]
    split: Literal["first_pays", "pro_rata"] = "first_pays"
    rates: Annotated[list[Rate], Field(max_length=500, default_factory=list)]

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len({rate.merchant_id for rate in self.rates}) != len(self.rates):
            raise ValueError("an operator has one rate")
        return self

    def rules(self) -> ClearingRules:
        """The rules as clearing takes them."""
        return ClearingRules(
            split=SplitRule(self.split),
            rates={
                rate.merchant_id: FeeRate(
                    tiers=tuple(
                        FeeTier(from_fen=tier.from_fen, per_million=tier.per_million)
                        for tier in rate.tiers
                    ),
                    min_fen=rate.min_fen,
                    max_fen=rate.max_fen,
                )
                for rate in self.rates
            },
        )
