"""What charges are compared with, each question asked once for all of them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg import AsyncCursor

from cardcore.account.chart import arrears_of
from cardcore.bulk import packed_array, teach_arrays
from cardcore.business.dispute_states import CLAIMING
from cardcore.business.limits import CounterKey
from cardcore.business.order_facts import DELEGATION, delegation_of
from cardcore.business.orders import OrderLine
from cardcore.connections import RawConnection
from cardcore.terminals.record_booking import Payables
from cardcore.terminals.record_facts import Holder
from cardcore.user.delegation import Delegation
from ledger import Account, Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLeft:
    """A line of a captured order and what of it neither went back nor is disputed.

    A line of arrears is in parts: what is still owed, and what each payment of it gave, which
    goes back to the fund that paid (``payment_id``). ``part_no`` numbers the transfer.
    """

    merchant_id: str
    user_id: UUID
    line: OrderLine
    left_fen: int
    part_no: int
    payment_id: UUID | None = None


@dataclass(slots=True, kw_only=True)
class ChargeFacts:
    """The answers; ``balances`` by fund and ``owed_fen`` by person as deciding leaves them.

    ``people`` are found by the id they were asked by, which may be of someone merged since.
    """

    people: dict[UUID, Holder] = field(default_factory=dict)
    payables: dict[str, Payables] = field(default_factory=dict)
    balances: dict[UUID, int] = field(default_factory=dict)
    owed_fen: dict[UUID, int] = field(default_factory=dict)
    lines_left: dict[UUID, list[LineLeft]] = field(default_factory=dict)
    delegations: dict[UUID, list[Delegation]] = field(default_factory=dict)
    limits_used: dict[CounterKey, int] = field(default_factory=dict)


_LOOKUP_MAX: Final = 8_000
_PEOPLE: Final = (
    "SELECT user_id, merged_into, level, status <> 'active' FROM cardcore.person"
    " WHERE user_id = ANY(%b)"
)
_FUNDS: Final = (
    "SELECT user_id, kind, fund_id FROM cardcore.fund WHERE user_id = ANY(%b) AND status = 'active'"
)
_ENTITLEMENTS: Final = (
    "SELECT user_id, class, valid_from, valid_to FROM cardcore.entitlement WHERE user_id = ANY(%b)"
)
# One that was revoked meanwhile may have been in force at the journey.
_DELEGATIONS: Final = f"""
SELECT d.user_id, {DELEGATION}
  FROM cardcore.delegation d JOIN cardcore.person y ON y.user_id = d.payer_id
 WHERE d.user_id = ANY(%b)
 ORDER BY d.recorded_at, d.delegation_id
"""  # noqa: S608  (our constants)
_ARREARS_MAX: Final = (
    "SELECT level, arrears_fen_max FROM cardcore.offline_limit WHERE code_class = 'D'"
)
_PAYABLES: Final = (
    "SELECT merchant_id, payable_id, subsidy_payable_id FROM cardcore.merchant"
    " WHERE merchant_id = ANY(%s)"
)
_LOCK_ORDERS: Final = (
    "SELECT order_id FROM cardcore.business_order WHERE order_id = ANY(%s)"
    " ORDER BY order_id FOR NO KEY UPDATE"
)
_LINES_LEFT: Final = """
SELECT o.order_id, o.merchant_id, o.user_id, l.line_no, l.payer, l.fund, l.amount_fen,
       l.debit_account_id, l.credit_account_id, l.transfer_id, l.rule_id, l.rule_version,
       l.reason_zh, l.reason_en,
       l.amount_fen
       - coalesce((SELECT sum(g.amount_fen) FROM cardcore.refund r
                     JOIN cardcore.refund_line g USING (refund_id)
                    WHERE r.order_id = l.order_id AND g.line_no = l.line_no), 0)
       - coalesce((SELECT sum(g.amount_fen) FROM cardcore.dispute d
                     JOIN cardcore.dispute_line g USING (dispute_id)
                    WHERE d.order_id = l.order_id AND g.line_no = l.line_no
                      AND d.status = ANY(%s)), 0)
  FROM cardcore.business_order o JOIN cardcore.order_line l USING (order_id)
 WHERE o.order_id = ANY(%s) AND o.mode = 'pay' AND o.status IN ('captured', 'refunded')
   AND l.amount_fen > 0
 ORDER BY o.order_id, l.line_no
