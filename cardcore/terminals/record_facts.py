"""What a batch of records must be compared with, each question asked once for all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from cardcore.account.chart import arrears_of
from cardcore.business.limits import CounterKey
from cardcore.business.order_facts import DELEGATION, delegation_of
from cardcore.connections import RawConnection
from cardcore.terminals.gaps import Chain
from cardcore.terminals.record_judging import CodeFacts, JudgedRecord
from cardcore.terminals.use_order import UseOrder
from cardcore.user.delegation import Delegation
from codes.card_tap import TOKEN_SIZE
from ledger import Ledger, wire
from ledger.wire import bigint_array, bytea_array, uuid_array


class Holder(NamedTuple):
    """Whose alias it is, and since when somebody else bears the loss.

    ``barred_at`` is the instant from which the holder is not liable: loss report, revocation,
    freezing. ``barred`` without an instant: nobody knows since when.
    """

    user_id: UUID
    level: str
    barred: bool
    barred_at: datetime | None = None
    cumulative_cap_fen: int | None = None
    arrears_fen_max: int = 0
    concessions: tuple[tuple[str, date, date], ...] = ()
    fund_ids: tuple[tuple[str, UUID], ...] = ()

    def concessions_on(self, day: date) -> frozenset[str]:
        """Entitlement classes valid on a business date."""
        if not self.concessions:
            return _NO_CLASSES
        return frozenset(name for name, first, last in self.concessions if first <= day <= last)


_NO_CLASSES: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRecord:
    """A record that is in the books."""

    digest: bytes
    state: str
    order_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A record of the same terminal and key, by its number."""

    record_id: UUID
    digest: bytes
    occurred_at: datetime


@dataclass(slots=True, kw_only=True)
class RecordFacts:
    """The answers; money as the batch leaves it so far.

    ``latest_before`` is when the record with the next lower number was made, asked for the first of
    each run of numbers; ``balances`` by fund, ``owed_fen`` by person. ``delegations`` are by whom
    they pay for, ended ones too, oldest first; ``limits_used`` what was used of their limits.
    """

    known: dict[UUID, KnownRecord] = field(default_factory=dict)
    neighbours: dict[tuple[int, int], Neighbour] = field(default_factory=dict)
    holders: dict[bytes, Holder] = field(default_factory=dict)
    holders_by_id: dict[UUID, Holder] = field(default_factory=dict)
    spent: dict[bytes, UUID] = field(default_factory=dict)
    spent_by_record: dict[UUID, UUID] = field(default_factory=dict)
    used_fen: dict[bytes, int] = field(default_factory=dict)
    counters: dict[bytes, UseOrder] = field(default_factory=dict)
    chains: dict[int, Chain] = field(default_factory=dict)
    latest_before: dict[tuple[int, int], datetime] = field(default_factory=dict)
    balances: dict[UUID, int] = field(default_factory=dict)
    owed_fen: dict[UUID, int] = field(default_factory=dict)
    delegations: dict[UUID, list[Delegation]] = field(default_factory=dict)
    limits_used: dict[CounterKey, int] = field(default_factory=dict)

    def holder(self, code: CodeFacts) -> Holder | None:
        """Whose it is, or of a card was at the tap; someone merged since is their survivor."""
        if code.holder_id is not None:
            return self.holders_by_id.get(code.holder_id)
        return self.holders.get(code.token)

    def everybody(self) -> list[Holder]:
        """Each once or more."""
        return [*self.holders.values(), *self.holders_by_id.values()]


