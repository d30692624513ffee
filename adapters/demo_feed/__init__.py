"""The demo city's bus network: a small GTFS feed and two distance lines, written for this project.

Names of towns are those of 山亭区; stops, times and fares are made up. Two flat lines, two priced
by zone pair, one by distance with a ceiling, one flat by medium.
"""

from importlib.resources import files
from typing import Final

MINOR_PER_UNIT: Final = {"CNY": 100}


def feed_files() -> dict[str, bytes]:
    """The GTFS files, name to bytes."""
    return _folder("gtfs")


def line_files() -> dict[str, bytes]:
    """The distance lines, one JSON file each."""
    return _folder("lines")


def _folder(name: str) -> dict[str, bytes]:
    entries = files(__name__).joinpath(name).iterdir()
    return {entry.name: entry.read_bytes() for entry in entries}
