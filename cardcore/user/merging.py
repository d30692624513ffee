"""Moving everything a duplicate is known by, and may present, to the person that survives.

What was sealed with the duplicate's key is opened and sealed anew: one day that key goes.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.errors import PersonStateError
from cardcore.user.authorisation_tables import code_authorisation
from cardcore.user.life import is_higher
from cardcore.user.people_tables import (
    credential,
    delegation,
    person_key,
    personal_field,
)
from cardcore.user.personal_data import DataKey, Field

_own = personal_field.c


def check_merge(survivor: Row[Any], duplicate: Row[Any], reason: str) -> None:
    """May these two become one?

    Raises:
        PersonStateError: they are one already; less is known of the survivor than of the
            duplicate; or two identity numbers speak for two people and nobody calls it a mistake.
    """
    if survivor.user_id == duplicate.user_id:
        raise PersonStateError("these two are one person already", field="duplicate_id")
    if is_higher(duplicate.level, survivor.level):
        raise PersonStateError(
            "the one of whom more is known must survive", field="user_id", level=duplicate.level
        )
    two_numbers = None not in (survivor.id_no_index, duplicate.id_no_index)
    if two_numbers and reason != "mistake":
        raise PersonStateError("two identity numbers are two people", field="reason")


async def move_person(
    connection: AsyncConnection,
    *,
    duplicate: Row[Any],
    survivor: Row[Any],
    keys: tuple[DataKey, DataKey],
    now: datetime,
) -> None:
    """Re-point fields, credentials and rights. ``keys``: the duplicate's, then the survivor's."""
    from_id, to_id = duplicate.user_id, survivor.user_id
    await _move_phone(connection, from_id, to_id, keys)
    await release_numbers(connection, duplicate, now)
    await _reseal(connection, tables.entitlement, "evidence_sealed", Field.EVIDENCE, from_id, keys)
    await _reseal(connection, credential, "label_sealed", Field.PLATE, from_id, keys)
    await _reseal(connection, delegation, "evidence_sealed", Field.EVIDENCE, from_id, keys)
    tokens = await connection.execute(
        select(credential.c.token).where(
            credential.c.user_id == from_id, credential.c.token.is_not(None)
        )
    )
    # Codes of what is re-pointed speak for the survivor; all others of the duplicate end here.
    await connection.execute(
        update(tables.code_token)
        .where(tables.code_token.c.token.in_(list(tokens.scalars())))
        .values(user_id=to_id)
    )
    for table in (tables.entitlement, credential, code_authorisation):
        await connection.execute(
            update(table).where(table.c.user_id == from_id).values(user_id=to_id)
        )
    await _move_delegations(connection, from_id, to_id, now)
    await connection.execute(
        update(tables.person)
        .where(or_(tables.person.c.user_id == from_id, tables.person.c.merged_into == from_id))
        .values(status="merged", merged_into=to_id)
    )


async def release_numbers(connection: AsyncConnection, person: Row[Any], now: datetime) -> None:
    """Let a person's numbers no longer identify them; they can still be found by them."""
    await connection.execute(
        update(personal_field).where(_own.user_id == person.user_id).values(identifies=False)
    )
    if person.id_no_index is None:
        return
    await connection.execute(
        update(tables.person)
        .where(tables.person.c.user_id == person.user_id)
        .values(id_no_index=None)
    )
    await connection.execute(
        insert(personal_field).values(
            user_id=person.user_id,
            field=Field.ID_NO.value,
            sealed=person.id_no_sealed,
            blind_index=person.id_no_index,
            identifies=False,
            recorded_at=now,
        )
    )


async def erase_person(connection: AsyncConnection, user_ids: list[UUID], *, now: datetime) -> None:
    """Destroy the keys of a person under all their ids, and what could lead to them.

    Money entries, orders and the journal stay: they name people by id alone. Notes and evidence
    that were sealed stay as bytes that nothing can open.
    """
    await connection.execute(delete(person_key).where(person_key.c.user_id.in_(user_ids)))
    await connection.execute(delete(personal_field).where(_own.user_id.in_(user_ids)))
    await connection.execute(
        update(credential)
        .where(credential.c.user_id.in_(user_ids))
        .values(label_sealed=None, label_index=None)
    )
    await connection.execute(
        update(tables.person)
        .where(tables.person.c.user_id.in_(user_ids))
        .values(name_sealed=None, id_no_sealed=None, id_no_index=None, erased_at=now)
    )


async def _move_phone(
    connection: AsyncConnection, from_id: UUID, to_id: UUID, keys: tuple[DataKey, DataKey]
) -> None:
    phones = {
        row.user_id: row
        for row in await connection.execute(
            select(personal_field).where(
                _own.user_id.in_((from_id, to_id)), _own.field == Field.PHONE.value
            )
        )
    }
    phone = phones.get(from_id)
    if phone is None or to_id in phones:
        return
    opened = keys[0].open(Field.PHONE, phone.sealed)
    await connection.execute(
        update(personal_field)
        .where(_own.user_id == from_id, _own.field == Field.PHONE.value)
        .values(user_id=to_id, sealed=keys[1].seal(Field.PHONE, opened))
    )


async def _reseal(
    connection: AsyncConnection,
    table: Any,  # noqa: ANN401  (any table that has the two columns)
    column: str,
    field: Field,
    from_id: UUID,
    keys: tuple[DataKey, DataKey],
) -> None:
    (row_id,) = table.primary_key.columns
    sealed = table.c[column]
    rows = await connection.execute(
        select(row_id, sealed).where(table.c.user_id == from_id, sealed.is_not(None))
    )
    for one, bytes_ in rows.all():
        await connection.execute(
            update(table)
            .where(row_id == one)
            .values({column: keys[1].seal(field, keys[0].open(field, bytes_))})
        )


async def _move_delegations(
    connection: AsyncConnection, from_id: UUID, to_id: UUID, now: datetime
) -> None:
    d = delegation.c
    # Between the two, there is nobody left to pay for somebody else.
    await connection.execute(
        update(delegation)
        .where(d.user_id.in_((from_id, to_id)), d.payer_id.in_((from_id, to_id)))
        .values(revoked_at=now)
    )
    for column, other in ((d.user_id, d.payer_id), (d.payer_id, d.user_id)):
        await connection.execute(
            update(delegation).where(column == from_id, other != to_id).values({column.name: to_id})
        )
