"""What a status list says about one index. Kept apart so that acceptance needs no list format."""

from enum import IntEnum
from typing import Protocol


class Status(IntEnum):
    """Two-bit value of an index. 0 to 2 as in IETF Token Status List, 3 is application specific."""

    VALID = 0
    REVOKED = 1
    SUSPENDED = 2
    ASK_ONLINE = 3


class IssuerStatus(Protocol):
    """The list of one issuer."""

    @property
    def issued_at_s(self) -> int:
        """When the issuer made this version, Unix seconds."""
        ...

    @property
    def expires_at_s(self) -> int:
        """After this instant it is stale whatever the policy says, Unix seconds."""
        ...

    def status(self, index: int) -> Status:
        """Status of ``index``; an index beyond the end of the list is ``ASK_ONLINE``."""
        ...


class StatusSource(Protocol):
    """Where acceptance finds the list of a code's issuer: one list, or several."""

    def for_issuer(self, issuer_id: int) -> IssuerStatus | None:
        """The list of this issuer, None where there is none."""
        ...
