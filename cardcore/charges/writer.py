"""Books charges and giving back, thousands at a time, in the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Final
from uuid import UUID

from psycopg.errors import CheckViolation
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.account.chart import (
    AccountCode,
    arrears_of,
    arrears_payable,
)
from cardcore.account.claims import Claims
from cardcore.account.fund_life import landing_accounts
from cardcore.account.funding_policy import FundingPlans
from cardcore.books import account, open_accounts
from cardcore.business.holds import Holds
from cardcore.business.quote import Payer
from cardcore.calendar import business_date
from cardcore.caller import Caller
from cardcore.charges.charge import Charge, ChargeResult, GiveBack, OvertakenError
from cardcore.charges.deciding import (
    BOOKS_REFUSED,
    OWED_UNKNOWN,
    DecidedCharge,
    DecidedReturn,
    Made,
    decide_charge,
    decide_return,
)
from cardcore.charges.facts import (
    ChargeFacts,
    read_delegations,
    read_lines_left,
    read_money,
    read_owed,
    read_payables,
    read_people,
)
from cardcore.charges.rows import write_charges, write_returns
from cardcore.connections import RawConnection
from cardcore.ids import RandomBytes, new_id, new_ids
from cardcore.terminals.record_facts import Holder
from ledger import Ledger, Transfer
from ledger.errors import AccountsMovedOnError
from ledger.periods import closed_through

TRANSFERS_PER_BATCH_MAX: Final = 8_000
_BOOKED: Final = "created"
_UNDECIDED: Final = ChargeResult(None, OWED_UNKNOWN)
_HOLDING: Final = (
    "SELECT order_id FROM cardcore.business_order WHERE order_id = ANY(%s)"
    " AND status IN ('held', 'part_captured') AND hold_expires_at > %s ORDER BY order_id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """One result per charge and per giving back, in the order they were asked."""

    charges: Sequence[ChargeResult]
    returns: Sequence[ChargeResult]


class ChargeWriter:
    """Books what scenes charge late. ``plans`` name the funds a scene may draw on."""

    def __init__(
        self,
        *,
        book: Ledger,
        plans: FundingPlans,
        random_bytes: RandomBytes,
        cut_off: time,
    ) -> None:
        self._book = book
        self._plans = plans
        self._random_bytes = random_bytes
        self._cut_off = cut_off
        self._claims = Claims(book, random_bytes)
        self._holds = Holds(book, random_bytes)

    async def book(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        charges: Sequence[Charge],
        returns: Sequence[GiveBack],
        client_id: str,
        now: datetime,
        people: Mapping[UUID, Holder] | None = None,
    ) -> Booked:
        """Book what can be; what cannot is told why and leaves nothing.

        Args:
            connection: the caller's transaction.
            raw: the same one.
            charges: in the order their people's money is drawn on.
            returns: booked before the charges, so that what goes back can be spent again.
            client_id: who is written down as having asked.
            now: when.
            people: those the charges name, where the caller has read them already.

        Raises:
            OvertakenError, psycopg.errors.UniqueViolation, psycopg.errors.SerializationFailure,
            psycopg.errors.DeadlockDetected: another writer was first; roll back and do the whole
                transaction again.
        """
        facts = ChargeFacts(
            people=dict(people)
            if people is not None
            else await read_people(raw, {one.user_id for one in charges}),
            payables=await read_payables(raw, {one.merchant_id for one in charges}),
            lines_left=await read_lines_left(raw, {one.order_id for one in returns}),
        )
        given = await self._give_back(connection, raw, facts, returns, client_id, now)
        await read_delegations(raw, facts, {one.user_id for one in charges})
        await read_money(raw, self._book, facts, {one.user_id for one in charges})
        closed_on = await closed_through(self._book)
        made = Made(
            client_id=client_id,
            now=now,
            funding_version=self._plans.version,
            kinds=cache(self._plans.kinds),
            first_open_on=None if closed_on is None else closed_on + timedelta(days=1),
            cut_off=self._cut_off,
        )
        taken = await self._charge(raw, facts, charges, made)
        return Booked(charges=taken, returns=given)

    async def release_holds(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        order_ids: Sequence[UUID],
        *,
        client_id: str,
        now: datetime,
    ) -> int:
        """Release what these orders still hold: what is owed in their place is charged next.

        Returns:
            How many held something.
        """
        if not order_ids:
            return 0
        found = await raw.execute(_HOLDING, (list(order_ids), now))
        caller = Caller(client_id=client_id, merchant_id=None, scopes=frozenset())
        holding = [order_id for (order_id,) in await found.fetchall()]
        for order_id in holding:
            await self._holds.void(connection, raw, caller=caller, order_id=order_id, now=now)
        return len(holding)

    async def _charge(
        self, raw: RawConnection, facts: ChargeFacts, charges: Sequence[Charge], made: Made
    ) -> list[ChargeResult]:
        if not charges:
            return []
        decided, results = await self._decide(raw, facts, charges, made)
        await self._open_arrears(raw, decided)
        posted = await self._post(raw, [one.transfers for one in decided])
        for one, fine in zip(decided, posted, strict=True):
            if not fine:
                results[one.place] = ChargeResult(effect_id=None, refusal=BOOKS_REFUSED)
        booked = [one for one, fine in zip(decided, posted, strict=True) if fine]
        try:
            await write_charges(raw, booked, made.now)
        except CheckViolation as violation:
            if violation.diag.constraint_name != "limit_counter_within":
                raise
            raise OvertakenError from violation
        return results

    async def _decide(
        self, raw: RawConnection, facts: ChargeFacts, charges: Sequence[Charge], made: Made
    ) -> tuple[list[DecidedCharge], list[ChargeResult]]:
        """What people owe is read of those only whose funds do not reach; they are decided last."""
        results = [_UNDECIDED] * len(charges)
        decided: list[DecidedCharge] = []
        order_ids = new_ids(made.now, self._random_bytes, len(charges))
        short: dict[UUID, list[int]] = {}

        def decide(place: int) -> str:
            one = decide_charge(place, order_ids[place], charges[place], facts, made)
            if not isinstance(one, str):
                decided.append(one)
                results[place] = ChargeResult(one.order_id)
                return ""
            results[place] = ChargeResult(None, one)
            return one

        for place, charge in enumerate(charges):
            if charge.user_id in short:
                short[charge.user_id].append(place)
            elif decide(place) == OWED_UNKNOWN:
                short[charge.user_id] = [place]
        if short:
            await read_owed(raw, self._book, facts, short.keys())
            for places in short.values():
                for place in places:
                    decide(place)
        return decided, results

    async def _give_back(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        facts: ChargeFacts,
        returns: Sequence[GiveBack],
        client_id: str,
        now: datetime,
    ) -> list[ChargeResult]:
        if not returns:
            return []
        came_from = {
            one.line.debit_account_id
            for lines in facts.lines_left.values()
            for one in lines
            if one.line.debit_account_id is not None
        }
        landing = await landing_accounts(connection, came_from)
        results: list[ChargeResult] = []
        decided: list[DecidedReturn] = []
        for place, asked in enumerate(returns):
            refund_id = new_id(now, self._random_bytes)
            one = decide_return(place, refund_id, asked, facts, landing)
            if isinstance(one, str):
                results.append(ChargeResult(effect_id=None, refusal=one))
            else:
                decided.append(one)
                results.append(ChargeResult(effect_id=refund_id))
        posted = await self._post(raw, [one.transfers for one in decided])
        for one, fine in zip(decided, posted, strict=True):
            if not fine:
                results[one.place] = ChargeResult(effect_id=None, refusal=BOOKS_REFUSED)
        booked = [one for one, fine in zip(decided, posted, strict=True) if fine]
        on: date = business_date(now, self._cut_off)
        await write_returns(raw, booked, client_id=client_id, now=now, business_on=on)
        for one in booked:
            # The person, or whoever paid for them, has closed since: the money waits for them.
            await self._claims.write_homeless(
                connection,
                [
                    (left.line.debit_account_id, fen)
                    for left, fen in one.shares
                    if left.line.payer == Payer.CITIZEN.value and left.line.debit_account_id
                ],
                landing,
                reason="refund",
                now=now,
            )
        return results

    async def _post(self, raw: RawConnection, chains: Sequence[Sequence[Transfer]]) -> list[bool]:
        """Put chains of transfers into the ledger; tells of each whether it was booked."""
        fine: list[bool] = []
        for part in _batches(chains):
            transfers = [transfer for chain in part for transfer in chain]
            begun = await self._book.begin(raw)
            try:
                # Operators' payables are everybody's: another writer has always just changed them.
                outcomes = await self._book.create_new_transfers(
                    begun, transfers, from_memory=False
                )
            except AccountsMovedOnError as error:
                raise OvertakenError from error
            start = 0
            for chain in part:
                end = start + len(chain)
                fine.append(all(name == _BOOKED for name in outcomes[start:end]))
                start = end
        return fine

    async def _open_arrears(self, raw: RawConnection, decided: Sequence[DecidedCharge]) -> None:
        owing = [one for one in decided if one.owing]
        if owing:
            people = {one.user_id for one in owing}
            merchants = {one.merchant_id for one in owing}
            debts = [account(arrears_of(one), AccountCode.ARREARS) for one in people]
            payables = [
                account(arrears_payable(one), AccountCode.MERCHANT_ARREARS_PAYABLE)
                for one in merchants
            ]
            await open_accounts(self._book, [*debts, *payables], raw)


def _batches(chains: Sequence[Sequence[Transfer]]) -> list[list[Sequence[Transfer]]]:
    """Chains in parts the ledger takes at once; a chain is never torn."""
    parts: list[list[Sequence[Transfer]]] = []
    size = TRANSFERS_PER_BATCH_MAX
    for chain in chains:
        if size + len(chain) > TRANSFERS_PER_BATCH_MAX:
            parts.append([])
            size = 0
        parts[-1].append(chain)
        size += len(chain)
    return parts
