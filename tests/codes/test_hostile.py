"""Hostile input: a slice of the fuzz run in every test run."""

import os

from adapters.bench.mutated_codes import Fuzzer

COUNT = int(os.environ.get("CARDCORE_FUZZ_CODES", "6000"))


def test_no_mutated_code_is_accepted_and_none_crashes() -> None:
    """How: CARDCORE_FUZZ_CODES sets the number; ``cardcore codes fuzz`` runs a million."""
    report = Fuzzer(seed=COUNT).run(COUNT)
    assert report.is_clean, (report.accepted[:3], report.crashed[:3])
    assert report.shown == COUNT
    assert {"code_invalid", "code_replayed", "code_expired", "clock_skew"} <= set(report.refusals)
