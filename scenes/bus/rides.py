"""One person's rides priced together, in the one order of the rules. Pure.

Order, fixed: leg fare → join → transfer → concession → daily cap → weekly cap. A week is priced as
a whole, from its rides alone, so that the same rides give the same charges however late and in
whatever order they became known. What changed against an earlier pricing is booked as signed
adjustments; no charge is edited.

For every ride: leg fare after transfers = citizen + subsidy + relief.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import NamedTuple, Protocol, Self

from cardcore.business.quote import Payer
from cardcore.calendar import LOCAL_ZONE
from scenes.bus.caps import Cap, CapRide, Relief, apply_own_caps
from scenes.bus.concessions import ConcessionPolicy, FareShares, shares_by_category
from scenes.bus.fare_table import FareTable
from scenes.bus.leg_fares import LegFare, Ride
from scenes.bus.product_fares import ProductFares
from scenes.bus.transfers import FullFareRide, TransferOffer, apply_transfers


class RiderRide(NamedTuple):
    """A ride to be priced, with what is known of its rider that day.

    ``ride.boarded_at`` must be set: rides are priced in order of boarding, then of ``ride_id``.
    """

    ride_id: str
    ride: Ride
    business_on: date
    classes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RideRules:
    """Everything a pricing depends on besides the rides."""

    table: FareTable
    policy: ConcessionPolicy
    offers: tuple[TransferOffer, ...] = ()
    caps: tuple[Cap, ...] = ()

    def at(self, instant: datetime) -> Self:  # noqa: ARG002  (the protocol's form)
        """The same at any instant."""
        return self


class RulesInForce(Protocol):
    """What rides are priced by, each by what was in force when it began."""

    def at(self, instant: datetime) -> RideRules:
        """The rules in force at an instant."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleHistory:
    """Rules by the instant they came into force, in order; what was before is as the first."""

    since: tuple[datetime, ...]
    rules: tuple[RideRules, ...]

    def __post_init__(self) -> None:
        assert len(self.since) == len(self.rules) > 0
        assert list(self.since) == sorted(self.since)

    def at(self, instant: datetime) -> RideRules:
        """The rules in force at an instant."""
        return self.rules[max(bisect_right(self.since, instant) - 1, 0)]


class RideCharge(NamedTuple):
    """What one ride costs, and who bears it.

    Attributes:
        leg: the leg fare as found.
        nominal_fen: the fare after joins and transfers.
        offer: the transfer offer that held, "" for none.
        version: of the published prices and of the city's own rules, as ``7/2026-1``.
        shares: the nominal fare split by concession.
        reliefs: what caps take off the citizen's share.
    """

    ride_id: str
    leg: LegFare
    nominal_fen: int
    offer: str
    shares: FareShares
    reliefs: tuple[Relief, ...]
    version: str = ""

    @property
    def citizen_fen(self) -> int:
        """What the citizen pays."""
        if not self.reliefs:
            return self.shares.citizen_fen
        return self.shares.citizen_fen - sum([relief.amount_fen for relief in self.reliefs])

    def by_payer(self) -> dict[Payer, int]:
        """The nominal fare by who bears it; the citizen always stands in it."""
        parts = {Payer.CITIZEN: self.citizen_fen}
        if self.shares.rule is not None and self.shares.subsidy_fen:
            parts[self.shares.rule.payer] = self.shares.subsidy_fen
        for relief in self.reliefs:
            parts[relief.cap.payer] = parts.get(relief.cap.payer, 0) + relief.amount_fen
        assert parts[Payer.CITIZEN] >= 0
        assert sum(parts.values()) == self.nominal_fen
        return parts


class Adjustment(NamedTuple):
    """What is to be booked for one ride and payer: above zero charges, below zero gives back."""

    ride_id: str
    payer: Payer
    amount_fen: int


class _Fare(NamedTuple):
    """A ride's fare after joins and transfers."""

    leg: LegFare
    nominal_fen: int
    offer: str = ""
    category_fen: int | None = None


def price_rides(rides: Sequence[RiderRide], rules: RulesInForce) -> list[RideCharge]:
    """Charges of one person's rides.

    Args:
        rides: in any order; whole weeks, where there are weekly caps.
        rules: what they are priced by, each by what was in force when it was boarded.

    Returns:
        One charge a ride, in order of boarding.

    Raises:
        FareRefusedError: a line or stop is unknown.
    """
    ordered = sorted(
        rides, key=lambda rider_ride: (boarded_at(rider_ride.ride), rider_ride.ride_id)
    )
    in_force = [rules.at(boarded_at(rider_ride.ride)) for rider_ride in ordered]
    fares = list(_after_transfers(list(zip(ordered, in_force, strict=True))))
    shares = [
        _share(fare, rider_ride, own.policy)
        for fare, rider_ride, own in zip(fares, ordered, in_force, strict=True)
    ]
    reliefs = apply_own_caps(
        [
            (
                CapRide(
                    line_id=rider_ride.ride.line_id,
                    business_on=rider_ride.business_on,
                    classes=rider_ride.classes,
                    citizen_fen=share.citizen_fen,
                ),
                own.caps,
            )
            for rider_ride, share, own in zip(ordered, shares, in_force, strict=True)
        ]
    )
    return [
        RideCharge(
            ride_id=rider_ride.ride_id,
            leg=fare.leg,
            nominal_fen=fare.nominal_fen,
            offer=fare.offer,
            shares=share,
            reliefs=relief,
            version=f"{own.table.activation_no}/{own.policy.version}",
        )
        for rider_ride, fare, share, relief, own in zip(
            ordered, fares, shares, reliefs, in_force, strict=True
        )
    ]


