"""What falls due of funds without anybody asking: each harmless when done twice, or late."""

from datetime import date, datetime, time, timedelta
from typing import Final

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.account.custody import LEDGER_SEAL_KEY, read_custody
from cardcore.account.effect import Effect
from cardcore.account.fund_tables import custody_check
from cardcore.account.subsidies import Subsidies
from cardcore.account.views import CustodyView
from cardcore.books import transaction
from cardcore.calendar import business_date
from cardcore.ids import RandomBytes, new_id
from ledger import Ledger
from ledger.as_of import roll_up
from ledger.business_day import instant_ns
from ledger.seals import Signer, seal_day

WORKER: Final = "worker"


class FundDuties:
    """The worker's part of the account room."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        book: Ledger,
        signer: Signer,
        random_bytes: RandomBytes,
        cut_off: time,
    ) -> None:
        self._engine = engine
        self._book = book
        self._signer = signer
        self._random_bytes = random_bytes
        self._cut_off = cut_off
        self._subsidies = Subsidies(book, random_bytes)

    async def return_ended(self, now: datetime) -> int:
        """Return what is left of programmes that have ended to who gave it.

        Returns:
            How many funds gave something back.
        """
        async with transaction(self._engine) as (connection, raw):
            return await self._subsidies.return_ended(
                Effect(
                    connection=connection,
                    raw=raw,
                    client_id=WORKER,
                    now=now,
                    on=business_date(now, self._cut_off),
                )
            )

    async def check_custody(self, now: datetime) -> CustodyView | None:
        """Seal the business date that is over, and check custody as of it; once per date.

        A check that found a difference is made again at each call, until one finds none: the alarm
        ends by itself when the books are right again.

        Returns:
            What was found; None where the date was checked before and found right.
        """
        on = business_date(now, self._cut_off) - timedelta(days=1)
        if await self._found_right(on):
            return None
        await roll_up(self._book)
        seal = await seal_day(
            self._book, self._signer, key_label=LEDGER_SEAL_KEY, day=on, now_ns=instant_ns(now)
        )
        async with transaction(self._engine) as (_, raw):
            found = await read_custody(raw, on)
        checked = found.model_copy(
            update={"seal_number": None if seal is None else seal.number, "checked_at": now}
        )
        async with transaction(self._engine) as (connection, _):
            await connection.execute(
                insert(custody_check).values(
                    check_id=new_id(now, self._random_bytes),
                    business_on=on,
                    difference_fen=found.difference_fen,
                    trial_balance_fen=found.trial_balance_fen,
                    sums={"covering": found.covering, "covered": found.covered},
                    counters_off=found.counters_off,
                    seal_number=checked.seal_number,
                    checked_at=now,
                )
            )
        return checked

    async def _found_right(self, on: date) -> bool:
        check = custody_check.c
        async with transaction(self._engine) as (connection, _):
            row = (
                await connection.execute(
                    select(check.difference_fen, check.trial_balance_fen, check.counters_off)
                    .where(check.business_on == on)
                    .order_by(check.checked_at.desc())
                    .limit(1)
                )
            ).one_or_none()
        return row is not None and not any(row)
