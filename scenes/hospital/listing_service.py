"""The front door of lists: a hospital's rows as its own system asks for them, page by page.

Patients bear the name they have with the hospital. Whoever asks for patients themselves sees them
masked, and each look is written down for the citizen to read.
"""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final, TypeVar
from typing import cast as as_type
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Row,
    Table,
    Text,
    Uuid,
    cast,
    exists,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.books import transaction
from cardcore.business.merchants import names_of_merchants
from cardcore.caller import Caller, Scope
from cardcore.errors import NotFoundError
from cardcore.user.access_log import Access, Purpose
from scenes.hospital.counter import Counter
from scenes.hospital.listed_rows import ListedPatient, ListedPlace
from scenes.hospital.listings import NOW, PATIENTS, PLACES, Listing
from scenes.hospital.payments import Surroundings
from scenes.hospital.sealed_records import RECORDS, SealedRecords
from scenes.hospital.tables import patient, registration, visit

RowT = TypeVar("RowT")
Conditions = Sequence[ColumnElement[bool]]
ACTIVE: Final = "active"


class ListingService(Counter):
    """Serves lists. All calls may be made concurrently."""

    def __init__(self, around: Surroundings, records: SealedRecords) -> None:
        Counter.__init__(self, around)
        self._records = records

    async def list_rows(
        self,
        caller: Caller,
        listing: Listing[RowT],
        conditions: Conditions,
        *,
        after: Sequence[object] = (),
        limit: int,
    ) -> list[RowT]:
        """Rows of the caller's hospital that meet all conditions, in the order of the list's key.

        Args:
            caller: a hospital's system sees its own rows, the card centre's those of all.
            listing: which list.
            conditions: on the columns of the list.
            after: the key of the row the page before ended with; empty: from the first.
            limit: how many at most.
        """
        caller.require(Scope.HOSPITAL_READ)
        return await self._rows(caller, listing, conditions, after, limit)

    async def read_row(
        self, caller: Caller, listing: Listing[RowT], condition: ColumnElement[bool]
    ) -> RowT:
        """The one row that meets the condition. Raises ``NotFoundError``."""
        caller.require(Scope.HOSPITAL_READ)
        return await self.row_of(caller, listing, condition)

    async def row_of(
        self, caller: Caller, listing: Listing[RowT], condition: ColumnElement[bool]
    ) -> RowT:
        """As ``read_row``, of what the caller names or has just changed: that needs no scope.

        Raises:
            NotFoundError: no such row of this caller.
        """
        found = await self._rows(caller, listing, [condition], (), 1)
        if not found:
            raise NotFoundError
        return found[0]

    async def ids_of_patient(self, caller: Caller, subject: str) -> list[UUID]:
        """All ids of whoever has this name with the caller's hospital; none: nobody has."""
        named = PATIENTS.column("subject") == subject
        async with transaction(self._around.engine) as (connection, _):
            rows = await self._patients(connection, caller, [named], (), 1)
            if not rows:
                return []
            return await self._records.ids_of(RECORDS, connection, rows[0].user_id)

    # -- parts -------------------------------------------------------------------------------------

    async def _rows(
        self,
        caller: Caller,
        listing: Listing[RowT],
        conditions: Conditions,
        after: Sequence[object],
        limit: int,
    ) -> list[RowT]:
        async with transaction(self._around.engine) as (connection, _):
            if as_type("object", listing) is PATIENTS:
                found = await self._patients(connection, caller, conditions, after, limit)
                return as_type("list[RowT]", await self._masked(connection, caller, found))
            rows = await self._page(connection, caller, listing, conditions, after, limit)
            if as_type("object", listing) is PLACES:
                places = as_type("list[ListedPlace]", rows)
                return as_type("list[RowT]", await _with_names(connection, places))
            return await self._with_subjects(connection, rows)

    async def _page(
        self,
        connection: AsyncConnection,
        caller: Caller,
        listing: Listing[RowT],
        conditions: Conditions,
        after: Sequence[object],
        limit: int,
    ) -> list[RowT]:
        key = [listing.column(name) for name in listing.key]
        asked = list(conditions)
        if caller.merchant_id is not None:
            asked.append(listing.column("merchant_id") == caller.merchant_id)
        if after:
            asked.append(tuple_(*key) > tuple_(*after))
        known = {NOW: self._around.clock()}
        whole = listing.rows if listing.whole is None else listing.whole
        if limit > 1 or listing.whole is not None:
            # Keys first: what a row gathers from elsewhere is gathered for this page alone.
            ordered = select(*key).where(*asked).order_by(*key).limit(limit)
            page = (await connection.execute(ordered, known)).all()
            key = [whole.c[name] for name in listing.key]
            asked = [tuple_(*key).in_([tuple(one) for one in page])]
        found = await connection.execute(
            select(whole).where(*asked).order_by(*key).limit(limit), known
        )
        return [_row_of(listing, row) for row in found]

    async def _patients(
        self,
        connection: AsyncConnection,
        caller: Caller,
        conditions: Conditions,
        after: Sequence[object],
        limit: int,
    ) -> list[ListedPatient]:
        """People as they are named; whoever was not named before is named where that is needed."""
        found: list[ListedPatient] = []
        if limit == 1:  # somebody is asked for by name, and most have been named
            found = await self._page(connection, caller, PATIENTS, conditions, after, limit)
        if not found:
            await self._name_everybody(connection, caller)
            found = await self._page(connection, caller, PATIENTS, conditions, after, limit)
        return found

    async def _name_everybody(self, connection: AsyncConnection, caller: Caller) -> None:
        """Name whoever has ever registered or been here and is not named yet."""
        people: set[tuple[str, UUID]] = set()
        for table in (registration, visit):
            people |= await _unnamed(connection, table, caller.merchant_id)
        await self._name(connection, people)

    async def _name(
        self, connection: AsyncConnection, people: set[tuple[str, UUID]]
    ) -> dict[tuple[str, UUID], str]:
        """Write down what these people are called by these hospitals."""
        names: dict[tuple[str, UUID], str] = {}
        for merchant_id in {one for one, _ in people}:
            ids = sorted(user_id for hospital, user_id in people if hospital == merchant_id)
            told = self._records.pseudonyms_at(RECORDS, merchant_id, ids)
            names |= {(merchant_id, user_id): name for user_id, name in zip(ids, told, strict=True)}
        if names:
            # In one statement: a hospital that asks for the first time may have a hundred thousand.
            known = sorted(names.items())
            rows = select(
                func.unnest(cast([one for (one, _), _ in known], ARRAY(Text))),
                func.unnest(cast([user_id for (_, user_id), _ in known], ARRAY(Uuid))),
                func.unnest(cast([name for _, name in known], ARRAY(Text))),
                literal(self._around.clock(), DateTime(timezone=True)),
            )
            columns = ["merchant_id", "user_id", "subject", "named_at"]
            await connection.execute(
                insert(patient).from_select(columns, rows).on_conflict_do_nothing()
            )
        return names

    async def _with_subjects(self, connection: AsyncConnection, rows: list[RowT]) -> list[RowT]:
        """The same rows, everybody in them named."""
        people = {
            (row.merchant_id, row.user_id)  # type: ignore[attr-defined]
            for row in rows
            if getattr(row, "subject", "") is None
        }
        names = await self._name(connection, people)
        return [
            replace(row, subject=names[row.merchant_id, row.user_id])  # type: ignore[attr-defined,type-var]
            if getattr(row, "subject", "") is None
            else row
            for row in rows
        ]

    async def _masked(
        self, connection: AsyncConnection, caller: Caller, people: list[ListedPatient]
    ) -> list[ListedPatient]:
        access = Access(
            client_id=caller.client_id, purpose=Purpose.SERVICE, at=self._around.clock()
        )
        ids = [one.user_id for one in people]
        shown = await self._records.show_masked(RECORDS, connection, ids, access)
        merged_into = {
            (one.merchant_id, seen.user_id)
            for one, seen in zip(people, shown, strict=True)
            if seen.user_id != one.user_id
        }
        names = await self._name(connection, merged_into)
        masked = []
        for one, seen in zip(people, shown, strict=True):
            merged = seen.user_id != one.user_id
            masked.append(
                replace(
                    one,
                    active=seen.status == ACTIVE and not merged,
                    name=seen.name,
                    id_no=seen.id_no,
                    phone=seen.phone,
                    survivor=names[one.merchant_id, seen.user_id] if merged else None,
                )
            )
        return masked