# An authorisation has few uses and is counted whole; a card is tapped for years.
TAPS_COMPARED: Final = timedelta(days=14)
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext(%s))"
_KNOWN: Final = (
    "SELECT record_id, digest, state, order_id FROM cardcore.terminal_record"
    " WHERE record_id = ANY(%b)"
)
_NEIGHBOURS: Final = (
    "SELECT kid, sequence_no, record_id, digest, occurred_at FROM cardcore.terminal_record"
    " WHERE terminal_id = %s AND sequence_no = ANY(%b)"
)
_HOLDERS: Final = """
WITH subject AS (
    SELECT t.token, NULL::uuid AS asked_id, t.user_id, t.blocked IS NOT NULL AS blocked
      FROM cardcore.code_token t WHERE t.token = ANY(%b)
    UNION ALL
    SELECT NULL, o.user_id, coalesce(o.merged_into, o.user_id), false
      FROM cardcore.person o WHERE o.user_id = ANY(%b)
)
SELECT s.token, s.asked_id, p.user_id, p.level,
       s.blocked OR p.status <> 'active' OR a.revoked_at IS NOT NULL,
       least(
           a.revoked_at,
           (SELECT min(c.liability_from) FROM cardcore.credential c WHERE c.token = s.token),
           CASE WHEN p.status <> 'active' THEN
               (SELECT max(e.recorded_at) FROM cardcore.person_event e
                 WHERE e.user_id = p.user_id AND e.kind IN ('freeze', 'death', 'close', 'merge'))
           END),
       a.cumulative_cap_fen,
       coalesce((SELECT l.arrears_fen_max FROM cardcore.offline_limit l
                  WHERE l.level = p.level AND l.code_class = 'D'), 0),
       (SELECT json_agg(json_build_array(e.class, e.valid_from, e.valid_to))
          FROM cardcore.entitlement e WHERE e.user_id = p.user_id),
       (SELECT json_agg(json_build_array(f.kind, f.fund_id))
          FROM cardcore.fund f WHERE f.user_id = p.user_id AND f.status = 'active')
  FROM subject s
  JOIN cardcore.person p USING (user_id)
  LEFT JOIN cardcore.code_authorisation a ON a.token = s.token
"""
# One that was revoked meanwhile may have been in force at the tap.
_DELEGATIONS: Final = f"""
SELECT d.user_id, {DELEGATION}
  FROM cardcore.delegation d JOIN cardcore.person y ON y.user_id = d.payer_id
 WHERE d.user_id IN (SELECT t.user_id FROM cardcore.code_token t WHERE t.token = ANY(%b)
                      UNION SELECT coalesce(o.merged_into, o.user_id)
                              FROM cardcore.person o WHERE o.user_id = ANY(%b))
 ORDER BY d.recorded_at, d.delegation_id
"""  # noqa: S608  (our constants)
_SPENT: Final = """
SELECT u.replay_key, u.order_id, r.record_id
  FROM cardcore.used_code u LEFT JOIN cardcore.terminal_record r ON r.order_id = u.order_id
 WHERE u.replay_key = ANY(%b)
"""
# One row a key, its uses packed as ``pack_uses`` does: they are many, and rarely looked at singly.
_USES: Final = """
SELECT token, sum(CASE WHEN state = 'booked' THEN amount_fen ELSE 0 END)::int8,
       string_agg(int8send(made_at_s) || int4send(counter) || uuid_send(record_id), ''::bytea)
  FROM cardcore.terminal_record
 WHERE token = ANY(%b) AND counter IS NOT NULL AND (octet_length(token) = %s OR occurred_at > %s)
 GROUP BY token
"""
_CHAINS: Final = "SELECT kid, highest_no, gaps FROM cardcore.record_chain WHERE terminal_id = %s"
# Where the clock was known to be wrong, a record says nothing of its neighbours' times.
_BEFORE: Final = """
SELECT asked.kid, asked.number, before.occurred_at
  FROM unnest(%s::int[], %s::bigint[]) AS asked (kid, number)
 CROSS JOIN LATERAL (
       SELECT r.occurred_at
         FROM cardcore.terminal_record r
        WHERE r.terminal_id = %s AND r.kid = asked.kid AND r.sequence_no < asked.number
          AND r.reason IS DISTINCT FROM 'clock_jump'
        ORDER BY r.sequence_no DESC
        LIMIT 1) before
"""


