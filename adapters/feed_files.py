"""The files of a feed from a folder or a ZIP archive, within bounds."""

import zipfile
import zlib
from pathlib import Path
from typing import ClassVar, Final

FILES_MAX: Final = 1000
TOTAL_SIZE_MAX: Final = 1 << 30


class FeedFilesError(Exception):
    """The path is no folder and no archive, or holds more than a feed can."""

    code: ClassVar[str] = "feed_files"
    retryable: ClassVar[bool] = False


def read_feed_files(path: Path, suffix: str, *, size_max: int = TOTAL_SIZE_MAX) -> dict[str, bytes]:
    """Name to bytes of the files directly in a folder or archive.

    Args:
        path: a folder, or a ``.zip`` archive whose files lie at its top or in one folder.
        suffix: only files of this ending, ``.txt`` or ``.json``.
        size_max: bytes of all of them together, unpacked.

    Returns:
        Contents by bare file name.

    Raises:
        FeedFilesError: no such path, not an archive, too many files, or too large unpacked.
    """
    if path.is_dir():
        found = sorted(entry for entry in path.iterdir() if entry.name.endswith(suffix))
        _check(len(found), sum(entry.stat().st_size for entry in found), size_max)
        return {entry.name: entry.read_bytes() for entry in found}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.endswith(suffix)]
            # The sizes an archive states bound what is read of it: it is never trusted beyond.
            _check(len(entries), sum(entry.file_size for entry in entries), size_max)
            return {Path(entry.filename).name: archive.read(entry) for entry in entries}
    except (OSError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise FeedFilesError(f"{path}: no folder and no readable archive ({error})") from error


def _check(count: int, size: int, size_max: int) -> None:
    if not 0 < count <= FILES_MAX:
        raise FeedFilesError(f"{count} files; a feed has 1 to {FILES_MAX}")
    if size > size_max:
        raise FeedFilesError(f"{size} bytes unpacked; a feed has up to {size_max}")
