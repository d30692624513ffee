"""Transfer offers: what changing to another bus takes off the next fare. Pure.

A chain of rides starts with a full fare. Each further ride that boards in time, on another line,
within the number of transfers offered, costs less by the offer; a ride that does not starts the
next chain. Of several offers the one that leaves least to pay counts; an offer never raises a fare.

A published fare may carry its own right to transfer (GTFS fares v1, ``transfers`` and
``transfer_duration``): then a further ride costs only what its fare is above the highest fare of
the chain.

Source: GTFS Schedule reference, fare_attributes.txt; city rules are data, ADR-0041.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple


class OfferKind(StrEnum):
    """What an offer takes off."""

    FREE = "free"
    AMOUNT_OFF = "amount_off"
    DIFFERENCE = "difference"


class CountedFrom(StrEnum):
    """Where the time of an offer starts."""

    FIRST_BOARDING = "first_boarding"
    LAST_ALIGHTING = "last_alighting"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOffer:
    """One offer of the city.

    Attributes:
        name: stable, goes onto the charge.
        window_s: a ride must board within this time, the bound included.
        count_max: transfers in one chain.
        amount_off_fen: for ``AMOUNT_OFF``.
        same_line: whether riding the same line again counts as a transfer.
        lines: lines it holds between; None for all.
    """

    name: str
    kind: OfferKind
    window_s: int
    counted_from: CountedFrom = CountedFrom.FIRST_BOARDING
    count_max: int = 1
    amount_off_fen: int = 0
    same_line: bool = False
    lines: frozenset[str] | None = None

    def __post_init__(self) -> None:
        assert self.window_s > 0
        assert self.count_max > 0
        assert self.amount_off_fen >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRight:
    """What a published fare itself allows. None is without bound; not both may be."""

    count_max: int | None
    window_s: int | None


class FullFareRide(NamedTuple):
    """A ride before transfers. ``transferable`` False: it neither starts nor joins a chain."""

    line_id: str
    boarded_at: datetime
    left_at: datetime | None
    fare_fen: int
    right: TransferRight | None = None
    transferable: bool = True


class TransferredFare(NamedTuple):
    """What a ride costs after transfers; ``offer`` names why, "" for a full fare."""

    fare_fen: int
    offer: str


RIGHT_OF_FARE: Final = "transfer_right"


@dataclass(slots=True)
class _Chain:
    """Rides since the last full fare."""

    first: FullFareRide
    last: FullFareRide
    highest_fen: int
    transfers: int = 0


def apply_transfers(
    rides: Sequence[FullFareRide], offers: Sequence[TransferOffer]
) -> list[TransferredFare]:
    """Fares after transfers.

    Args:
        rides: one person's rides in order of boarding.
        offers: offers in force.

    Returns:
        One fare a ride, each between zero and its full fare.
    """
    fares: list[TransferredFare] = []
    chain: _Chain | None = None
    for ride in rides:
        if not ride.transferable:
            fares.append(TransferredFare(fare_fen=ride.fare_fen, offer=""))
            chain = None
            continue
        best = TransferredFare(fare_fen=ride.fare_fen, offer="")
        joined = False
        if chain is not None:
            for candidate in _candidates(chain, ride, offers):
                joined = True
                best = min(best, candidate, key=lambda fare: (fare.fare_fen, fare.offer == ""))
        fares.append(best)
        if chain is not None and joined:
            chain.last = ride
            chain.transfers += 1
            chain.highest_fen = max(chain.highest_fen, ride.fare_fen)
        else:
            chain = _Chain(first=ride, last=ride, highest_fen=ride.fare_fen)
    return fares


def _candidates(
    chain: _Chain, ride: FullFareRide, offers: Sequence[TransferOffer]
) -> list[TransferredFare]:
    """What each offer that holds for this transfer would leave to pay."""
    above_fen = max(ride.fare_fen - chain.highest_fen, 0)
    found: list[TransferredFare] = []
    for offer in offers:
        if not _holds(offer, chain, ride):
            continue
        left_fen = {
            OfferKind.FREE: 0,
            OfferKind.AMOUNT_OFF: max(ride.fare_fen - offer.amount_off_fen, 0),
            OfferKind.DIFFERENCE: above_fen,
        }[offer.kind]
        found.append(TransferredFare(fare_fen=left_fen, offer=offer.name))
    if _right_holds(chain, ride):
        found.append(TransferredFare(fare_fen=above_fen, offer=RIGHT_OF_FARE))
    return found


def _holds(offer: TransferOffer, chain: _Chain, ride: FullFareRide) -> bool:
    if chain.transfers >= offer.count_max:
        return False
    if not offer.same_line and ride.line_id == chain.last.line_id:
        return False
    if offer.lines is not None and not {ride.line_id, chain.last.line_id} <= offer.lines:
        return False
    starts_at = (
        chain.first.boarded_at
        if offer.counted_from is CountedFrom.FIRST_BOARDING
        else chain.last.left_at or chain.last.boarded_at
    )
    return ride.boarded_at - starts_at <= timedelta(seconds=offer.window_s)


def _right_holds(chain: _Chain, ride: FullFareRide) -> bool:
    right = chain.first.right
    if right is None or (right.count_max is None and right.window_s is None):
        return False  # without any bound it would last for ever: no city means that
    if right.count_max is not None and chain.transfers >= right.count_max:
        return False
    if right.window_s is None:
        return True
    return ride.boarded_at - chain.first.boarded_at <= timedelta(seconds=right.window_s)
