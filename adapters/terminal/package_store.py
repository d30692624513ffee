"""The last good terminal package: believed when it came, kept durably, judged by age at each scan.

On disk: ``CCPS``, size of the key ring (u32), the ring's JSON, the instant it was believed at
(Unix s, u64), the whole container. The ring and instant are those it was believed by, so that it
is believed again after a restart although its keys may have been changed since, or the clock was
lost; whether it is too old to work with is asked at each scan, not here. A package that is not
believed changes nothing: the terminal goes on with the one it has and reports why.
"""

from dataclasses import dataclass
from struct import Struct
from threading import Lock
from typing import ClassVar, Final

from adapters.terminal.fares import TerminalFares, read_fares
from adapters.terminal.home import TerminalHome
from codes import KeyRing, KeyRingError, KeyUse
from codes.signed_document import DocumentError
from codes.terminal_package import TerminalPackage, open_package
from codes.terminal_parameters import (
    PARAMETERS_PART,
    ParametersInvalidError,
    TerminalParameters,
)
from scenes.bus.fares_part import FaresPartError
from scenes.community.access_part import (
    ACCESS_PART,
    AccessPartError,
    GateBook,
    read_access_part,
)

_MAGIC: Final = b"CCPS"
_HEAD: Final = Struct(">4sIQ")


class PackageNotTakenError(Exception):
    """A package to be believed that this terminal cannot work with; it keeps the last good one."""

    code: ClassVar[str]


class PartInvalidError(PackageNotTakenError):
    """A part of it is in no form known here."""

    code = "document_part_invalid"


class PackageNotKeptError(PackageNotTakenError):
    """There is no room to keep it; records may still go up, which makes room."""

    code = "storage_full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """A believed package with its parts read."""

    package: TerminalPackage
    parameters: TerminalParameters
    fares: TerminalFares | None
    access: GateBook | None

    @property
    def version(self) -> int:
        """Of the package; part of every record."""
        return self.package.manifest.version

    def list_version(self, issuer_id: int) -> int:
        """Of an issuer's status list, 0 = none."""
        of_issuer = self.package.for_issuer(issuer_id)
        return 0 if of_issuer is None else of_issuer.version

    def list_age_s(self, issuer_id: int, now_s: int) -> int | None:
        """Age of an issuer's status list, never below zero; None = no list."""
        of_issuer = self.package.for_issuer(issuer_id)
        return None if of_issuer is None else max(0, now_s - of_issuer.issued_at_s)


class PackageStore:
    """Holds what the terminal works with now. Safe between threads.

    Args:
        home: where it is kept.
        pinned: the package keys of the enrolment, for the first package.
    """

    def __init__(self, home: TerminalHome, pinned: KeyRing) -> None:
        self._home = home
        self._pinned = pinned
        self._lock = Lock()
        self._current = self._load()

    @property
    def current(self) -> Instructions | None:
        """The last good package, None before the first."""
        return self._current

    def take(self, container: bytes, now_s: int) -> Instructions:
        """Believe a container on top of the current package, and keep it durably.

        Raises:
            DocumentError: kin; the current package stays.
            PackageNotTakenError: kin; likewise.
        """
        with self._lock:
            held = None if self._current is None else self._current.package
            ring = self._believed()
            instructions = _read(open_package(container, ring, now_s, held))
            self._write(_to_file(instructions.package, ring, now_s))
            self._current = instructions
        return instructions

    def _write(self, data: bytes) -> None:
        try:
            self._home.write(self._home.package_file, data)
        except OSError as fault:
            raise PackageNotKeptError(str(fault)) from fault

    def _believed(self) -> KeyRing:
        """The keys of the held package sign the next one; before that, the pinned ones."""
        if self._current is None:
            return self._pinned
        ring = self._current.package.keys
        signs = any(KeyUse.PACKAGES in key.uses for key in ring)
        return ring if signs else self._pinned

    def _load(self) -> Instructions | None:
        try:
            data = self._home.package_file.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return _from_file(data)
        except (DocumentError, PackageNotTakenError, KeyRingError, ValueError):
            # Damaged on disk: the next pull brings a whole one.
            return None


def _to_file(package: TerminalPackage, ring: KeyRing, now_s: int) -> bytes:
    ring_json = ring.to_json().encode()
    return _HEAD.pack(_MAGIC, len(ring_json), now_s) + ring_json + package.container()


def _from_file(data: bytes) -> Instructions:
    if len(data) < _HEAD.size:
        raise ValueError("cut off")
    magic, ring_size, believed_at_s = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise ValueError("not a kept package")
    ring_end = _HEAD.size + ring_size
    ring = KeyRing.from_json(data[_HEAD.size : ring_end])
    return _read(open_package(data[ring_end:], ring, believed_at_s))


def _read(package: TerminalPackage) -> Instructions:
    parameters = package.blobs.get(PARAMETERS_PART)
    access = package.blobs.get(ACCESS_PART)
    try:
        return Instructions(
            package=package,
            parameters=(
                TerminalParameters()
                if parameters is None
                else TerminalParameters.from_json(parameters)
            ),
            fares=read_fares(package.blobs),
            access=None if access is None else read_access_part(access),
        )
    except (ParametersInvalidError, FaresPartError, AccessPartError) as error:
        raise PartInvalidError(str(error)) from None
