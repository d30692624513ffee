"""The verify benchmark: every suite and class measured against a reference that does the same work.

No figure is judged here: a busy machine must not make a test fail.
"""

import pytest

from adapters.bench import issuing, qr_reading, verify


def test_every_class_and_suite_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "TURNS_QUICK", 2)
    monkeypatch.setattr(verify, "TURN_CALLS", 2)
    monkeypatch.setattr(verify, "START_RUNS_QUICK", 1)
    monkeypatch.setattr(qr_reading, "TRIALS_QUICK", 1)
    monkeypatch.setattr(issuing, "DURATION_S_QUICK", 0.05)
    results = {result.name: result for result in verify.run(quick=True)}
    measured = [name for name in results if name.startswith("verify ") and "p99" not in name]
    assert len(measured) == 3 * 2 + 5 * 2
    for name in measured:
        result = results[name]
        assert result.ratio is not None
        assert result.target in {0.75, 1.2}
        assert result.reference is not None
        assert result.reference.count(" by ") == (2 if "class D" in name else 1)
    memory = results["verifier process with a list of 1 M, peak memory"]
    assert memory.target == 64
    assert memory.met
    assert sum(name.startswith("issue class S ") for name in results) == 3
    assert results["QR class D read, clean"].value == 1
    assert sum(name.startswith("QR ") for name in results) == 18