def adjustments(
    booked: Mapping[str, Mapping[Payer, int]], charges: Sequence[RideCharge]
) -> list[Adjustment]:
    """What is still to be booked so that the books say what the charges say.

    Args:
        booked: by ride and payer, the sum of all that was booked for it, adjustments included.
        charges: the pricing that now holds; a booked ride that is not in it is given back.

    Returns:
        Signed amounts, none of them zero, by ride and then payer. Booking them and asking again
        returns nothing.
    """
    due = {charge.ride_id: charge.by_payer() for charge in charges}
    found: list[Adjustment] = []
    for ride_id in sorted(due.keys() | booked.keys()):
        wanted, had = due.get(ride_id, {}), booked.get(ride_id, {})
        for payer in Payer:
            amount_fen = wanted.get(payer, 0) - had.get(payer, 0)
            if amount_fen:
                found.append(Adjustment(ride_id=ride_id, payer=payer, amount_fen=amount_fen))
    return found


def boarded_at(ride: Ride) -> datetime:
    """When the ride began; a ride to be priced with others always knows."""
    assert ride.boarded_at is not None
    return ride.boarded_at


def _after_transfers(ordered: Sequence[tuple[RiderRide, RideRules]]) -> Iterator[_Fare]:
    """Fares after joins and transfers.

    Chains cross neither the end of a business day nor a change of rules. Rides priced by the
    products of one feed are joined and transferred by that feed's own rules; all others by the
    city's offers.
    """
    for (_, _, products), run in groupby(ordered, key=_chained_by):
        pairs = list(run)
        rides = [rider_ride for rider_ride, _ in pairs]
        if products is None:
            yield from _by_offers(rides, pairs[0][1])
        else:
            yield from _by_products(rides, products)


def _chained_by(pair: tuple[RiderRide, RideRules]) -> tuple[date, int, ProductFares | None]:
    rider_ride, rules = pair
    source = rules.table.by_line.get(rider_ride.ride.line_id)
    products = source if isinstance(source, ProductFares) else None
    return rider_ride.business_on, id(rules), products


def _by_offers(run: Sequence[RiderRide], rules: RideRules) -> Iterator[_Fare]:
    legs = [rules.table.leg_fare(rider_ride.ride) for rider_ride in run]
    fares = apply_transfers(
        [
            FullFareRide(
                line_id=rider_ride.ride.line_id,
                boarded_at=boarded_at(rider_ride.ride),
                left_at=rider_ride.ride.left_at,
                fare_fen=leg.amount_fen,
                right=leg.transfer_right,
                transferable=leg.concessions_allowed,
            )
            for rider_ride, leg in zip(run, legs, strict=True)
        ],
        rules.offers,
    )
    for leg, fare in zip(legs, fares, strict=True):
        yield _Fare(leg=leg, nominal_fen=fare.fare_fen, offer=fare.offer)


def _by_products(run: Sequence[RiderRide], products: ProductFares) -> Iterator[_Fare]:
    rides = [rider_ride.ride for rider_ride in run]
    full = products.journey(rides)
    # One category for the whole journey: the one that makes it cheapest.
    classes = frozenset.intersection(*(rider_ride.classes for rider_ride in run))
    journeys = [
        [fare.amount_fen for fare in products.journey(rides, category)]
        for category in sorted(classes & products.categories)
    ]
    cheapest = min(journeys, key=sum, default=None)
    for place, leg in enumerate(full):
        category_fen = None if cheapest is None else min(cheapest[place], leg.amount_fen)
        yield _Fare(leg=leg, nominal_fen=leg.amount_fen, category_fen=category_fen)


def _share(fare: _Fare, rider_ride: RiderRide, policy: ConcessionPolicy) -> FareShares:
    classes = rider_ride.classes if fare.leg.concessions_allowed else frozenset[str]()
    if classes:
        local_time = boarded_at(rider_ride.ride).astimezone(LOCAL_ZONE).time()
        shares = policy.share(fare.nominal_fen, classes, rider_ride.business_on, local_time)
    else:
        shares = FareShares(fare.nominal_fen, 0, None)
    if fare.category_fen is not None and fare.category_fen < shares.citizen_fen:
        return shares_by_category(fare.nominal_fen, fare.category_fen)
    return shares
