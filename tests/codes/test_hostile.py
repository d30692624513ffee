"""Hostile input: a slice of the fuzz run in every test run."""

import os
import time

from adapters.bench.mutated_codes import Fuzzer

COUNT = int(os.environ.get("CARDCORE_FUZZ_CODES", "6000"))


def test_no_mutated_code_is_accepted_and_none_crashes() -> None:
    """How: CARDCORE_FUZZ_CODES sets the number; ``cardcore codes fuzz`` runs a million."""
    report = Fuzzer(seed=COUNT).run(COUNT)
    assert report.is_clean, (report.accepted[:3], report.crashed[:3])
    assert report.shown == COUNT
    assert {"code_invalid", "code_replayed", "code_expired", "clock_skew"} <= set(report.refusals)


class _SlowAtTimes(Fuzzer):
    """A verifier that works long on some codes, on others only the first time they are shown."""

    def __init__(self, seed: int) -> None:
        self.shown_before: set[str] = set()
        super().__init__(seed)

    def _verify(self, text: str) -> None:
        if len(text) % 2 or text not in self.shown_before:
            until_ns = time.thread_time_ns() + 5_500_000
            while time.thread_time_ns() < until_ns:
                pass
        self.shown_before.add(text)
        super()._verify(text)


def test_an_input_that_is_slow_each_time_is_told_from_a_pause() -> None:
    report = _SlowAtTimes(seed=1).run(40)
    assert report.slow > 0
    assert report.paused > 0
    assert report.slow + report.paused <= 40
    assert report.slowest_ms > 5
    assert not report.is_clean
