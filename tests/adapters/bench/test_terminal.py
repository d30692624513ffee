"""The terminal benchmark: a scan beside a bare write. No figure is judged: disks differ."""

from pathlib import Path

import pytest

from adapters.bench import terminal


def test_a_scan_is_measured_beside_a_bare_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(terminal, "SCANS_QUICK", 4)
    monkeypatch.setattr(terminal, "_STARTS", 1)
    results = {result.name: result for result in terminal.run(quick=True, folder=tmp_path)}
    durable = results["accepted scan, durable, median"]
    assert durable.ratio is not None
    assert durable.reference_value is not None
    assert durable.ratio == pytest.approx(durable.value / durable.reference_value)
    assert results["accepted scan without waiting for the disk, median"].value > 0
    assert results["modules of a terminal loaded"].value > 0
    assert list(tmp_path.iterdir()) == []
