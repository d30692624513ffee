"""A client under load, to be killed. Prints the id of each transfer once it is acknowledged.

    python kill_client.py DATABASE_URL FIRST_ID

It retries what the database refuses while it is away, with the same ids, as a client should.
"""

import asyncio
import sys

import psycopg
from psycopg_pool import PoolTimeout

from ledger import Ledger, Transfer
from ledger.group_commit import TransferWriter

CALLERS = 8
IDS_PER_CALLER = 1_000_000


async def caller(writer: TransferWriter, first_id: int) -> None:
    for id_ in range(first_id, first_id + IDS_PER_CALLER):
        event = Transfer(
            id=id_, debit_account_id=1 + id_ % 2, credit_account_id=2 - id_ % 2, amount=1,
            ledger=1, code=1,
        )  # fmt: skip
        while True:
            try:
                [result] = await writer.create_transfers([event])
            except (psycopg.OperationalError, PoolTimeout):
                await asyncio.sleep(0.05)
                continue
            break
        assert result in ("created", "exists"), result
        print(id_, flush=True)  # noqa: T201  (the parent reads it)


async def main(url: str, first_id: int) -> None:
    async with await Ledger.open(url) as book, TransferWriter(book) as writer:
        await asyncio.gather(
            *(caller(writer, first_id + n * IDS_PER_CALLER) for n in range(CALLERS))
        )


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
