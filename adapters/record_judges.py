"""Judging records in processes of their own: signatures are most of an upload's work."""

import asyncio
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from cardcore.terminals.record_judging import JudgedRecord, RecordKeys, judge_records

ALONE_MAX: Final = 32
CHUNKS_PER_PROCESS: Final = 2


class ProcessJudges:
    """Judges large batches in a pool started at the first of them, small ones here.

    A ``RecordJudge``.
    """

    def __init__(self, processes: int | None = None) -> None:
        self._processes = processes or min(os.cpu_count() or 1, 4)
        self._pool: ProcessPoolExecutor | None = None

    async def judge(self, batch: Sequence[bytes], keys: RecordKeys) -> list[JudgedRecord]:
        """See ``RecordJudge``."""
        if len(batch) <= ALONE_MAX or self._processes == 1:
            return judge_records(batch, keys)
        if self._pool is None:
            # Spawned, not forked: this process has threads and open connections.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._processes, mp_context=context)
        size = -(-len(batch) // (self._processes * CHUNKS_PER_PROCESS))
        loop = asyncio.get_running_loop()
        parts = await asyncio.gather(
            *(
                loop.run_in_executor(self._pool, judge_records, batch[start : start + size], keys)
                for start in range(0, len(batch), size)
            )
        )
        return [judged for part in parts for judged in part]

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
