"""People: opening, reading, the concessions they hold.

Whoever opens the same person twice gets the person that exists.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.errors import UserUnknownError
from cardcore.user.personal_data import PersonalData, mask_id_no, mask_name, normalise_id_no
from cardcore.user.request import Entitlement, OpenUserRequest

LEVEL_REAL_NAME = "real_name"


class People:
    """The register of people, on a connection the caller holds open."""

    def __init__(self, personal_data: PersonalData) -> None:
        self._personal_data = personal_data

    async def open(
        self, connection: AsyncConnection, request: OpenUserRequest, *, now: datetime, today: date
    ) -> tuple[UUID, bool]:
        """Register a real-name person, or find the one that exists.

        Returns:
            The user's id, and whether the person is new.

        Raises:
            RequestInvalidError: the identity number does not follow GB 11643.
        """
        id_no = normalise_id_no(request.id_no, today)
        index = await self._personal_data.index(id_no)
        known = (
            await connection.execute(
                select(tables.person.c.user_id).where(tables.person.c.id_no_index == index)
            )
        ).scalar_one_or_none()
        if known is not None:
            await self._add_entitlements(connection, known, request.entitlements, now)
            return known, False
        user_id = uuid4()
        sealed = await self._personal_data.seal(user_id, name=request.name, id_no=id_no)
        await connection.execute(
            insert(tables.person).values(
                user_id=user_id,
                level=LEVEL_REAL_NAME,
                status="active",
                data_key_wrapped=sealed.data_key_wrapped,
                name_sealed=sealed.name_sealed,
                id_no_sealed=sealed.id_no_sealed,
                id_no_index=sealed.id_no_index,
                recorded_at=now,
            )
        )
        await self._add_entitlements(connection, user_id, request.entitlements, now)
        return user_id, True

    async def read(self, connection: AsyncConnection, user_id: UUID) -> Row[Any]:
        """One person's row. Raises ``UserUnknownError``."""
        row = (
            await connection.execute(
                select(tables.person).where(tables.person.c.user_id == user_id)
            )
        ).one_or_none()
        if row is None:
            raise UserUnknownError(field="user_id")
        return row

    async def masked(self, row: Row[Any]) -> tuple[str, str]:
        """Name and identity number of a row, masked; erased people show only stars."""
        if row.data_key_wrapped is None:
            return "*", "*"
        name, id_no = await self._personal_data.open(
            row.user_id,
            data_key_wrapped=row.data_key_wrapped,
            name_sealed=row.name_sealed,
            id_no_sealed=row.id_no_sealed,
        )
        return mask_name(name), mask_id_no(id_no)

    async def concessions(
        self, connection: AsyncConnection, user_id: UUID, on: date
    ) -> frozenset[str]:
        """Entitlement classes valid on a business date."""
        entitlement = tables.entitlement.c
        found = await connection.execute(
            select(entitlement["class"]).where(
                entitlement.user_id == user_id,
                entitlement.valid_from <= on,
                entitlement.valid_to >= on,
            )
        )
        return frozenset(found.scalars())

    async def _add_entitlements(
        self,
        connection: AsyncConnection,
        user_id: UUID,
        entitlements: Sequence[Entitlement],
        now: datetime,
    ) -> None:
        if not entitlements:
            return
        await connection.execute(
            insert(tables.entitlement),
            [
                {
                    "entitlement_id": uuid4(),
                    "user_id": user_id,
                    "class": entitlement.concession,
                    "evidence": entitlement.evidence,
                    "valid_from": entitlement.valid_from,
                    "valid_to": entitlement.valid_to,
                    "recorded_at": now,
                }
                for entitlement in entitlements
            ],
        )