async def read_record_facts(
    raw: RawConnection, terminal_id: str, batch: Sequence[JudgedRecord], *, now: datetime
) -> RecordFacts:
    """Everything the batch is decided by, money apart; ``now`` is when it came."""
    records = [one.record for one in batch if one.record is not None]
    believed = [one for one in batch if not one.fault]
    shown = [one.code for one in believed if one.code is not None]
    numbers = {(one.record.kid, one.record.sequence_no) for one in believed if one.record}
    runs = [(kid, number) for kid, number in numbers if (kid, number - 1) not in numbers]
    around = {number for _, one in numbers for number in (one - 1, one)}
    tokens = list({code.token for code in shown})
    people = list({code.holder_id for code in shown if code.holder_id is not None})
    facts = RecordFacts()
    wire.register(raw)
    packed_tokens, packed_people = bytea_array(tokens), uuid_array(one.int for one in people)
    async with raw.pipeline():
        # Uploads of one terminal one after another: they share its chain.
        await raw.execute(_LOCK, (f"records {terminal_id}",))
        known = await raw.execute(_KNOWN, (uuid_array(one.record_id.int for one in records),))
        neighbours = await raw.execute(_NEIGHBOURS, (terminal_id, bigint_array(sorted(around))))
        holders = await raw.execute(_HOLDERS, (packed_tokens, packed_people))
        delegations = await raw.execute(_DELEGATIONS, (packed_tokens, packed_people))
        spent = await raw.execute(_SPENT, (bytea_array(code.replay_key for code in shown),))
        uses = await raw.execute(_USES, (packed_tokens, TOKEN_SIZE, now - TAPS_COMPARED))
        chains = await raw.execute(_CHAINS, (terminal_id,))
        before = await raw.execute(
            _BEFORE, ([kid for kid, _ in runs], [number for _, number in runs], terminal_id)
        )
    for record_id, digest, state, order_id in await known.fetchall():
        facts.known[record_id] = KnownRecord(digest=digest, state=state, order_id=order_id)
    for kid, number, record_id, digest, occurred_at in await neighbours.fetchall():
        facts.neighbours[kid, number] = Neighbour(
            record_id=record_id, digest=digest, occurred_at=occurred_at
        )
    for token, asked_id, *values in await holders.fetchall():
        if asked_id is None:
            facts.holders[token] = _holder(values)
        else:
            facts.holders_by_id[asked_id] = _holder(values)
    _keep_delegations(facts, await delegations.fetchall())
    for replay_key, order_id, record_id in await spent.fetchall():
        facts.spent[replay_key] = order_id
        if record_id is not None:
            facts.spent_by_record[order_id] = record_id
    for token, booked_fen, packed in await uses.fetchall():
        facts.used_fen[token] = booked_fen
        facts.counters[token] = UseOrder(packed)
    for kid, highest_no, gaps in await chains.fetchall():
        facts.chains[kid] = Chain(highest_no, tuple((first, last) for first, last in gaps))
    for kid, number, occurred_at in await before.fetchall():
        facts.latest_before[kid, number] = occurred_at
    return facts


def _keep_delegations(facts: RecordFacts, rows: Iterable[tuple[UUID, Sequence[Any]]]) -> None:
    for user_id, values in rows:
        one = delegation_of(user_id, values, facts.limits_used)
        facts.delegations.setdefault(user_id, []).append(one)


async def read_money(raw: RawConnection, book: Ledger, facts: RecordFacts) -> None:
    """What everybody in the batch has and owes."""
    everybody = facts.everybody()
    funds = {fund_id for holder in everybody for _, fund_id in holder.fund_ids}
    for delegations in facts.delegations.values():
        funds.update(fund_id for one in delegations for _, fund_id in one.payer_funds)
    owing = {holder.user_id: arrears_of(holder.user_id) for holder in everybody}
    if not owing:
        return
    wanted = [account_id.int for account_id in (*funds, *owing.values())]
    sums = await book.lookup_sums(wanted, connection=raw)
    for fund_id in funds:
        one = sums.get(fund_id.int)
        if one is not None:
            facts.balances[fund_id] = one.credits_posted - one.debits_posted - one.debits_pending
    for user_id, arrears_id in owing.items():
        one = sums.get(arrears_id.int)
        if one is not None:
            facts.owed_fen[user_id] = one.debits_posted - one.credits_posted


def _holder(values: Sequence[Any]) -> Holder:
    user_id, level, barred, barred_at, cap_fen, arrears_fen_max, concessions, funds = values
    return Holder(
        user_id=user_id,
        level=level,
        barred=barred,
        barred_at=barred_at,
        cumulative_cap_fen=cap_fen,
        arrears_fen_max=arrears_fen_max,
        concessions=tuple(
            (name, date.fromisoformat(first), date.fromisoformat(last))
            for name, first, last in concessions or ()
        ),
        fund_ids=tuple((kind, UUID(fund_id)) for kind, fund_id in funds or ()),
    )
