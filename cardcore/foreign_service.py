"""Citizens of other cities on our buses: their issuers registered, and billed by a file a day.

They have no account here (ADR 171).
"""

from datetime import date, datetime
from typing import Final

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.account.chart import (
    AccountCode,
    account_id,
)
from cardcore.books import account, open_accounts, transaction
from cardcore.business.foreign_clearing import ClearedRide, write_clearing_file
from cardcore.business.foreign_request import (
    ClearingFileUnknownError,
    ClearingFileView,
    ForeignIssuerUnknownError,
    IssuerView,
    RegisterIssuerRequest,
)
from cardcore.business.foreign_tables import (
    foreign_clearing_file,
    foreign_clearing_ride,
    foreign_issuer,
    foreign_ride,
    foreign_root,
)
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.errors import (
    ForbiddenError,
    OrderConflictError,
)
from cardcore.foreign_rides import ForeignRides
from cardcore.ids import new_id
from cardcore.user.personal_data import WRAPPING_KEY

CLEARING_KEY: Final = "foreign-clearing"


class ForeignService(ForeignRides):
    """Serves rides by foreign codes, and the files of their issuers."""

    async def register_issuer(self, caller: Caller, request: RegisterIssuerRequest) -> IssuerView:
        """Register an issuer and its root; the same again changes nothing.

        Raises:
            OrderConflictError: the issuer, or the root's index, is known otherwise.
        """
        caller.require(Scope.SCENES_WRITE)
        if caller.merchant_id is not None:
            raise ForbiddenError("issuers are registered by the card centre")
        now = self._parts.clock()
        receivable_id = account_id(f"issuer_receivable:{request.issuer}")
        async with transaction(self._parts.engine) as (connection, raw):
            await open_accounts(
                self._parts.book, [account(receivable_id, AccountCode.ISSUER_RECEIVABLE)], raw
            )
            written = {"recorded_by": caller.client_id, "recorded_at": now}
            root = {"root_index": request.root_index, "public_key": bytes.fromhex(request.root_key)}
            issuer = request.model_dump(exclude={"root_index", "root_key"})
            for table, values in ((foreign_root, root), (foreign_issuer, issuer)):
                more = {"receivable_id": receivable_id} if table is foreign_issuer else {}
                await connection.execute(
                    upsert(table).values(**values, **more, **written).on_conflict_do_nothing()
                )
                key = next(iter(values))
                stands = (
                    await connection.execute(select(table).where(table.c[key] == values[key]))
                ).one()
                if any(stands._mapping[name] != value for name, value in values.items()):  # noqa: SLF001  (documented name)
                    raise OrderConflictError(field=key)
            return await self._issuer(connection, raw, request.issuer)

    async def read_issuer(self, caller: Caller, issuer: str) -> IssuerView:
        """An issuer and what it owes. Raises ``ForeignIssuerUnknownError``."""
        caller.require(Scope.REPORTS_READ)
        async with transaction(self._parts.engine) as (connection, raw):
            return await self._issuer(connection, raw, issuer)

    async def clearing_file(self, caller: Caller, issuer: str, on: date) -> ClearingFileView:
        """A day's file; made when it is first asked for, once the day is over.

        Raises:
            ForeignIssuerUnknownError: no such issuer.
            ClearingFileUnknownError: the day is not over.
        """
        caller.require(Scope.REPORTS_READ)
        if caller.merchant_id is not None:
            raise ForbiddenError("an issuer's file is not a merchant's")
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, raw):
            await self._issuer(connection, raw, issuer)
        if on >= business_date(now, self._parts.cut_off):
            raise ClearingFileUnknownError(field="business_on")
        await self._make_file(issuer, on, now)
        ring = {key.label: key.public_key for key in await self._parts.hsm.list_keys()}
        f = foreign_clearing_file.c
        async with transaction(self._parts.engine) as (connection, _):
            row = (
                await connection.execute(
                    select(foreign_clearing_file).where(f.issuer == issuer, f.business_on == on)
                )
            ).one()
        return ClearingFileView(
            issuer=issuer,
            business_on=on,
            rides_count=row.rides_count,
            sum_fen=row.sum_fen,
            sha256=row.sha256.hex(),
            signature=row.signature.hex(),
            public_key=ring[CLEARING_KEY].hex(),
            made_at=row.made_at,
            content=row.content.decode(),
        )

    # -- parts -----------------------------------------------------------------------------------

    async def _issuer(
        self, connection: AsyncConnection, raw: RawConnection, issuer: str
    ) -> IssuerView:
        row = (
            await connection.execute(
                select(foreign_issuer).where(foreign_issuer.c.issuer == issuer)
            )
        ).one_or_none()
        if row is None:
            raise ForeignIssuerUnknownError(field="issuer")
        (owing,) = await self._parts.book.lookup_accounts([row.receivable_id.int], connection=raw)
        return IssuerView(
            issuer=row.issuer,
            name_zh=row.name_zh,
            name_en=row.name_en,
            concessions=row.concessions,
            receivable_fen=owing.debits_posted - owing.credits_posted,
        )

    async def _make_file(self, issuer: str, on: date, now: datetime) -> None:
        """Put every ride up to a date that lies in no file yet into this date's, once."""
        f, r, inside = foreign_clearing_file.c, foreign_ride.c, foreign_clearing_ride.c
        async with transaction(self._parts.engine) as (connection, _):
            # Locked by the issuer: two files at once must not share a ride.
            await connection.execute(
                select(foreign_issuer.c.issuer)
                .where(foreign_issuer.c.issuer == issuer)
                .with_for_update()
            )
            made = await connection.scalar(
                select(f.file_id).where(f.issuer == issuer, f.business_on == on)
            )
            if made is not None:
                return
            rows = (
                await connection.execute(
                    select(foreign_ride)
                    .outerjoin(foreign_clearing_ride, inside.ride_id == r.ride_id)
                    .where(r.issuer == issuer, r.business_on <= on, inside.ride_id.is_(None))
                    .order_by(r.ride_id)
                )
            ).all()
            rides = [
                ClearedRide(
                    ride_id=row.ride_id,
                    account=(
                        await self._parts.hsm.unwrap(
                            WRAPPING_KEY, row.account_sealed, context=row.ride_id.bytes
                        )
                    ).decode("ascii"),
                    merchant_id=row.merchant_id,
                    terminal_id=row.terminal_id,
                    occurred_at=row.occurred_at,
                    generated_at=row.generated_at,
                    amount_fen=row.issuer_fen,
                )
                for row in rows
            ]
            written = write_clearing_file(issuer, on, rides)
            file_id = new_id(now, self._parts.random_bytes)
            await connection.execute(
                insert(foreign_clearing_file).values(
                    file_id=file_id,
                    issuer=issuer,
                    business_on=on,
                    rides_count=written.rides_count,
                    sum_fen=written.sum_fen,
                    content=written.content,
                    sha256=written.sha256,
                    signature=await self._parts.hsm.sign(CLEARING_KEY, written.content),
                    made_at=now,
                )
            )
            for ride in rides:
                await connection.execute(
                    insert(foreign_clearing_ride).values(ride_id=ride.ride_id, file_id=file_id)
                )
