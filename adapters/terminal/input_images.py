"""Scans as pictures: PNG or JPEG files, or a folder that a camera writes into.

What is not a picture, is too large, or has no QR symbol is told as ``not_read``. The reader is
zxing-cpp.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Final

from PIL import Image, UnidentifiedImageError

from adapters.symbol_reader import symbols_in
from codes.text_form import TEXT_PREFIX

FILE_SIZE_MAX: Final = 16 * 2**20
PIXELS_MAX: Final = 40_000_000
LOOK_UP_S: Final = 0.2
_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg"})


def read_image(file: Path) -> str | None:
    """The text of the QR symbol in a picture, ours before others; None = nothing could be read."""
    try:
        if file.stat().st_size > FILE_SIZE_MAX:
            return None
        with Image.open(file, formats=("PNG", "JPEG")) as picture:
            if picture.width * picture.height > PIXELS_MAX:
                return None
            grey = picture.convert("L")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError):
        return None
    found = [symbol.text for symbol in symbols_in(grey, qr_only=True)]
    ours = [text for text in found if text.startswith(TEXT_PREFIX)]
    return next(iter(ours or found), None)


def pictures(paths: list[Path], stop: Event) -> Iterator[Path]:
    """Each file once, then, where folders are among ``paths``, each new picture in them.

    A picture in a folder is taken when it has not changed from one look to the next, so one that
    is being written is not read by half. Ends with the files when there is no folder, or at
    ``stop``.
    """
    yield from (path for path in paths if not path.is_dir())
    folders = [path for path in paths if path.is_dir()]
    seen: dict[Path, tuple[int, int]] = {}
    done: set[tuple[Path, tuple[int, int]]] = set()
    while folders and not stop.is_set():
        for path in _in_folders(folders):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            state = (stat.st_size, stat.st_mtime_ns)
            if seen.get(path) == state and (path, state) not in done:
                done.add((path, state))
                yield path
            seen[path] = state
        stop.wait(LOOK_UP_S)


def _in_folders(folders: list[Path]) -> list[Path]:
    return sorted(
        path for folder in folders for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES
    )


def feed_from_images(paths: list[Path], scan: Callable[[str | None], object], stop: Event) -> None:
    """Scan picture by picture; None is given for one that could not be read."""
    for path in pictures(paths, stop):
        scan(read_image(path))
