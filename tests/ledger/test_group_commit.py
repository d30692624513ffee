"""The batcher alone, over batches that are only lists; and over a real ledger."""

import asyncio
from collections.abc import Sequence

import pytest

from ledger import Account, Ledger, QueueFullError, Transfer, TransferFlags, WriterClosedError
from ledger.group_commit import GroupCommit, TransferWriter


class Recorder:
    """Executes batches by doubling each number; can be held up and can fail."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.entered = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, items: list[int]) -> Sequence[int | Exception]:
        self.batches.append(items)
        self.entered.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return [ValueError(item) if item < 0 else item * 2 for item in items]


async def test_each_caller_gets_its_own_result() -> None:
    async with GroupCommit(Recorder()) as group:
        assert await asyncio.gather(*(group.submit(n) for n in range(100))) == [
            n * 2 for n in range(100)
        ]


async def test_what_arrives_during_a_batch_forms_the_next_one() -> None:
    recorder = Recorder()
    recorder.open.clear()
    async with GroupCommit(recorder, batch_items_max=3) as group:
        first = asyncio.ensure_future(group.submit(0))
        await recorder.entered.wait()
        rest = [asyncio.ensure_future(group.submit(n)) for n in range(1, 6)]
        await asyncio.sleep(0)
        recorder.open.set()
        await asyncio.gather(first, *rest)
    assert recorder.batches == [[0], [1, 2, 3], [4, 5]]


async def test_two_batches_at_once_share_those_who_wait() -> None:
    recorder = Recorder()
    recorder.open.clear()
    async with GroupCommit(recorder, batches_at_once=2) as group:
        waiting = [asyncio.ensure_future(group.submit(n)) for n in range(5)]
        for _ in range(20):
            await asyncio.sleep(0)
        late = [asyncio.ensure_future(group.submit(n)) for n in (5, 6)]
        await asyncio.sleep(0)
        assert recorder.batches == [[0, 1, 2], [3, 4]]
        recorder.open.set()
        assert await asyncio.gather(*waiting, *late) == [n * 2 for n in range(7)]
    assert sorted(item for batch in recorder.batches for item in batch) == list(range(7))


async def test_an_exception_for_one_item_is_raised_to_its_caller_alone() -> None:
    async with GroupCommit(Recorder()) as group:
        results = await asyncio.gather(
            group.submit(1), group.submit(-1), group.submit(2), return_exceptions=True
        )
    assert results[0] == 2
    assert isinstance(results[1], ValueError)
    assert results[2] == 4


async def test_a_failed_batch_is_raised_to_all_its_callers_and_the_writer_goes_on() -> None:
    recorder = Recorder()
    recorder.error = RuntimeError("database gone")
    async with GroupCommit(recorder) as group:
        results = await asyncio.gather(group.submit(1), group.submit(2), return_exceptions=True)
        assert all(result is recorder.error for result in results)
        recorder.error = None
        assert await group.submit(3) == 6


async def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    recorder = Recorder()
    recorder.open.clear()
    async with GroupCommit(recorder, queue_items_max=2) as group:
        running = asyncio.ensure_future(group.submit(0))
        await recorder.entered.wait()
        waiting = [asyncio.ensure_future(group.submit(n)) for n in (1, 2)]
        await asyncio.sleep(0)
        assert group.waiting == 2
        with pytest.raises(QueueFullError) as refused:
            await group.submit(3)
        assert refused.value.retry_after_s > 0
        assert refused.value.retryable
        recorder.open.set()
        await asyncio.gather(running, *waiting)


async def test_closing_finishes_what_waits_and_takes_nothing_more() -> None:
    recorder = Recorder()
    group = GroupCommit(recorder)
    group.start()
    pending = [asyncio.ensure_future(group.submit(n)) for n in range(5)]
    await asyncio.sleep(0)
    await group.close()
    assert await asyncio.gather(*pending) == [0, 2, 4, 6, 8]
    with pytest.raises(WriterClosedError):
        await group.submit(9)


async def test_closing_a_writer_that_never_started_is_harmless() -> None:
    await GroupCommit(Recorder()).close()


async def test_a_cancelled_caller_does_not_disturb_the_others() -> None:
    recorder = Recorder()
    recorder.open.clear()
    async with GroupCommit(recorder) as group:
        gone = asyncio.ensure_future(group.submit(1))
        stays = asyncio.ensure_future(group.submit(2))
        await recorder.entered.wait()
        gone.cancel()
        await asyncio.sleep(0)
        recorder.open.set()
        assert await stays == 4
    assert gone.cancelled()


async def test_cancelling_the_writer_cancels_the_callers_of_its_batch() -> None:
    recorder = Recorder()
    recorder.open.clear()
    group = GroupCommit(recorder)
    group.start()
    caller = asyncio.ensure_future(group.submit(1))
    await recorder.entered.wait()
    assert group._writer is not None
    group._writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    with pytest.raises(asyncio.CancelledError):
        await group.close()


async def test_after_a_large_batch_the_next_waits_for_its_callers_to_come_back() -> None:
    """Why: without it, the first caller back starts a batch of one and the rest wait for it."""
    recorder = Recorder()

    async def caller(number: int) -> None:
        for _ in range(3):
            await group.submit(number)

    async with GroupCommit(recorder, linger_from_items=4, linger_max_s=5) as group:
        await asyncio.gather(*(caller(n) for n in range(8)))
    assert [len(batch) for batch in recorder.batches] == [8, 8, 8]


async def test_lingering_ends_when_the_others_do_not_come_back() -> None:
    recorder = Recorder()
    async with GroupCommit(recorder, linger_from_items=2, linger_max_s=0.001) as group:
        await asyncio.gather(*(group.submit(n) for n in range(4)))
        assert await group.submit(7) == 14
    assert recorder.batches == [[0, 1, 2, 3], [7]]


# -- over a real ledger -----------------------------------------------------------------------


def move(id_: int, flags: TransferFlags | None = None) -> Transfer:
    return Transfer(
        id=id_,
        debit_account_id=1,
        credit_account_id=2,
        amount=1,
        ledger=1,
        code=1,
        flags=flags or TransferFlags(0),
    )


async def test_many_callers_share_batches_and_each_gets_its_results(book: Ledger) -> None:
    await book.create_accounts([Account(id=n, ledger=1, code=1) for n in (1, 2)])
    async with TransferWriter(book) as writer:
        assert await writer.create_transfers([]) == []
        answers = await asyncio.gather(*(writer.create_transfers([move(n)]) for n in range(1, 51)))
    assert answers == [["created"]] * 50
    [account] = await book.lookup_accounts([1])
    assert account.debits_posted == 50


async def test_an_open_chain_does_not_run_on_into_the_next_request(book: Ledger) -> None:
    await book.create_accounts([Account(id=n, ledger=1, code=1) for n in (1, 2)])
    async with TransferWriter(book) as writer:
        first, second, third = await asyncio.gather(
            writer.create_transfers([move(1)]),
            writer.create_transfers([move(2, TransferFlags.linked)]),
            writer.create_transfers([move(3)]),
        )
    assert (first, second, third) == (["created"], ["linked_event_chain_open"], ["created"])


async def test_a_request_out_of_range_fails_with_its_group_only(book: Ledger) -> None:
    await book.create_accounts([Account(id=n, ledger=1, code=1) for n in (1, 2)])
    async with TransferWriter(book) as writer:
        answers = await asyncio.gather(
            writer.create_transfers([move(2, TransferFlags.linked)]),
            writer.create_transfers([move(2**128)]),
            return_exceptions=True,
        )
    assert answers[0] == ["linked_event_chain_open"]
    assert isinstance(answers[1], Exception)
