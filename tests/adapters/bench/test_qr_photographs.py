"""Codes are read from phones 30 cm away, whatever light and screen, in the worst case."""

import random

import pytest
from PIL import ImageChops

from adapters.bench.qr_photographs import (
    CONDITIONS,
    FRAME_PX,
    Conditions,
    cracked,
    photographed,
    shares_read,
    symbols_of,
)

WORST = CONDITIONS[-1]


@pytest.mark.parametrize("how", CONDITIONS, ids=lambda how: how.name)
@pytest.mark.parametrize("letter", ["S", "D", "P"])
def test_each_class_is_read_from_every_phone_under_all_conditions(
    letter: str, how: Conditions
) -> None:
    _, phones = shares_read(symbols_of(letter, 3), how, random.Random(letter))
    assert phones == 1


def test_the_same_seed_takes_the_same_picture() -> None:
    ((symbol, _),) = symbols_of("D", 1)
    first, again = (photographed(symbol, WORST, random.Random(7)) for _ in range(2))
    assert first.size == FRAME_PX
    assert ImageChops.difference(first, again).getbbox() is None


def test_cracks_and_darkness_are_there() -> None:
    """Why: a distortion that does nothing would make every rate look well."""
    ((symbol, _),) = symbols_of("D", 1)
    assert ImageChops.difference(symbol, cracked(symbol, 5, random.Random(7))).getbbox()
    darkest, brightest = photographed(symbol, WORST, random.Random(7)).getextrema()
    assert brightest - darkest < 130
