"""The bill of the channel that moved the citizens' part: taken whole, or not at all.

It comes from the channel, by the card centre, in the form every channel's bill has
(``cardcore.settlement.channel_bill``): a file that was cut does not agree with its last line. What
the channel refused moved nothing and is left out.
"""

import hashlib
from datetime import date, datetime
from typing import Final

from cardcore.connections import RawConnection
from cardcore.settlement.channel_bill import ChannelBill, read_bill

_KNOWN: Final = """
SELECT sha256 FROM scene_hospital.channel_bill
 WHERE merchant_id = %(merchant_id)s AND channel = %(channel)s AND business_on = %(on)s
   FOR UPDATE
"""
_PUT: Final = """
INSERT INTO scene_hospital.channel_bill
    (merchant_id, channel, business_on, rows, in_fen, out_fen, sha256, taken_by, taken_at)
VALUES (%(merchant_id)s, %(channel)s, %(on)s, %(rows)s, %(in_fen)s, %(out_fen)s, %(sha256)s,
        %(by)s, %(now)s)
ON CONFLICT (merchant_id, channel, business_on) DO UPDATE
   SET (rows, in_fen, out_fen, sha256, taken_by, taken_at) = (excluded.rows, excluded.in_fen,
        excluded.out_fen, excluded.sha256, excluded.taken_by, excluded.taken_at)
"""
_FORGET: Final = """
DELETE FROM scene_hospital.channel_item
 WHERE merchant_id = %(merchant_id)s AND channel = %(channel)s AND business_on = %(on)s
"""
_COPY: Final = """
COPY scene_hospital.channel_item
    (merchant_id, channel, business_on, row_no, channel_no, our_no, direction, amount_fen)
FROM STDIN
"""


async def take_channel_bill(
    connection: RawConnection,
    content: bytes,
    *,
    merchant_id: str,
    channel: str,
    on: date,
    by: str,
    now: datetime,
) -> ChannelBill:
    """Keep a channel's bill of a day, in place of the one before.

    Raises:
        BillInvalidError: it is cut, was changed, or a row is not as it should be.
    """
    bill = read_bill(content)
    digest = hashlib.sha256(content).digest()
    asked = {
        "merchant_id": merchant_id,
        "channel": channel,
        "on": on,
        "rows": len(bill.rows),
        "in_fen": bill.in_fen,
        "out_fen": bill.out_fen,
        "sha256": digest,
        "by": by,
        "now": now,
    }
    known = await (await connection.execute(_KNOWN, asked)).fetchone()
    if known is not None and bytes(known[0]) == digest:
        return bill
    await connection.execute(_PUT, asked)
    await connection.execute(_FORGET, asked)
    async with connection.cursor().copy(_COPY) as copy:
        for row_no, row in enumerate(bill.rows, start=1):
            if row.state == "paid":
                cells = (row.channel_no, row.our_no, row.direction, row.amount_fen)
                await copy.write_row((merchant_id, channel, on, row_no, *cells))
    await connection.execute("ANALYZE scene_hospital.channel_item")
    return bill