def _row_of(listing: Listing[RowT], found: Row[Any]) -> RowT:
    columns = found._mapping  # noqa: SLF001  (SQLAlchemy's public name for it)
    kind = listing.row
    assert is_dataclass(kind)
    values = {one.name: columns[one.name] for one in fields(kind) if one.name in columns}
    if listing.lines is not None:
        values["lines"] = tuple(listing.lines(line) for line in values["lines"])
    return listing.row(**values)


async def _unnamed(
    connection: AsyncConnection, table: Table, merchant_id: str | None
) -> set[tuple[str, UUID]]:
    named = exists().where(
        patient.c.merchant_id == table.c.merchant_id, patient.c.user_id == table.c.user_id
    )
    query = select(table.c.merchant_id, table.c.user_id).where(~named).distinct()
    if merchant_id is not None:
        query = query.where(table.c.merchant_id == merchant_id)
    return {(row.merchant_id, row.user_id) for row in await connection.execute(query)}


async def _with_names(connection: AsyncConnection, places: list[ListedPlace]) -> list[ListedPlace]:
    """Hospitals are merchants of the core, which knows what they are called."""
    unnamed = [one.merchant_id for one in places if one.name_zh is None]
    names = await names_of_merchants(connection, unnamed) if unnamed else {}
    named = []
    for one in places:
        zh, en = names.get(one.merchant_id, (one.name_zh, one.name_en))
        named.append(one if one.name_zh else replace(one, name_zh=zh, name_en=en))
    return named
