"""The issuer's keys: their names in the HSM and in the ring, and which of them sign now.

A key lives in an epoch: published, so that terminals come to know it; signing; then only believed,
until what it signed has ended. Which key signs follows from the clock and the register alone, so
all servers change over without being told. The plan of an epoch: ``codes.key_epochs``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

import codes
from cardcore import tables
from codes.key_epochs import next_kid
from hsm_sim.interface import HSM, KeyInfo, KeyUsage
from hsm_sim.interface import Algorithm as KeyAlgorithm

CODE_ALGORITHM: Final = {
    KeyAlgorithm.ED25519: codes.Algorithm.ED25519,
    KeyAlgorithm.P256: codes.Algorithm.ES256,
    KeyAlgorithm.SM2: codes.Algorithm.SM2_SM3,
}
# Which suite new codes are signed in where nothing is asked for: the last one that has a key.
_PREFERRED_LAST: Final = (KeyAlgorithm.SM2, KeyAlgorithm.ED25519, KeyAlgorithm.P256)
KEY_LIFE: Final = timedelta(days=400)
# A verifier's clock may be behind ours.
CLOCKS_APART: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuingKey:
    """A key we sign with: its name in the HSM and in the ring."""

    issuer_id: int
    kid: int
    label: str
    algorithm: codes.Algorithm


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKeys:
    """The register of keys at one instant.

    Attributes:
        ring: every key ever published, with its window.
        codes: keys that sign codes now, the newest of the preferred suite last.
        packages: keys that sign terminal packages now, newest last.
        lists: keys that sign lists now, newest last.
    """

    ring: codes.KeyRing
    codes: tuple[IssuingKey, ...]
    packages: tuple[IssuingKey, ...]
    lists: tuple[IssuingKey, ...]


async def read_issuer_keys(connection: AsyncConnection, now: datetime) -> IssuerKeys:
    """All keys, and which sign at ``now``; none where the installation has none yet."""
    rows = await _rows(connection)
    return IssuerKeys(
        ring=_ring(rows),
        codes=_signing(rows, codes.KeyUse.CODES, now),
        packages=_signing(rows, codes.KeyUse.PACKAGES, now),
        lists=_signing(rows, codes.KeyUse.LISTS, now),
    )


async def publish_key(
    connection: AsyncConnection,
    hsm: HSM,
    *,
    issuer_id: int,
    algorithm: KeyAlgorithm,
    use: codes.KeyUse,
    signs_from: datetime,
    now: datetime,
    kid: int | None = None,
) -> IssuingKey:
    """Let the HSM make a key for one use and publish its public half in the register.

    Args:
        connection: of the caller's transaction; two at once meet at the primary key.
        hsm: makes the key.
        issuer_id: ours.
        algorithm: of the key.
        use: what its signatures are believed for.
        signs_from: when it begins to sign.
        now: when it is published.
        kid: its number; left out, the one after the youngest key's.

    Raises:
        KeyEpochError: all 256 numbers are taken.
        HSMError: the module cannot make such a key.
    """
    if kid is None:
        kid = next_kid(_ring(await _rows(connection)), issuer_id)
    info = await _made(hsm, f"issuer-{issuer_id}-{kid}", algorithm)
    await connection.execute(
        insert(tables.issuer_key).values(
            issuer_id=issuer_id,
            kid=kid,
            algorithm=algorithm.value,
            label=info.label,
            public_key=info.public_key,
            not_before=now - CLOCKS_APART,
            not_after=signs_from + KEY_LIFE,
            signs_from=signs_from,
            uses=[use.value],
        )
    )
    return IssuingKey(
        issuer_id=issuer_id, kid=kid, label=info.label, algorithm=CODE_ALGORITHM[algorithm]
    )


async def _made(hsm: HSM, label: str, algorithm: KeyAlgorithm) -> KeyInfo:
    """A key of this label; one made by a run that was cut off before is taken up, not lost."""
    known = {info.label: info for info in await hsm.list_keys()}
    if label in known and known[label].algorithm is not algorithm:
        label = f"{label}-{algorithm.value}"
    return known.get(label) or await hsm.generate(label, algorithm, KeyUsage.SIGN)


async def _rows(connection: AsyncConnection) -> Sequence[Row[Any]]:
    key = tables.issuer_key
    return (await connection.execute(select(key).order_by(key.c.signs_from, key.c.kid))).all()


def _ring(rows: Iterable[Row[Any]]) -> codes.KeyRing:
    return codes.KeyRing(
        codes.IssuerKey(
            issuer_id=row.issuer_id,
            kid=row.kid,
            algorithm=CODE_ALGORITHM[KeyAlgorithm(row.algorithm)],
            public_key=row.public_key,
            not_before_s=int(row.not_before.timestamp()),
            not_after_s=int(row.not_after.timestamp()),
            uses=frozenset(map(codes.KeyUse, row.uses)),
        )
        for row in rows
    )


def _signing(rows: Iterable[Row[Any]], use: codes.KeyUse, now: datetime) -> tuple[IssuingKey, ...]:
    begun = [row for row in rows if use.value in row.uses and row.signs_from <= now]
    # With none in its window the last one is named all the same: what it signs is believed by
    # nobody, but the service stands, and an operator can begin the next epoch.
    begun = [row for row in begun if now < row.not_after] or begun[-1:]
    begun.sort(key=lambda row: _PREFERRED_LAST.index(KeyAlgorithm(row.algorithm)))
    return tuple(
        IssuingKey(
            issuer_id=row.issuer_id,
            kid=row.kid,
            label=row.label,
            algorithm=CODE_ALGORITHM[KeyAlgorithm(row.algorithm)],
        )
        for row in begun
    )
