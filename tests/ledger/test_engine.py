"""The write path as a whole: batches, transactions, shards."""

from ledger import Account, Ledger, Transfer, TransferFlags


def account(id_: int) -> Account:
    return Account(id=id_, ledger=1, code=1)


async def test_money_moves_between_two_accounts(book: Ledger) -> None:
    assert await book.create_accounts([account(1), account(2)]) == ["created", "created"]
    results = await book.create_transfers(
        [Transfer(id=1, debit_account_id=1, credit_account_id=2, amount=10, ledger=1, code=1)]
    )
    assert results == ["created"]
    first, second = await book.lookup_accounts([1, 2])
    assert (first.debits_posted, second.credits_posted) == (10, 10)
    [transfer] = await book.lookup_transfers([1])
    assert transfer.amount == 10
    assert transfer.timestamp == results[0].timestamp


async def test_a_hold_is_posted_in_part_and_the_rest_released(book: Ledger) -> None:
    await book.create_accounts([account(1), account(2)])
    results = await book.create_transfers(
        [
            Transfer(
                id=1,
                debit_account_id=1,
                credit_account_id=2,
                amount=10,
                ledger=1,
                code=1,
                timeout=5,
                flags=TransferFlags.pending,
            ),
            Transfer(id=2, pending_id=1, amount=4, flags=TransferFlags.post_pending_transfer),
            Transfer(id=3, pending_id=1, amount=4, flags=TransferFlags.post_pending_transfer),
        ]
    )
    assert results == ["created", "created", "pending_transfer_already_posted"]
    [first] = await book.lookup_accounts([1])
    assert (first.debits_pending, first.debits_posted) == (0, 4)
