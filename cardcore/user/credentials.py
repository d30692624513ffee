"""What a person presents beside cards: device keys, printed codes, plates; each frozen alone.

A credential that is lost, frozen, replaced or closed has its codes refused at once, while the
person and their other credentials go on. From the instant a loss is reported, misuse is not the
citizen's loss any more (``liability_from``). Device keys and printed codes are written down by
``authorisations`` when they are issued; cards are a matter of their own, see ``cards``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.errors import NotFoundError, PersonExistsError, PersonStateError
from cardcore.user.life_events import Doing
from cardcore.user.masking import mask_plate
from cardcore.user.people_tables import credential
from cardcore.user.people_views import CredentialView
from cardcore.user.personal_data import DataKey, Field, PersonalData
from cardcore.user.written_forms import normalise_plate

_c = credential.c


class CredentialStep(StrEnum):
    """What can happen to a credential."""

    LOSS = "loss"
    FOUND = "found"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    REPLACE = "replace"
    CLOSE = "close"


CREDENTIAL_STEPS: Final[dict[tuple[str, CredentialStep], str]] = {
    ("active", CredentialStep.LOSS): "lost",
    ("frozen", CredentialStep.LOSS): "lost",
    ("lost", CredentialStep.FOUND): "active",
    ("active", CredentialStep.FREEZE): "frozen",
    ("frozen", CredentialStep.UNFREEZE): "active",
    ("active", CredentialStep.REPLACE): "replaced",
    ("lost", CredentialStep.REPLACE): "replaced",
    ("active", CredentialStep.CLOSE): "closed",
    ("lost", CredentialStep.CLOSE): "closed",
    ("frozen", CredentialStep.CLOSE): "closed",
}


async def bind_plate(
    connection: AsyncConnection,
    data: PersonalData,
    key: DataKey,
    user_id: UUID,
    plate: str,
    *,
    now: datetime,
) -> UUID:
    """Bind a car's plate to a person.

    Returns:
        The credential's id; of a plate that is theirs already, the one that exists.

    Raises:
        RequestInvalidError: not a plate number.
        PersonExistsError: the plate is bound to somebody else; whose, is not told.
    """
    number = normalise_plate(plate)
    index = await data.index(Field.PLATE, number)
    holder = (
        await connection.execute(
            select(_c.credential_id, _c.user_id).where(
                _c.kind == "plate",
                _c.label_index == index,
                _c.status.in_(("active", "lost", "frozen")),
            )
        )
    ).one_or_none()
    if holder is not None:
        if holder.user_id != user_id:
            raise PersonExistsError("this plate is bound to another user", field="plate")
        bound: UUID = holder.credential_id
        return bound
    credential_id = uuid4()
    await connection.execute(
        insert(credential).values(
            credential_id=credential_id,
            user_id=user_id,
            kind="plate",
            status="active",
            label_sealed=key.seal(Field.PLATE, number),
            label_index=index,
            valid_from=now,
            recorded_at=now,
        )
    )
    return credential_id


async def find_credential(
    connection: AsyncConnection, credential_id: UUID, *, lock: bool = False
) -> Row[Any]:
    """One credential's row. Raises ``NotFoundError``."""
    asked = select(credential).where(_c.credential_id == credential_id)
    row = (await connection.execute(asked.with_for_update() if lock else asked)).one_or_none()
    if row is None:
        raise NotFoundError(field="credential_id")
    return row


async def take_step(
    connection: AsyncConnection,
    credential_id: UUID,
    step: CredentialStep,
    doing: Doing,
    *,
    replaced_by: UUID | None = None,
) -> None:
    """Let a credential take a step, and its codes with it.

    Raises:
        NotFoundError: no such credential.
        PersonStateError: the step is not possible now; ``facts`` name the state. Or the
            replacement is not an active credential of the same person and kind.
    """
    row = await find_credential(connection, credential_id, lock=True)
    status = CREDENTIAL_STEPS.get((row.status, step))
    if status is None:
        raise PersonStateError(field="credential_id", status=row.status)
    if replaced_by is not None:
        other = await find_credential(connection, replaced_by)
        fits = (other.user_id, other.kind, other.status) == (row.user_id, row.kind, "active")
        if not fits or replaced_by == credential_id:
            raise PersonStateError("this cannot stand in for it", field="replacement_id")
    values: dict[str, object] = {"status": status}
    if step is CredentialStep.LOSS:
        values["liability_from"] = doing.at
    elif step is CredentialStep.FOUND:
        values["liability_from"] = None
    elif step is CredentialStep.REPLACE:
        values["replaced_by"] = replaced_by
    await connection.execute(
        update(credential).where(_c.credential_id == credential_id).values(**values)
    )
    await _block_codes(connection, [row.token], None if status == "active" else status)


async def close_credentials(connection: AsyncConnection, user_id: UUID) -> None:
    """Close everything a person may present."""
    closed = await connection.execute(
        update(credential)
        .where(_c.user_id == user_id, _c.status.in_(("active", "lost", "frozen")))
        .values(status="closed")
        .returning(_c.token)
    )
    await _block_codes(connection, list(closed.scalars()), "closed")


async def read_credentials(
    connection: AsyncConnection, key: DataKey | None, user_id: UUID, proofs: Mapping[UUID, str]
) -> list[CredentialView]:
    """All credentials of a person, oldest first, labels masked; without a key, starred.

    ``proofs``: how their plates stand, see ``plates``.
    """
    rows = await connection.execute(
        select(credential).where(_c.user_id == user_id).order_by(_c.recorded_at, _c.credential_id)
    )
    views = []
    for row in rows:
        label = None
        if row.label_sealed is not None:
            label = mask_plate(key.open(Field.PLATE, row.label_sealed)) if key else "*"
        views.append(
            CredentialView(
                credential_id=row.credential_id,
                user_id=row.user_id,
                kind=row.kind,
                status=row.status,
                label_masked=label,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                liability_from=row.liability_from,
                replaced_by=row.replaced_by,
                proof=proofs.get(row.credential_id),
            )
        )
    return views


async def _block_codes(
    connection: AsyncConnection, tokens: Sequence[bytes | None], why: str | None
) -> None:
    known = [token for token in tokens if token is not None]
    if known:
        await connection.execute(
            update(tables.code_token)
            .where(tables.code_token.c.token.in_(known))
            .values(blocked=why)
        )
