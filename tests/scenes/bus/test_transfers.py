"""Transfer offers: in time, on another line, so many times, and never to the rider's loss."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.bus.transfers import (
    CountedFrom,
    FullFareRide,
    OfferKind,
    TransferOffer,
    TransferRight,
    apply_transfers,
)

START = datetime(2026, 5, 15, 0, tzinfo=UTC)
FREE = TransferOffer(name="free", kind=OfferKind.FREE, window_s=3600)
OFF = TransferOffer(name="off", kind=OfferKind.AMOUNT_OFF, window_s=3600, amount_off_fen=100)
DIFFERENCE = TransferOffer(name="difference", kind=OfferKind.DIFFERENCE, window_s=3600)


def ride(
    line_id: str,
    minute: int,
    fare_fen: int = 200,
    *,
    lasts: int | None = 20,
    right: TransferRight | None = None,
    transferable: bool = True,
) -> FullFareRide:
    boarded_at = START + timedelta(minutes=minute)
    return FullFareRide(
        line_id=line_id,
        boarded_at=boarded_at,
        left_at=None if lasts is None else boarded_at + timedelta(minutes=lasts),
        fare_fen=fare_fen,
        right=right,
        transferable=transferable,
    )


def fares_fen(rides: list[FullFareRide], *offers: TransferOffer) -> list[int]:
    return [fare.fare_fen for fare in apply_transfers(rides, offers)]


@pytest.mark.parametrize(
    ("offer", "second_fen", "charged_fen"),
    [
        (FREE, 300, 0),
        (OFF, 300, 200),
        (OFF, 50, 0),
        (DIFFERENCE, 300, 100),
        (DIFFERENCE, 150, 0),
    ],
)
def test_an_offer_takes_off_what_its_kind_says(
    offer: TransferOffer, second_fen: int, charged_fen: int
) -> None:
    rides = [ride("1", 0, 200), ride("2", 30, second_fen)]
    assert fares_fen(rides, offer) == [200, charged_fen]
    assert apply_transfers(rides, [offer])[1].offer == offer.name


def test_without_an_offer_every_ride_is_full_fare() -> None:
    assert fares_fen([ride("1", 0), ride("2", 10)]) == [200, 200]


@pytest.mark.parametrize(("minute", "charged_fen"), [(60, 0), (61, 200)])
def test_the_window_from_the_first_boarding_includes_its_bound(
    minute: int, charged_fen: int
) -> None:
    assert fares_fen([ride("1", 0), ride("2", minute)], FREE) == [200, charged_fen]


@pytest.mark.parametrize(
    ("lasts", "minute", "charged_fen"), [(20, 80, 0), (20, 81, 200), (None, 60, 0), (None, 61, 200)]
)
def test_a_window_from_alighting_falls_back_to_boarding_where_nobody_tapped_off(
    lasts: int | None, minute: int, charged_fen: int
) -> None:
    offer = TransferOffer(
        name="o", kind=OfferKind.FREE, window_s=3600, counted_from=CountedFrom.LAST_ALIGHTING
    )
    assert fares_fen([ride("1", 0, lasts=lasts), ride("2", minute)], offer) == [200, charged_fen]


def test_the_same_line_again_is_a_transfer_only_where_the_offer_says_so() -> None:
    rides = [ride("1", 0), ride("1", 30)]
    assert fares_fen(rides, FREE) == [200, 200]
    same = TransferOffer(name="s", kind=OfferKind.FREE, window_s=3600, same_line=True)
    assert fares_fen(rides, same) == [200, 0]


def test_an_offer_holds_between_its_lines_only() -> None:
    offer = TransferOffer(name="o", kind=OfferKind.FREE, window_s=3600, lines=frozenset({"1", "2"}))
    assert fares_fen([ride("1", 0), ride("2", 10)], offer) == [200, 0]
    assert fares_fen([ride("3", 0), ride("2", 10)], offer) == [200, 200]


def test_the_chain_ends_with_its_transfers_and_a_new_one_begins() -> None:
    rides = [ride(line, 10 * place) for place, line in enumerate("121212")]
    assert fares_fen(rides, FREE) == [200, 0, 200, 0, 200, 0]
    twice = TransferOffer(name="t", kind=OfferKind.FREE, window_s=3600, count_max=2)
    assert fares_fen(rides, twice) == [200, 0, 0, 200, 0, 0]


def test_the_difference_is_against_the_highest_fare_of_the_chain() -> None:
    offer = TransferOffer(name="d", kind=OfferKind.DIFFERENCE, window_s=7200, count_max=5)
    rides = [ride("1", 0, 200), ride("2", 10, 500), ride("1", 20, 300), ride("2", 30, 600)]
    assert fares_fen(rides, offer) == [200, 300, 0, 100]


def test_of_several_offers_the_best_for_the_rider_counts() -> None:
    fares = apply_transfers([ride("1", 0), ride("2", 10, 250)], [OFF, DIFFERENCE])
    assert (fares[1].fare_fen, fares[1].offer) == (50, "difference")


def test_a_ride_outside_all_offers_breaks_the_chain() -> None:
    rides = [ride("1", 0), ride("x", 10, 1000, transferable=False), ride("2", 20)]
    assert fares_fen(rides, FREE) == [200, 1000, 200]


@pytest.mark.parametrize(
    ("right", "charges"),
    [
        (TransferRight(count_max=1, window_s=None), [200, 0, 200]),
        (TransferRight(count_max=2, window_s=3600), [200, 0, 0]),
        (TransferRight(count_max=None, window_s=1200), [200, 0, 200]),
        (TransferRight(count_max=None, window_s=None), [200, 200, 200]),
    ],
)
def test_a_published_fare_carries_its_own_right(right: TransferRight, charges: list[int]) -> None:
    rides = [ride(line, 20 * place, right=right) for place, line in enumerate("123")]
    assert fares_fen(rides) == charges


OFFERS = st.builds(
    TransferOffer,
    name=st.sampled_from(["o1", "o2"]),
    kind=st.sampled_from(OfferKind),
    window_s=st.integers(1, 7200),
    counted_from=st.sampled_from(CountedFrom),
    count_max=st.integers(1, 3),
    amount_off_fen=st.integers(0, 400),
    same_line=st.booleans(),
)
RIDES = st.lists(
    st.builds(
        ride,
        line_id=st.sampled_from("123"),
        minute=st.integers(0, 300),
        fare_fen=st.integers(0, 1000),
        transferable=st.booleans(),
    ),
    max_size=8,
)


@given(rides=RIDES, offers=st.lists(OFFERS, max_size=3))
def test_an_offer_never_raises_a_fare(
    rides: list[FullFareRide], offers: list[TransferOffer]
) -> None:
    ordered = sorted(rides, key=lambda one: one.boarded_at)
    for full, fare in zip(ordered, apply_transfers(ordered, offers), strict=True):
        assert 0 <= fare.fare_fen <= full.fare_fen
        assert (fare.offer == "") <= (fare.fare_fen == full.fare_fen)
