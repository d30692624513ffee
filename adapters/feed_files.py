"""The files of a feed from a folder or a ZIP archive, within bounds."""

import zipfile
import zlib
from pathlib import Path, PurePath, PurePosixPath
from typing import ClassVar, Final

FILES_MAX: Final = 1000
TOTAL_SIZE_MAX: Final = 1 << 30


class FeedFilesError(Exception):
    """The path is no folder and no archive, or holds more than a feed can."""

    code: ClassVar[str] = "feed_files"
    retryable: ClassVar[bool] = False


def read_feed_files(path: Path, suffix: str, *, size_max: int = TOTAL_SIZE_MAX) -> dict[str, bytes]:
    """Name to bytes of the files directly in a folder or archive.

    What a computer hides beside the files (``._stops.txt``, ``__MACOSX/``) is no part of a feed.

    Args:
        path: a folder, or a ``.zip`` archive. Its files lie in one folder of it: the one nearest
            to the top that has any.
        suffix: only files of this ending, ``.txt`` or ``.json``.
        size_max: bytes of all of them together, unpacked.

    Returns:
        Contents by bare file name.

    Raises:
        FeedFilesError: no such path, not an archive, two folders of it that could be meant, a name
            that stands twice, too many files, or too large unpacked.
    """
    if path.is_dir():
        found = sorted(entry for entry in path.iterdir() if _is_meant(PurePath(entry.name), suffix))
        _check(len(found), sum(entry.stat().st_size for entry in found), size_max)
        return {entry.name: entry.read_bytes() for entry in found}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _entries(path, archive, suffix)
            # The sizes an archive states bound what is read of it: it is never trusted beyond.
            _check(len(entries), sum(entry.file_size for entry in entries), size_max)
            return {Path(entry.filename).name: archive.read(entry) for entry in entries}
    except (OSError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise FeedFilesError(f"{path}: no folder and no readable archive ({error})") from error


def _is_meant(path: PurePath, suffix: str) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts[-2:])
    return path.name.endswith(suffix) and not hidden


def _entries(path: Path, archive: zipfile.ZipFile, suffix: str) -> list[zipfile.ZipInfo]:
    """The files of the one folder that is meant. Raises ``FeedFilesError``."""
    found = [
        entry
        for entry in archive.infolist()
        if not entry.is_dir() and _is_meant(PurePosixPath(entry.filename), suffix)
    ]
    folders = {PurePosixPath(entry.filename).parent for entry in found}
    top = min((len(folder.parts) for folder in folders), default=0)
    meant = [folder for folder in folders if len(folder.parts) == top]
    if len(meant) > 1:
        names = ", ".join(sorted(str(folder) for folder in meant))
        raise FeedFilesError(f"{path}: more than one folder has {suffix} files: {names}")
    entries = [entry for entry in found if PurePosixPath(entry.filename).parent in meant]
    if len({entry.filename for entry in entries}) < len(entries):
        raise FeedFilesError(f"{path}: a name stands more than once")
    return entries


def _check(count: int, size: int, size_max: int) -> None:
    if not 0 < count <= FILES_MAX:
        raise FeedFilesError(f"{count} files; a feed has 1 to {FILES_MAX}")
    if size > size_max:
        raise FeedFilesError(f"{size} bytes unpacked; a feed has up to {size_max}")
