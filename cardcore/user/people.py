"""The register of people: opening, upgrading, finding, reading.

Whoever opens the same person twice gets the person that exists. A person that was merged into
another goes on as another name of the survivor.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import Row, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.errors import PersonExistsError, PersonStateError, UserUnknownError
from cardcore.user.access_log import Access, note_access
from cardcore.user.entitlements import grant_entitlements
from cardcore.user.life import Status, is_higher
from cardcore.user.masking import mask_id_no, mask_name, mask_phone
from cardcore.user.people_request import ContactRequest, FindUserRequest, UpgradeRequest
from cardcore.user.people_tables import credential, personal_field
from cardcore.user.personal_data import DataKey, Field, PersonalData
from cardcore.user.request import OpenUserRequest
from cardcore.user.written_forms import normalise_id_no, normalise_phone, normalise_plate

ERASED: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedPerson:
    """What may be shown of a person: None where it is not known, a star where it was erased."""

    name: str | None
    id_no: str | None
    phone: str | None


class People:
    """The register of people, on a connection the caller holds open."""

    def __init__(self, personal_data: PersonalData) -> None:
        self._data = personal_data

    # -- writing ---------------------------------------------------------------------------------

    async def open(
        self,
        connection: AsyncConnection,
        request: OpenUserRequest,
        *,
        client_id: str,
        now: datetime,
        today: date,
    ) -> tuple[UUID, bool]:
        """Register a person, or find the one that exists.

        Returns:
            The user's id, and whether the person is new.

        Raises:
            RequestInvalidError: the identity number does not follow GB 11643, or the phone number
                is none.
            PersonStateError: the person exists and may not be given an entitlement now.
        """
        id_no = None if request.id_no is None else normalise_id_no(request.id_no, today)
        phone = None if request.phone is None else normalise_phone(request.phone)
        known = None
        if id_no is not None:
            known = await self._by_id_no(connection, id_no)
        elif phone is not None:
            known = await self._by_phone(connection, phone)
        if known is not None:
            await self._grant(connection, known, request, client_id, now)
            return known, False
        user_id = uuid4()
        await connection.execute(
            insert(tables.person).values(
                user_id=user_id,
                level=request.level,
                status=Status.ACTIVE.value,
                recorded_at=now,
            )
        )
        key = await self._data.make_key(connection, user_id)
        if request.name is not None and id_no is not None:
            await self._put_name(connection, key, user_id, request.name, id_no)
        if phone is not None:
            await self._put_phone(connection, key, user_id, phone, now)
        if request.address is not None:
            await self._put(connection, user_id, Field.ADDRESS, key, request.address, now)
        await self._grant(connection, user_id, request, client_id, now)
        return user_id, True

    async def upgrade(
        self,
        connection: AsyncConnection,
        user_id: UUID,
        request: UpgradeRequest,
        *,
        now: datetime,
        today: date,
    ) -> None:
        """Raise a person's level with what it needs.

        Raises:
            PersonStateError: not active, or already at that level or above.
            PersonExistsError: the number is somebody else's; ``facts`` name whose.
        """
        person = await self.read(connection, user_id, lock=True)
        if person.status != Status.ACTIVE or not is_higher(request.level, person.level):
            raise PersonStateError(field="level", status=person.status, level=person.level)
        key = await self.key_of(connection, person)
        if request.phone is not None:
            phone = normalise_phone(request.phone)
            if request.level == "phone":
                _refuse_other(await self._by_phone(connection, phone), user_id, "phone")
            await self._put_phone(connection, key, user_id, phone, now)
        if request.name is not None and request.id_no is not None:
            id_no = normalise_id_no(request.id_no, today)
            _refuse_other(await self._by_id_no(connection, id_no), user_id, "id_no")
            await self._put_name(connection, key, user_id, request.name, id_no)
        await connection.execute(
            update(tables.person)
            .where(tables.person.c.user_id == user_id)
            .values(level=request.level)
        )

    async def change_contact(
        self, connection: AsyncConnection, user_id: UUID, request: ContactRequest, *, now: datetime
    ) -> None:
        """Replace a phone number or an address.

        Raises:
            PersonStateError: not active.
            PersonExistsError: a person known by their phone alone would become somebody else.
        """
        person = await self.read(connection, user_id, lock=True)
        if person.status != Status.ACTIVE:
            raise PersonStateError(field="user_id", status=person.status)
        key = await self.key_of(connection, person)
        if request.phone is not None:
            phone = normalise_phone(request.phone)
            if person.level == "phone":
                _refuse_other(await self._by_phone(connection, phone), user_id, "phone")
            await self._put_phone(connection, key, user_id, phone, now)
        if request.address is not None:
            await self._put(connection, user_id, Field.ADDRESS, key, request.address, now)

    # -- reading ---------------------------------------------------------------------------------

    async def read(
        self, connection: AsyncConnection, user_id: UUID, *, lock: bool = False
    ) -> Row[Any]:
        """One person's own row. Raises ``UserUnknownError``."""
        asked = select(tables.person).where(tables.person.c.user_id == user_id)
        if lock:
            asked = asked.with_for_update()
        row = (await connection.execute(asked)).one_or_none()
        if row is None:
            raise UserUnknownError(field="user_id")
        return row

    async def resolve(self, connection: AsyncConnection, user_id: UUID) -> Row[Any]:
        """The row of whoever this id means today: of a merged one, the survivor's."""
        row = await self.read(connection, user_id)
        # Merging re-points everything that was merged before, so one step always suffices.
        return row if row.merged_into is None else await self.read(connection, row.merged_into)

    async def names_of(self, connection: AsyncConnection, user_id: UUID) -> list[UUID]:
        """All ids of a person: the one that stands, then those merged into it."""
        person = await self.resolve(connection, user_id)
        merged = await connection.execute(
            select(tables.person.c.user_id)
            .where(tables.person.c.merged_into == person.user_id)
            .order_by(tables.person.c.recorded_at, tables.person.c.user_id)
        )
        return [person.user_id, *merged.scalars()]

    async def find(
        self, connection: AsyncConnection, request: FindUserRequest, *, today: date
    ) -> UUID:
        """Whom a number leads to. Raises ``UserUnknownError``."""
        known: UUID | None = None
        if request.id_no is not None:
            number = normalise_id_no(request.id_no, today)
            known = await self._by_id_no(connection, number)
            known = known or await self._by_field(connection, Field.ID_NO, number)
        elif request.phone is not None:
            number = normalise_phone(request.phone)
            known = await self._by_phone(connection, number)
            known = known or await self._by_field(connection, Field.PHONE, number)
        else:
            assert request.plate is not None
            known = await self.by_plate(connection, normalise_plate(request.plate))
        if known is None:
            raise UserUnknownError
        return known

    async def by_plate(self, connection: AsyncConnection, plate: str) -> UUID | None:
        """Whose car bears this plate, in its one written form."""
        index = await self._data.index(Field.PLATE, plate)
        found = await connection.execute(
            select(credential.c.user_id).where(
                credential.c.kind == "plate",
                credential.c.label_index == index,
                credential.c.status.in_(("active", "lost", "frozen")),
            )
        )
        return found.scalar_one_or_none()

    async def masked(
        self, connection: AsyncConnection, row: Row[Any], access: Access
    ) -> MaskedPerson:
        """What may be shown of a person. The look is written down."""
        if row.erased_at is not None:
            return MaskedPerson(name=ERASED, id_no=ERASED, phone=ERASED)
        seen = await self.disclose(connection, row, (Field.NAME, Field.ID_NO, Field.PHONE), access)
        name, id_no, phone = seen.get(Field.NAME), seen.get(Field.ID_NO), seen.get(Field.PHONE)
        return MaskedPerson(
            name=None if name is None else mask_name(name),
            id_no=None if id_no is None else mask_id_no(id_no),
            phone=None if phone is None else mask_phone(phone),
        )

    async def masked_name(
        self, connection: AsyncConnection, row: Row[Any], access: Access
    ) -> str | None:
        """The name alone, masked; None where none is known. The look is written down."""
        if row.erased_at is not None:
            return ERASED
        name = (await self.disclose(connection, row, (Field.NAME,), access)).get(Field.NAME)
        return None if name is None else mask_name(name)

    async def disclose(
        self,
        connection: AsyncConnection,
        row: Row[Any],
        fields: Iterable[Field],
        access: Access,
    ) -> dict[Field, str]:
        """Personal data in clear, as far as it is known. The look is written down.

        Raises:
            PersonStateError: the person was erased.
        """
        sealed = {Field.NAME: row.name_sealed, Field.ID_NO: row.id_no_sealed}
        own = personal_field.c
        for more in await connection.execute(
            select(own.field, own.sealed).where(own.user_id == row.user_id)
        ):
            sealed[Field(more.field)] = more.sealed
        present = [field for field in fields if sealed.get(field) is not None]
        if not present:
            return {}
        key = await self.key_of(connection, row)
        await note_access(connection, access, row.user_id, present)
        return {field: key.open(field, sealed[field]) for field in present}

    async def key_of(self, connection: AsyncConnection, row: Row[Any]) -> DataKey:
        """The key of a person. Raises ``PersonStateError`` where they were erased."""
        key = await self._data.key_of(connection, row.user_id)
        if key is None:
            raise PersonStateError("this person was erased", field="user_id", status=row.status)
        return key

    # -- parts -----------------------------------------------------------------------------------

    async def _by_id_no(self, connection: AsyncConnection, id_no: str) -> UUID | None:
        index = await self._data.index(Field.ID_NO, id_no)
        found = await connection.execute(
            select(tables.person.c.user_id).where(tables.person.c.id_no_index == index)
        )
        return found.scalar_one_or_none()

    async def _by_phone(self, connection: AsyncConnection, phone: str) -> UUID | None:
        index = await self._data.index(Field.PHONE, phone)
        found = await connection.execute(
            select(personal_field.c.user_id).where(
                personal_field.c.field == Field.PHONE.value,
                personal_field.c.blind_index == index,
                personal_field.c.identifies,
            )
        )
        return found.scalar_one_or_none()

    async def _by_field(self, connection: AsyncConnection, field: Field, value: str) -> UUID | None:
        """Whoever was written down with this value last."""
        index = await self._data.index(field, value)
        found = await connection.execute(
            select(personal_field.c.user_id)
            .where(personal_field.c.field == field.value, personal_field.c.blind_index == index)
            .order_by(personal_field.c.recorded_at.desc())
            .limit(1)
        )
        return found.scalar_one_or_none()

    async def _put_name(
        self, connection: AsyncConnection, key: DataKey, user_id: UUID, name: str, id_no: str
    ) -> None:
        await connection.execute(
            update(tables.person)
            .where(tables.person.c.user_id == user_id)
            .values(
                name_sealed=key.seal(Field.NAME, name),
                id_no_sealed=key.seal(Field.ID_NO, id_no),
                id_no_index=await self._data.index(Field.ID_NO, id_no),
            )
        )

    async def _put_phone(
        self, connection: AsyncConnection, key: DataKey, user_id: UUID, phone: str, now: datetime
    ) -> None:
        # Families share a phone: whoever was there first is known by it, for the others it is
        # only a way to reach them.
        holder = await self._by_phone(connection, phone)
        await self._put(
            connection,
            user_id,
            Field.PHONE,
            key,
            phone,
            now,
            index=await self._data.index(Field.PHONE, phone),
            identifies=holder in (None, user_id),
        )

    async def _put(
        self,
        connection: AsyncConnection,
        user_id: UUID,
        field: Field,
        key: DataKey,
        value: str,
        now: datetime,
        *,
        index: bytes | None = None,
        identifies: bool = False,
    ) -> None:
        values = {
            "sealed": key.seal(field, value),
            "blind_index": index,
            "identifies": identifies,
            "recorded_at": now,
        }
        await connection.execute(
            upsert(personal_field)
            .values(user_id=user_id, field=field.value, **values)
            .on_conflict_do_update(index_elements=["user_id", "field"], set_=values)
        )

    async def _grant(
        self,
        connection: AsyncConnection,
        user_id: UUID,
        request: OpenUserRequest,
        client_id: str,
        now: datetime,
    ) -> None:
        if not request.entitlements:
            return
        person = await self.read(connection, user_id)
        if person.status != Status.ACTIVE:
            raise PersonStateError(field="entitlements", status=person.status)
        key = await self.key_of(connection, person)
        await grant_entitlements(
            connection, key, user_id, request.entitlements, granted_by=client_id, now=now
        )


def _refuse_other(holder: UUID | None, user_id: UUID, field: str) -> None:
    if holder not in (None, user_id):
        raise PersonExistsError(field=field, user_id=str(holder))
