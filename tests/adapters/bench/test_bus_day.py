"""The simulated day of ``cardcore bench bus``: what the workers take in together is the day."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from adapters.bench.bus_day import UPLOAD_TAPS, SimulatedDay, vehicles
from scenes.bus.journeys import JourneyRules
from scenes.bus.taps import happened_at

TAPS = 3 * UPLOAD_TAPS
BEGINS = datetime(2026, 11, 2, 20, 30, tzinfo=UTC)


def ids(*, late: bool, share: tuple[int, int] = (0, 1)) -> Counter[str]:
    day = SimulatedDay(TAPS, BEGINS)
    arrives_at = BEGINS + timedelta(days=1 + late)
    uploads = day.uploads(late=late, received_at=arrives_at, share=share)
    return Counter(report.tap.tap_id for upload in uploads for report in upload)


def test_both_waves_are_the_day_and_share_no_tap() -> None:
    first, late = ids(late=False), ids(late=True)
    assert len(first) + len(late) == len(first | late) == TAPS
    repeats = sum((first | late).values()) - TAPS
    assert len(late) / TAPS == pytest.approx(0.20, abs=0.02)
    assert repeats / TAPS == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("late", [False, True])
def test_two_workers_take_in_the_whole_wave_each_tap_once(late: bool) -> None:
    shares = [ids(late=late, share=(mine, 2)) for mine in range(2)]
    assert shares[0] + shares[1] == ids(late=late)
    assert not shares[0] & shares[1]


def test_every_tap_lies_in_the_day_whatever_its_terminals_clock() -> None:
    received_at = BEGINS + timedelta(days=1)
    uploads = SimulatedDay(TAPS, BEGINS).uploads(late=False, received_at=received_at)
    taps = [report.tap for upload in uploads for report in upload]
    wrong = {tap.tap_id for tap in taps if tap.sent_at != received_at}
    assert len(wrong) / TAPS == pytest.approx(0.016, abs=0.004)
    for tap in taps:
        at = happened_at(tap, JourneyRules().clock)
        assert isinstance(at, datetime)
        assert BEGINS <= at < BEGINS + timedelta(days=1)
        assert tap.terminal_id in vehicles()
