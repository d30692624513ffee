"""What a batch of records must be compared with, each question asked once for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from cardcore.books import RawConnection
from cardcore.terminals.gaps import Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whose alias it is, and since when somebody else bears the loss.

    ``barred_at`` is the instant from which the holder is not liable: loss report, revocation,
    freezing. ``barred`` without an instant: nobody knows since when.
    """

    user_id: UUID
    level: str
    barred: bool
    barred_at: datetime | None
    cumulative_cap_fen: int | None
    arrears_fen_max: int
    concessions: tuple[tuple[str, date, date], ...]
    fund_ids: tuple[tuple[str, UUID], ...]

    def concessions_on(self, day: date) -> frozenset[str]:
        """Entitlement classes valid on a business date."""
        return frozenset(name for name, first, last in self.concessions if first <= day <= last)


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
    """The answers."""

    known: dict[UUID, KnownRecord] = field(default_factory=dict)
    neighbours: dict[tuple[int, int], Neighbour] = field(default_factory=dict)
    holders: dict[bytes, Holder] = field(default_factory=dict)
    spent: dict[bytes, UUID] = field(default_factory=dict)
    spent_by_record: dict[UUID, UUID] = field(default_factory=dict)
    used_fen: dict[bytes, int] = field(default_factory=dict)
    counters: dict[bytes, list[tuple[int, int, UUID]]] = field(default_factory=dict)
    chains: dict[int, Chain] = field(default_factory=dict)
    latest_at: dict[int, datetime] = field(default_factory=dict)


_KNOWN: Final = (
    "SELECT record_id, digest, state, order_id FROM cardcore.terminal_record"
    " WHERE record_id = ANY(%s)"
)
_NEIGHBOURS: Final = (
    "SELECT kid, sequence_no, record_id, digest, occurred_at FROM cardcore.terminal_record"
    " WHERE terminal_id = %s AND sequence_no = ANY(%s)"
)
_HOLDERS: Final = """
SELECT t.token, p.user_id, p.level,
       t.blocked IS NOT NULL OR p.status <> 'active' OR a.revoked_at IS NOT NULL,
       least(
           a.revoked_at,
           (SELECT min(c.liability_from) FROM cardcore.credential c WHERE c.token = t.token),
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
  FROM cardcore.code_token t
  JOIN cardcore.person p USING (user_id)
  LEFT JOIN cardcore.code_authorisation a ON a.token = t.token
 WHERE t.token = ANY(%s)
"""
_SPENT: Final = """
SELECT u.replay_key, u.order_id, r.record_id
  FROM cardcore.used_code u LEFT JOIN cardcore.terminal_record r ON r.order_id = u.order_id
 WHERE u.replay_key = ANY(%s)
"""
_USES: Final = """
SELECT token, made_at_s, counter, record_id, CASE WHEN state = 'booked' THEN amount_fen ELSE 0 END
  FROM cardcore.terminal_record WHERE token = ANY(%s) AND counter IS NOT NULL
"""
_CHAINS: Final = """
SELECT c.kid, c.highest_no, c.gaps,
       (SELECT max(r.occurred_at) FROM cardcore.terminal_record r
         WHERE r.terminal_id = c.terminal_id AND r.kid = c.kid AND r.sequence_no = c.highest_no)
  FROM cardcore.record_chain c WHERE c.terminal_id = %s
"""


async def read_record_facts(
    raw: RawConnection,
    *,
    terminal_id: str,
    record_ids: Sequence[UUID],
    sequence_numbers: Sequence[int],
    tokens: Sequence[bytes],
    replay_keys: Sequence[bytes],
) -> RecordFacts:
    """Everything the batch is decided by."""
    facts = RecordFacts()
    async with raw.pipeline():
        known = await raw.execute(_KNOWN, (list(record_ids),))
        around = {number for one in sequence_numbers for number in (one - 1, one)}
        neighbours = await raw.execute(_NEIGHBOURS, (terminal_id, sorted(around)))
        holders = await raw.execute(_HOLDERS, (list(tokens),))
        spent = await raw.execute(_SPENT, (list(replay_keys),))
        uses = await raw.execute(_USES, (list(tokens),))
        chains = await raw.execute(_CHAINS, (terminal_id,))
    for record_id, digest, state, order_id in await known.fetchall():
        facts.known[record_id] = KnownRecord(digest=digest, state=state, order_id=order_id)
    for kid, number, record_id, digest, occurred_at in await neighbours.fetchall():
        facts.neighbours[kid, number] = Neighbour(
            record_id=record_id, digest=digest, occurred_at=occurred_at
        )
    for row in await holders.fetchall():
        facts.holders[row[0]] = _holder(row[1:])
    for replay_key, order_id, record_id in await spent.fetchall():
        facts.spent[replay_key] = order_id
        if record_id is not None:
            facts.spent_by_record[order_id] = record_id
    for token, made_at_s, counter, record_id, booked_fen in await uses.fetchall():
        facts.used_fen[token] = facts.used_fen.get(token, 0) + booked_fen
        facts.counters.setdefault(token, []).append((made_at_s, counter, record_id))
    for kid, highest_no, gaps, latest_at in await chains.fetchall():
        facts.chains[kid] = Chain(highest_no, tuple((first, last) for first, last in gaps))
        if latest_at is not None:
            facts.latest_at[kid] = latest_at
    return facts


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