"""


# Locked, so that nothing is paid of them meanwhile.
_ARREARS: Final = """
SELECT a.order_id, a.line_no, a.amount_fen - a.paid_fen - a.waived_fen, m.payable_id,
       (SELECT json_agg(json_build_array(
                   p.payment_id, p.fund_id,
                   p.amount_fen - coalesce((SELECT sum(r.amount_fen) FROM cardcore.arrears_return r
                                             WHERE r.payment_id = p.payment_id), 0))
                   ORDER BY p.recorded_at, p.payment_id)
          FROM cardcore.arrears_payment p
         WHERE p.order_id = a.order_id AND p.line_no = a.line_no)
  FROM cardcore.arrears a JOIN cardcore.merchant m USING (merchant_id)
 WHERE a.order_id = ANY(%s) ORDER BY a.order_id, a.line_no FOR UPDATE OF a
"""
_PAYMENT_PARTS: Final = 20_000


async def read_people(raw: RawConnection, user_ids: Collection[UUID]) -> dict[UUID, Holder]:
    """Whoever these ids mean today, with their funds and entitlements; unknown ids are left out."""
    if not user_ids:
        return {}
    teach_arrays(raw)
    async with raw.cursor(binary=True) as cursor:
        rows = await _of_people(cursor, _PEOPLE, user_ids)
        merged = {user_id: survivor for user_id, survivor, *_ in rows if survivor is not None}
        if merged:
            rows += await _of_people(cursor, _PEOPLE, set(merged.values()).difference(user_ids))
        await cursor.execute(_ARREARS_MAX)
        arrears_max = dict(await cursor.fetchall())
        everybody = [user_id for user_id, survivor, *_ in rows if survivor is None]
        funds: dict[UUID, list[tuple[str, UUID]]] = {}
        for user_id, kind, fund_id in await _of_people(cursor, _FUNDS, everybody):
            funds.setdefault(user_id, []).append((kind, fund_id))
        classes: dict[UUID, list[tuple[str, date, date]]] = {}
        for user_id, *granted in await _of_people(cursor, _ENTITLEMENTS, everybody):
            classes.setdefault(user_id, []).append(tuple(granted))
    found = {
        user_id: Holder(
            user_id,
            level,
            barred,
            arrears_fen_max=arrears_max.get(level, 0),
            concessions=tuple(classes.get(user_id, ())),
            fund_ids=tuple(funds.get(user_id, ())),
        )
        for user_id, survivor, level, barred in rows
        if survivor is None
    }
    return found | {
        user_id: found[survivor] for user_id, survivor in merged.items() if survivor in found
    }


async def _of_people(
    cursor: AsyncCursor[Any], statement: LiteralString, user_ids: Iterable[UUID]
) -> list[Any]:
    await cursor.execute(statement, (packed_array("uuid", list(user_ids)),))
    return await cursor.fetchall()


async def read_payables(raw: RawConnection, merchant_ids: Collection[str]) -> dict[str, Payables]:
    """Where the money of each merchant is booked."""
    found = await raw.execute(_PAYABLES, (sorted(merchant_ids),))
    return {
        merchant_id: Payables(
            merchant_id=merchant_id, payable_id=payable, subsidy_payable_id=subsidy
        )
        for merchant_id, payable, subsidy in await found.fetchall()
    }


async def read_merchants_of(raw: RawConnection, terminal_ids: Collection[str]) -> dict[str, str]:
    """The merchant of each registered terminal, in service or not: it may have left since."""
    found = await raw.execute(
        "SELECT terminal_id, merchant_id FROM cardcore.terminal WHERE terminal_id = ANY(%s)",
        (sorted(terminal_ids),),
    )
    return dict(await found.fetchall())


async def read_delegations(
    raw: RawConnection, facts: ChargeFacts, user_ids: Collection[UUID]
) -> None:
    """Who else pays for these people, and what was used of it; before ``read_money``."""
    everybody = {facts.people[one].user_id for one in user_ids if one in facts.people}
    if not everybody:
        return
    teach_arrays(raw)
    async with raw.cursor(binary=True) as cursor:
        for user_id, values in await _of_people(cursor, _DELEGATIONS, everybody):
            one = delegation_of(user_id, values, facts.limits_used)
            facts.delegations.setdefault(user_id, []).append(one)


async def read_money(
    raw: RawConnection, book: Ledger, facts: ChargeFacts, payers: Collection[UUID]
) -> None:
    """What the people who pay something now have, and whoever may pay for them."""
    holders = [facts.people[one] for one in payers if one in facts.people]
    funds = {fund_id.int: fund_id for holder in holders for _, fund_id in holder.fund_ids}
    for delegations in facts.delegations.values():
        funds |= {fund_id.int: fund_id for one in delegations for _, fund_id in one.payer_funds}
    for one in await _accounts(raw, book, list(funds)):
        facts.balances[funds[one.id]] = one.credits_posted - one.debits_posted - one.debits_pending


async def read_owed(
    raw: RawConnection, book: Ledger, facts: ChargeFacts, payers: Collection[UUID]
) -> None:
    """What these people owe; nothing where no account of arrears was ever opened."""
    holders = [facts.people[one] for one in payers if one in facts.people]
    owing = {arrears_of(holder.user_id).int: holder.user_id for holder in holders}
    facts.owed_fen.update(dict.fromkeys(owing.values(), 0))
    for one in await _accounts(raw, book, list(owing)):
        facts.owed_fen[owing[one.id]] = one.debits_posted - one.credits_posted


async def _accounts(raw: RawConnection, book: Ledger, wanted: Sequence[int]) -> list[Account]:
    found: list[Account] = []
    for start in range(0, len(wanted), _LOOKUP_MAX):
        part = wanted[start : start + _LOOKUP_MAX]
        found += await book.lookup_accounts(part, connection=raw)
    return found


async def read_lines_left(
    raw: RawConnection, order_ids: Collection[UUID]
) -> dict[UUID, list[LineLeft]]:
    """What is left of orders that were paid at once; they stay locked until the end."""
    if not order_ids:
        return {}
    ids = sorted(order_ids)
    await raw.execute(_LOCK_ORDERS, (ids,))
    found = await raw.execute(_ARREARS, (ids,))
    owed = {(order_id, line_no): rest for order_id, line_no, *rest in await found.fetchall()}
    found = await raw.execute(_LINES_LEFT, ([one.value for one in CLAIMING], ids))
    lines: dict[UUID, list[LineLeft]] = {}
    for order_id, merchant_id, user_id, *values, left_fen in await found.fetchall():
        line = OrderLine(**dict(zip(_LINE_NAMES, values, strict=True)))
        left = LineLeft(
            merchant_id=merchant_id,
            user_id=user_id,
            line=line,
            left_fen=int(left_fen),
            part_no=line.line_no,
        )
        debt = owed.get((order_id, line.line_no))
        own = lines.setdefault(order_id, [])
        own += [left] if debt is None else _parts_of_debt(left, *debt, first_no=len(own))
    return lines


def _parts_of_debt(
    left: LineLeft,
    open_fen: int,
    payable_id: UUID,
    payments: Sequence[tuple[str, str, int]] | None,
    *,
    first_no: int,
) -> list[LineLeft]:
    """Payments oldest first, then what is still owed: taken from the end, the debt goes first.

    A dispute holds on to the oldest payments (``business.disputes``), so what is left is of the
    latest.
    """
    paid_left_fen = left.left_fen - open_fen
    parts = [replace(left, left_fen=open_fen)]
    for place, (payment_id, fund_id, fen) in enumerate(reversed(payments or ())):
        part_fen = min(fen, paid_left_fen)
        paid_left_fen -= part_fen
        line = replace(left.line, debit_account_id=UUID(fund_id), credit_account_id=payable_id)
        part_no = _PAYMENT_PARTS + first_no + place
        paid = replace(
            left, line=line, left_fen=part_fen, part_no=part_no, payment_id=UUID(payment_id)
        )
        parts.insert(0, paid)
    return parts


_LINE_NAMES: Final = (
    "line_no",
    "payer",
    "fund",
    "amount_fen",
    "debit_account_id",
    "credit_account_id",
    "transfer_id",
    "rule_id",
    "rule_version",
    "reason_zh",
    "reason_en",
)
