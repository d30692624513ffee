"""Scans as lines on standard input: what a scanner that plays a keyboard types."""

import os
import select
from collections.abc import Callable, Iterator
from threading import Event
from typing import Final

LINE_SIZE_MAX: Final = 4096
_PIECE_SIZE: Final = 65_536
_LOOK_UP_S: Final = 0.2


def read_lines(descriptor: int, stop: Event) -> Iterator[str]:
    """Lines without their ends, blank ones left out, until the end of input or ``stop``.

    A line longer than ``LINE_SIZE_MAX`` is cut there and the rest thrown away; bytes that are not
    ASCII as U+FFFD: neither is a code, and neither costs memory.
    """
    buffer = b""
    skipping = False
    while not stop.is_set():
        ready, _, _ = select.select([descriptor], [], [], _LOOK_UP_S)
        if not ready:
            continue
        piece = os.read(descriptor, _PIECE_SIZE)
        *lines, buffer = (buffer + (piece or b"\n")).split(b"\n")
        for line in lines:
            if not skipping and line.strip():
                yield _text(line)
            skipping = False
        if len(buffer) > LINE_SIZE_MAX:
            if not skipping:
                yield _text(buffer)
            buffer, skipping = b"", True
        if not piece:
            return


def _text(line: bytes) -> str:
    return line[: LINE_SIZE_MAX + 1].strip(b"\r\n \t").decode("ascii", errors="replace")


def feed_from_stdin(descriptor: int, scan: Callable[[str], object], stop: Event) -> None:
    """Scan line by line until the end of input or ``stop``."""
    for line in read_lines(descriptor, stop):
        scan(line)
