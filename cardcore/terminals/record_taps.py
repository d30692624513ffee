"""Card taps in uploaded records, judged before anything is booked: TAC, token, card at the instant.

Cards are found in one statement for all taps of a batch; then, with no connection held, the
security module checks each TAC. What comes of a tap is said in the same words as of a code.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Final

from psycopg_pool import AsyncConnectionPool

from cardcore.calendar import business_date
from cardcore.connections import RawConnection
from cardcore.errors import CardcoreError, ServiceUnavailableError
from cardcore.terminals.record_judging import (
    FAULT,
    TAP_CLASS,
    CodeFacts,
    JudgedRecord,
    RecordBrief,
)
from cardcore.user.card_errors import CardTapError
from cardcore.user.card_taps import CardTaps, FoundTap, TapPlace, find_late_taps
from codes.card_tap import CardTap, read_tap
from codes.errors import CodeMalformedError

# What the security module is asked at once: it has others to serve.
ASKED_AT_ONCE_MAX: Final = 16
_COUNTER_SIZE: Final = 2


class LateTaps:
    """Judges the taps of a batch.

    Args:
        pool: where cards are read.
        taps: how one tap is judged.
        cut_off: when the business day ends.
    """

    def __init__(
        self, pool: AsyncConnectionPool[RawConnection], taps: CardTaps, cut_off: time
    ) -> None:
        self._pool = pool
        self._taps = taps
        self._cut_off = cut_off

    async def judge(
        self, batch: Sequence[JudgedRecord], place: TapPlace, *, now: datetime
    ) -> list[JudgedRecord]:
        """The batch with its taps judged; what is no acceptance by tap stays as it is.

        Raises:
            ServiceUnavailableError: the security module does not answer; nothing was done.
        """
        judged = list(batch)
        asked: list[tuple[int, RecordBrief, CardTap, datetime]] = []
        for index, one in enumerate(batch):
            record = one.record
            if one.fault or record is None or not record.tap or record.is_refusal:
                continue
            try:
                tap = read_tap(record.tap)
            except CodeMalformedError:
                judged[index] = one._replace(code_fault=CardTapError.code)
                continue
            # A record of the future waits for a person whatever its tap is worth.
            at = datetime.fromtimestamp(min(record.occurred_at_ms / 1000, now.timestamp()), UTC)
            asked.append((index, record, tap, at))
        if not asked:
            return judged
        async with self._pool.connection() as raw:
            found = await find_late_taps(raw, [(tap, at) for _, _, tap, at in asked])
        module = asyncio.Semaphore(ASKED_AT_ONCE_MAX)
        outcomes = await asyncio.gather(
            *(
                self._judge(module, one, place, pays=record.amount_fen > 0, at=at)
                for one, (_, record, _, at) in zip(found, asked, strict=True)
            )
        )
        for (index, *_), (code, code_fault) in zip(asked, outcomes, strict=True):
            judged[index] = judged[index]._replace(code=code, code_fault=code_fault)
        return judged

    async def _judge(
        self,
        module: asyncio.Semaphore,
        found: FoundTap,
        place: TapPlace,
        *,
        pays: bool,
        at: datetime,
    ) -> tuple[CodeFacts | None, str]:
        try:
            async with module:
                shown = await self._taps.judge(
                    found, place, pays=pays, at=at, on=business_date(at, self._cut_off)
                )
        except ServiceUnavailableError:
            raise
        except CardcoreError as refused:
            return None, refused.code
        except Exception:  # noqa: BLE001  (a bug: its record waits, its neighbours do not)
            return None, FAULT
        code, tap = shown.code, found.tap
        facts = CodeFacts(
            code_class=TAP_CLASS,
            # Two tokens may be one card: what it has spent is counted by the card.
            token=code.replay_key[:-_COUNTER_SIZE],
            replay_key=code.replay_key,
            digest=code.digest,
            made_at_s=tap.made_at_s,
            expires_at_s=int(code.expires_at.timestamp()),
            counter=tap.counter,
            cap_fen=code.cap_fen,
            holder_id=shown.user_id,
        )
        return facts, ""
