"""A life in the demo city."""

import pytest

from adapters.wiring import City
from tests.city_life import Life
from tests.conftest import CityClock


@pytest.fixture
def life(city: City, city_clock: CityClock) -> Life:
    """People and rides in a city of this test's own."""
    return Life(city, city_clock)
