"""The keys that sign access tokens, one for each epoch, and when to look for a newer one.

A token names its epoch in ``kid``. A worker learns of a new or a retired epoch within
``REFRESH`` of its beginning, or at once when it meets a token of an epoch it does not know.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

REFRESH: Final = timedelta(seconds=10)
_SOON: Final = timedelta(seconds=1)


class KeySource(Protocol):
    """Where the keys come from."""

    async def keys(self, now: datetime) -> Mapping[int, Ed25519PrivateKey]:
        """The keys that are good now, by epoch; the highest signs."""
        ...


class FixedKey:
    """One key for ever, for tests and single programs."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    async def keys(self, now: datetime) -> Mapping[int, Ed25519PrivateKey]:  # noqa: ARG002  (the protocol's form)
        """That key."""
        return {1: self._key}


class AccessKeys:
    """The keys as this worker knows them."""

    def __init__(self, source: KeySource, keys: Mapping[int, Ed25519PrivateKey]) -> None:
        self._source = source
        self._keys = dict(keys)
        self._public = {epoch: key.public_key() for epoch, key in self._keys.items()}
        self._looked_at: datetime | None = None

    def signing(self) -> tuple[str, Ed25519PrivateKey]:
        """The newest epoch's ``kid`` and key."""
        epoch = max(self._keys)
        return str(epoch), self._keys[epoch]

    def public(self, kid: str) -> Ed25519PublicKey | None:
        """The public key of an epoch, None where its tokens are not good."""
        return self._public.get(int(kid)) if kid.isdecimal() and len(kid) < 10 else None

    async def refresh(self, now: datetime, *, urgent: bool = False) -> None:
        """Look for new and retired epochs, if it is time; ``urgent`` asks sooner.

        Raises:
            ServiceUnavailableError: where they are kept cannot be reached.
        """
        wait = _SOON if urgent else REFRESH
        if self._looked_at is not None and self._looked_at <= now < self._looked_at + wait:
            return
        self._keys = dict(await self._source.keys(now))
        self._public = {epoch: key.public_key() for epoch, key in self._keys.items()}
        self._looked_at = now
