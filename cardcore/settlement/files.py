"""Settlement files: made, signed and kept. A file never changes; a correction is the next version.

A window's postings do not change, so the same window gives the same rows for ever. What was said of
them may: once the bank has paid or refused, the worker makes the next version.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.books import transaction
from cardcore.connections import RawConnection
from cardcore.settlement.statement_file import FileWriter, PostingRow, StatementFile, signed_head
from cardcore.settlement.windows import lay_out_parties, settled_by, spans_of

SETTLEMENT_KEY: Final = "settlement"
FILES_PER_ROUND_MAX: Final = 200
# Windows that ended longer ago have their files: years of them are not looked through.
LOOKED_BACK: Final = timedelta(days=30)
ROWS_AT_ONCE: Final = 5_000

_ROWS: Final = """
SELECT p.transfer_id, p.code, p.about, coalesce(o.out_trade_no, ''), coalesce(o.scene, ''),
       p.amount, p."timestamp"
  FROM pg_temp.posting p JOIN pg_temp.party y USING (account)
  LEFT JOIN cardcore.business_order o ON o.order_id = p.about
 WHERE NOT y.owed ORDER BY p."timestamp", p.shard, p.transfer_id
"""
_STATEMENT: Final = """
SELECT s.carried_in_fen, s.gross_fen, s.refunds_fen, s.arrears_fen, s.cleared_fen, s.disputes_fen,
       s.adjustments_fen, s.fee_taken_fen, s.shares_fen, s.payout_fen, s.carried_out_fen,
       coalesce(p.state, 'none') AS payout, coalesce(p.bank_no, '') AS bank_no
  FROM cardcore.settlement_statement s
  LEFT JOIN cardcore.settlement_payout p ON p.payout_id = s.statement_id
 WHERE s.number = %s AND s.merchant_id = %s AND s.state = 'booked' FOR UPDATE OF s
"""
# No clock decides: a file is wanted until one says what became of the payout.
_MISSING: Final = """
SELECT s.number, s.merchant_id
  FROM cardcore.settlement_window w JOIN cardcore.settlement_statement s USING (number)
  LEFT JOIN cardcore.settlement_payout p ON p.payout_id = s.statement_id
 WHERE (w.ended_at IS NULL OR w.ended_at > %s) AND s.state = 'booked' AND NOT EXISTS (
    SELECT FROM cardcore.settlement_file f
     WHERE f.number = s.number AND f.merchant_id = s.merchant_id
       AND strpos(f.head, 'payout=' || coalesce(p.state, 'none') || chr(10)) > 0)
 ORDER BY s.number, s.merchant_id LIMIT %s
"""
_INSERT: Final = """
INSERT INTO cardcore.settlement_file
    (number, merchant_id, version, rows, sum_fen, content, sha256, root, head, signature, made_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


class Signer(Protocol):
    """The part of a security module that files need."""

    async def sign(self, label: str, message: bytes) -> bytes:
        """Signature of the key ``label`` over ``message``."""
        ...


class Files:
    """Makes files."""

    def __init__(self, engine: AsyncEngine, signer: Signer) -> None:
        self._engine = engine
        self._signer = signer

    async def make_due(self, now: datetime) -> int:
        """Make the files that are missing; returns how many."""
        async with transaction(self._engine) as (_, raw):
            found = await raw.execute(_MISSING, (now - LOOKED_BACK, FILES_PER_ROUND_MAX))
            missing = await found.fetchall()
        for number, merchant_id in missing:
            async with transaction(self._engine) as (_, raw):
                await self.make(raw, number, merchant_id, now)
        return len(missing)

    async def make(self, raw: RawConnection, number: int, merchant_id: str, now: datetime) -> int:
        """The version of a merchant's file that holds now; a new one only where it differs.

        Returns:
            Its version; 0 where the statement is not booked yet.
        """
        stated = await raw.execute(_STATEMENT, (number, merchant_id))
        sums = await stated.fetchone()
        if sums is None:
            return 0
        numbers = await settled_by(raw, number)
        written = await _write(raw, numbers, merchant_id)
        found = await raw.execute(
            "SELECT version, head FROM cardcore.settlement_file"
            " WHERE number = %s AND merchant_id = %s ORDER BY version DESC LIMIT 1",
            (number, merchant_id),
        )
        version, known = await found.fetchone() or (0, None)
        names = [column.name for column in stated.description or ()]
        figures = dict(zip(names, sums, strict=True))
        heads = [
            _head(number, numbers, merchant_id, one, figures, written)
            for one in (version, version + 1)
        ]
        if known == heads[0]:
            return int(version)
        head = heads[1]
        await raw.execute(
            _INSERT,
            (
                number,
                merchant_id,
                version + 1,
                written.rows,
                written.sum_fen,
                written.content,
                written.sha256,
                written.root,
                head,
                await self._signer.sign(SETTLEMENT_KEY, head.encode()),
                now,
            ),
        )
        return int(version) + 1


async def _write(raw: RawConnection, numbers: Sequence[int], merchant_id: str) -> StatementFile:
    await lay_out_parties(raw, await spans_of(raw, numbers), merchant_id)
    writer = FileWriter()
    async with raw.cursor(name="settlement_rows") as cursor:
        await cursor.execute(_ROWS.encode())
        while rows := await cursor.fetchmany(ROWS_AT_ONCE):
            writer.add(
                PostingRow(
                    transfer_id=transfer_id,
                    code=code,
                    about=about,
                    out_trade_no=out_trade_no,
                    scene=scene,
                    amount_fen=amount,
                    timestamp_ns=timestamp,
                )
                for transfer_id, code, about, out_trade_no, scene, amount, timestamp in rows
            )
    return writer.finish()


def _head(
    number: int,
    numbers: Sequence[int],
    merchant_id: str,
    version: int,
    figures: Mapping[str, object],
    written: StatementFile,
) -> str:
    return signed_head(
        {
            "merchant_id": merchant_id,
            "window": number,
            "windows": " ".join(map(str, numbers)),
            "version": version,
            "rows": written.rows,
            "sum_fen": written.sum_fen,
            "sha256": written.sha256.hex(),
            "root": written.root.hex(),
            **figures,
        }
    )
