"""Group commit: many callers, one writer, each caller awaits its own durable result.

While one batch is being committed the next one gathers, so that the cost of a commit is shared
by everybody who is waiting. One writer task per process is enough, and it is what keeps hot
accounts from being fought over: one batch locks each of them once.

Knows nothing of transfers: whoever uses it says how a batch is executed.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from ledger.engine import Ledger
from ledger.errors import QueueFullError, WriterClosedError
from ledger.event_ranges import BATCH_EVENTS_MAX
from ledger.events import Transfer
from ledger.results import CreateTransferResult

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH_ITEMS_MAX: Final = 1000
QUEUE_ITEMS_MAX: Final = 20_000
LINGER_MAX_S: Final = 0.002
LINGER_FROM_ITEMS: Final = 20

_TURNS_TO_ARRIVE: Final = 2  # from the socket to a task, from the task to the queue
_RATE_WEIGHT: Final = 0.2  # of the newest batch in the running mean of items per second
_RATE_START: Final = 1000.0
_RETRY_AFTER_MIN_S: Final = 0.05


class GroupCommit(Generic[Item, Result]):
    """A single writer that forms batches of what its callers submit.

    Args:
        execute_batch: makes a batch durable; answers one result or exception per item, in
            order. When it raises, every item of the batch gets that exception.
        batch_items_max: items in one batch at most.
        queue_items_max: items that may wait; one more raises ``QueueFullError``.
        linger_max_s: how long a batch waits at most for callers that were in the last one.
        linger_from_items: the size of the last batch from which waiting pays; below it a batch
            starts at once.
        batches_at_once: batches under way at most; ``execute_batch`` keeps them apart. With two,
            one is prepared while the other is being committed.

    Use as an async context manager, or call ``start`` and ``close``.
    """

    def __init__(
        self,
        execute_batch: Callable[[list[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        batch_items_max: int = BATCH_ITEMS_MAX,
        queue_items_max: int = QUEUE_ITEMS_MAX,
        linger_max_s: float = LINGER_MAX_S,
        linger_from_items: int = LINGER_FROM_ITEMS,
        batches_at_once: int = 1,
    ) -> None:
        self._execute_batch = execute_batch
        self._batch_items_max = batch_items_max
        self._queue_items_max = queue_items_max
        self._linger_max_s = linger_max_s
        self._linger_from_items = linger_from_items
        self._free_batches = batches_at_once
        self._freed = asyncio.Semaphore(batches_at_once)
        self._queue: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._arrived = asyncio.Event()
        self._wanted = 1  # how many must wait for ``_arrived`` to be set
        self._closing = False
        self._writer: asyncio.Task[None] | None = None
        self._items_per_s = _RATE_START

    @property
    def waiting(self) -> int:
        """Items that wait for a batch."""
        return len(self._queue)

    def start(self) -> None:
        """Start the writer task in the running event loop."""
        assert self._writer is None
        self._writer = asyncio.get_running_loop().create_task(self._write(), name="group-commit")

    async def close(self) -> None:
        """Take nothing more, finish what is waiting, stop the writer."""
        self._closing = True
        self._arrived.set()
        if self._writer is not None:
            await self._writer
            self._writer = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def submit(self, item: Item) -> Result:
        """Have one item written; returns when it is durable.

        A caller that is cancelled gets no answer; its item may be written all the same.

        Raises:
            QueueFullError: too many are waiting; the item was not taken.
            WriterClosedError: the writer is closing; the item was not taken.
            Exception: what ``execute_batch`` answered for this item, or raised.
        """
        if self._closing:
            raise WriterClosedError
        if len(self._queue) >= self._queue_items_max:
            raise QueueFullError(waiting=len(self._queue), retry_after_s=self._retry_after_s())
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append((item, future))
        if len(self._queue) >= self._wanted:
            self._arrived.set()
        return await future

    def _retry_after_s(self) -> float:
        return max(_RETRY_AFTER_MIN_S, len(self._queue) / self._items_per_s)

    # -- the writer --------------------------------------------------------------------------

    async def _write(self) -> None:
        last_items = 0
        async with asyncio.TaskGroup() as running:
            while True:
                await self._freed.acquire()
                await self._wait_for(1)
                if not self._queue:
                    assert self._closing
                    return
                if last_items >= self._linger_from_items and not self._closing:
                    # Those who were answered just now are about to come back.
                    wanted = min(last_items, self._batch_items_max)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._wait_for(wanted), self._linger_max_s)
                await self._let_arrive()
                # A fair share for each batch that may be under way.
                share = -(-len(self._queue) // self._free_batches)
                last_items = min(share, self._batch_items_max)
                batch = [self._queue.popleft() for _ in range(last_items)]
                self._free_batches -= 1
                running.create_task(self._run(batch), name="group-commit-batch")

    async def _wait_for(self, items: int) -> None:
        """Until so many are waiting, or the writer is closing."""
        while len(self._queue) < items and not self._closing:
            self._wanted = items
            self._arrived.clear()
            await self._arrived.wait()

    async def _let_arrive(self) -> None:
        """Let those in whose requests are there already but not yet in the queue.

        Costs a few turns of the event loop and no time: a turn in which nobody came ends it.
        Without it the first of many callers that arrive together would be a batch of its own.
        """
        waiting = 0
        while waiting < len(self._queue) < self._batch_items_max:
            waiting = len(self._queue)
            for _ in range(_TURNS_TO_ARRIVE):
                await asyncio.sleep(0)

    async def _run(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            results = await self._execute_batch([item for item, _ in batch])
            assert len(results) == len(batch), "one result per item"
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001  (handed to every caller, not swallowed)
            results = [error] * len(batch)
        elapsed_s = max(loop.time() - started, 1e-6)
        self._items_per_s += _RATE_WEIGHT * (len(batch) / elapsed_s - self._items_per_s)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():  # its caller was cancelled
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        self._free_batches += 1
        self._freed.release()


class TransferWriter:
    """Group commit for a ledger used alone: small requests of many callers share a commit.

    Args:
        book: the ledger to write to.
        batch_items_max, queue_items_max: see ``GroupCommit``; counted in requests.
    """

    def __init__(
        self,
        book: Ledger,
        *,
        batch_items_max: int = BATCH_ITEMS_MAX,
        queue_items_max: int = QUEUE_ITEMS_MAX,
    ) -> None:
        self._book = book
        self._group: GroupCommit[tuple[Transfer, ...], list[CreateTransferResult]] = GroupCommit(
            self._execute_batch, batch_items_max=batch_items_max, queue_items_max=queue_items_max
        )

    async def __aenter__(self) -> Self:
        self._group.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._group.close()

    async def create_transfers(self, transfers: Sequence[Transfer]) -> list[CreateTransferResult]:
        """As ``Ledger.create_transfers``, sharing its commit with other callers.

        Raises:
            QueueFullError, WriterClosedError: nothing was done.
        """
        if not transfers:
            return []
        return await self._group.submit(tuple(transfers))

    async def _execute_batch(
        self, requests: list[tuple[Transfer, ...]]
    ) -> list[list[CreateTransferResult] | Exception]:
        """Join the requests into as few batches as fit; each gets its own results back."""
        answers: list[list[CreateTransferResult] | Exception] = []
        for group in _fitting(requests):
            try:
                results = await self._book.create_transfers(
                    [transfer for request in group for transfer in request]
                )
            except Exception as error:  # noqa: BLE001  (handed to the callers of this group)
                answers.extend([error] * len(group))
                continue
            start = 0
            for request in group:
                answers.append(results[start : start + len(request)])
                start += len(request)
        return answers


def _fitting(requests: list[tuple[Transfer, ...]]) -> list[list[tuple[Transfer, ...]]]:
    """Requests in order, grouped so that each group is one legal batch.

    A request whose chain is left open ends its group: the chain must not run on into the
    request of somebody else.
    """
    groups: list[list[tuple[Transfer, ...]]] = []
    events = BATCH_EVENTS_MAX
    for request in requests:
        events += len(request)
        if events > BATCH_EVENTS_MAX:
            groups.append([])
            events = len(request)
        groups[-1].append(request)
        if int(request[-1].flags) & 1:
            events = BATCH_EVENTS_MAX
    return groups
