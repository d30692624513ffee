"""What a terminal package of a scene says now, read from the database."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.connections import RawConnection
from cardcore.terminals.scene import TerminalScene
from cardcore.terminals.tables import terminal_parameters
from cardcore.user.authorisation_tables import code_authorisation, tariff_class
from cardcore.user.card_status import card_statuses
from cardcore.user.status_indices import entry_count_of, statuses
from codes.key_epochs import without_ended
from codes.key_ring import KeyRing
from codes.status import Status
from codes.terminal_package import KEYS_PART
from codes.terminal_parameters import PARAMETERS_PART, TariffClass, TerminalParameters

EVERY_SCENE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageContent:
    """Everything a package says, its instants left out.

    ``blobs`` the plain parts, ``statuses`` what is not valid in the issuer's list of
    ``entry_count``, ``denied_cards`` names for the list of truncated hashes.
    """

    issuer_id: int
    blobs: Mapping[str, bytes]
    statuses: Mapping[int, Status]
    entry_count: int
    denied_cards: Sequence[str]
    parameters: TerminalParameters

    @property
    def digest(self) -> bytes:
        """SHA-256 over all of it: the same content, the same digest."""
        said = {
            "blobs": {name: hashlib.sha256(blob).hexdigest() for name, blob in self.blobs.items()},
            "issuer_id": self.issuer_id,
            "entry_count": self.entry_count,
            "statuses": sorted((index, int(status)) for index, status in self.statuses.items()),
            "denied_cards": list(self.denied_cards),
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()


async def read_content(
    connection: AsyncConnection,
    raw: RawConnection,
    *,
    scene: str,
    of_scene: TerminalScene,
    ring: KeyRing,
    issuer_id: int,
    now: datetime,
    on: date,
) -> PackageContent:
    """What a package of ``scene`` says at this instant, on this business date."""
    parameters = await _parameters(connection, scene)

    async def aliases_of(user_ids: Collection[UUID]) -> Mapping[UUID, Sequence[bytes]]:
        return await _aliases(connection, user_ids, now)

    own = await of_scene.parts(connection, raw, aliases_of)
    cards = await card_statuses(connection, issuer_id=issuer_id, on=on)
    codes_ = await statuses(connection, issuer_id, now=now)
    entry_count = await entry_count_of(connection, issuer_id)
    return PackageContent(
        issuer_id=issuer_id,
        blobs={
            **own,
            KEYS_PART: without_ended(ring, now_s=int(now.timestamp())).to_json().encode(),
            PARAMETERS_PART: parameters.to_json(),
        },
        statuses={**cards.indexed, **codes_},
        # Cards may bear indices of their own numbering, beyond what was drawn for codes.
        entry_count=max(entry_count, *(index + 1 for index in cards.indexed), 1),
        denied_cards=sorted(cards.denied),
        parameters=parameters,
    )


async def _parameters(connection: AsyncConnection, scene: str) -> TerminalParameters:
    found = await connection.execute(
        select(terminal_parameters).where(terminal_parameters.c.scene.in_((scene, EVERY_SCENE)))
    )
    by_scene = {row.scene: row.parameters for row in found}
    classes = await connection.execute(select(tariff_class).order_by(tariff_class.c.tariff_class))
    return TerminalParameters(
        **(by_scene.get(scene) or by_scene.get(EVERY_SCENE, {})),
        tariff_classes=tuple(
            TariffClass(
                tariff_class=row.tariff_class,
                name_zh=row.name_zh,
                name_en=row.name_en,
                concession=row.concession,
            )
            for row in classes
        ),
    )


async def _aliases(
    connection: AsyncConnection, user_ids: Collection[UUID], now: datetime
) -> Mapping[UUID, Sequence[bytes]]:
    token, authorisation = tables.code_token.c, code_authorisation.c
    found = await connection.execute(
        select(token.user_id, token.token)
        .join(code_authorisation, authorisation.token == token.token)
        .where(
            token.user_id.in_(list(user_ids)),
            token.blocked.is_(None),
            authorisation.ends_at > now,
            authorisation.revoked_at.is_(None),
        )
        .order_by(token.token)
    )
    aliases: dict[UUID, list[bytes]] = {}
    for row in found:
        aliases.setdefault(row.user_id, []).append(row.token)
    return aliases
