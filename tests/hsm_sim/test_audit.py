"""The audit log: any edit shows, and shows where."""

import hashlib
import json
import os
import resource
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hsm_sim.audit import (
    AuditBrokenError,
    AuditHead,
    AuditLog,
    FileLines,
    MemoryLines,
    read_lines,
    verify_lines,
)

AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
BOX = Ed25519PrivateKey.from_private_bytes(bytes(32))
BOX_KEY = BOX.public_key().public_bytes_raw()


def _log(entry_count: int, *, seal_after: int | None = None) -> list[bytes]:
    store = MemoryLines()
    log = AuditLog(store, lambda: AT)
    for number in range(entry_count):
        log.append(actor="测试", action="generate", label=f"k{number}", generation=number + 1)
        if number == seal_after:
            log.seal(BOX.sign, generation=number + 1)
    return list(store.lines())


def _rewritten(line: bytes, field: str, value: object) -> bytes:
    """The line with another field, its hash in order: what a thief would write."""
    entry = {**json.loads(line), field: value}
    del entry["hash"]
    text = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
    entry["hash"] = hashlib.sha256(text).hexdigest()
    return json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()


def test_a_whole_log_verifies_and_reports_its_head() -> None:
    report = verify_lines(_log(5, seal_after=3), audit_key=BOX_KEY)
    assert report.head.entry_count == 6
    assert (report.sealed_count, report.seal_count) == (4, 1)
    assert (report.generation, report.generation_entry_count) == (5, 1)


def test_an_empty_log_is_whole() -> None:
    assert verify_lines([]).head == AuditHead()


@given(
    count=st.integers(2, 12),
    index=st.integers(0, 11),
    field=st.sampled_from(["at", "actor", "action", "label", "outcome", "detail", "generation"]),
)
def test_a_changed_field_is_named_by_its_entry(count: int, index: int, field: str) -> None:
    """Why: an auditor must be led to the entry, not told that something somewhere is wrong."""
    index %= count
    lines = _log(count)
    entry = json.loads(lines[index])
    entry[field] = 999 if field == "generation" else "changed"
    lines[index] = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(AuditBrokenError) as caught:
        verify_lines(lines)
    assert caught.value.index == index + 1


@given(count=st.integers(3, 12), data=st.data())
def test_a_dropped_doubled_or_moved_line_is_named(count: int, data: st.DataObject) -> None:
    lines = _log(count)
    index = data.draw(st.integers(0, count - 2))
    for changed in (
        lines[:index] + lines[index + 1 :],
        lines[: index + 1] + lines[index:],
        [*lines[:index], lines[index + 1], lines[index], *lines[index + 2 :]],
        [*lines[:index], _rewritten(lines[index + 1], "n", index + 1)],
    ):
        with pytest.raises(AuditBrokenError) as caught:
            verify_lines(changed)
        assert index + 1 <= caught.value.index <= index + 2


def test_lines_cut_off_the_end_are_missed_by_whoever_knows_the_head() -> None:
    lines = _log(5)
    head = verify_lines(lines).head
    with pytest.raises(AuditBrokenError) as caught:
        verify_lines(lines[:3], expected=head)
    assert caught.value.index == 4
    assert verify_lines(lines, expected=verify_lines(lines[:3]).head).head == head


def test_another_log_of_the_right_length_is_not_the_remembered_one() -> None:
    with pytest.raises(AuditBrokenError) as caught:
        verify_lines(_log(5), expected=AuditHead(4, "ab" * 32))
    assert caught.value.index == 4


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "other fields"),
        (b"{}", "other fields"),
        (b'{"n":1}', "other fields"),
    ],
)
def test_a_line_that_is_no_entry_is_named(line: bytes, reason: str) -> None:
    with pytest.raises(AuditBrokenError, match=reason) as caught:
        verify_lines([*_log(2), line])
    assert caught.value.index == 3


@pytest.mark.parametrize(("field", "value"), [("n", True), ("generation", "1"), ("n", 1.0)])
def test_a_number_that_is_none_is_refused(field: str, value: object) -> None:
    """Why: a chain in order, made by a thief, must not bring down who checks it."""
    line = _rewritten(_log(1)[0], field, value)
    with pytest.raises(AuditBrokenError, match="number"):
        verify_lines([line])


def test_the_same_entry_written_another_way_is_refused() -> None:
    """Why: one entry, one form; blanks inside a line could hide a message."""
    lines = _log(1)
    with pytest.raises(AuditBrokenError, match="canonical"):
        verify_lines([lines[0].replace(b'","', b'", "', 1)])


def test_a_rewritten_chain_without_the_boxs_key_has_a_bad_seal() -> None:
    store = MemoryLines()
    log = AuditLog(store, lambda: AT)
    log.append(actor="thief", action="sign", generation=1)
    log.seal(Ed25519PrivateKey.from_private_bytes(b"\1" * 32).sign, generation=1)
    verify_lines(store.lines())  # the chain alone is in order
    with pytest.raises(AuditBrokenError, match="seal") as caught:
        verify_lines(store.lines(), audit_key=BOX_KEY)
    assert caught.value.index == 2


@pytest.mark.parametrize("detail", ["", "zz", "ab", 5])
def test_a_seal_that_is_no_signature_is_refused(detail: object) -> None:
    store = MemoryLines()
    log = AuditLog(store, lambda: AT)
    log.append(actor="hsm", action="seal", generation=1, detail=detail)  # type: ignore[arg-type]
    with pytest.raises(AuditBrokenError, match="seal"):
        verify_lines(store.lines(), audit_key=BOX_KEY)


def test_a_log_file_is_private_and_continues_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    for number in range(3):
        store = FileLines(path)
        AuditLog(store, lambda: AT).append(actor="a", action=f"act {number}", generation=1)
        assert store.torn_size == 0
        store.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert verify_lines(read_lines(path)).head.entry_count == 3


@given(cut=st.integers(1, 200))
def test_a_power_cut_inside_a_line_loses_only_that_line(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("audit") / "audit.log"
    lines = _log(3)
    whole = b"".join(line + b"\n" for line in lines[:2])
    path.write_bytes(whole + (lines[2] + b"\n")[:cut])
    store = FileLines(path)
    log = AuditLog(store, lambda: AT)
    assert log.head.entry_count == 2
    assert store.torn_size == cut
    log.append(actor="a", action="goes on", generation=3)
    store.close()
    assert verify_lines(read_lines(path)).head.entry_count == 3


def test_a_broken_log_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(b"".join(line + b"\n" for line in (_log(2)[1], _log(2)[0])))
    store = FileLines(path)
    with pytest.raises(AuditBrokenError):
        AuditLog(store, lambda: AT)
    store.close()


def test_a_full_disk_leaves_the_log_whole(tmp_path: Path) -> None:
    """Why: half a line in the middle of the log would break the chain for ever.

    How: a limit on the size of files makes the kernel write a part and then refuse.
    """
    path = tmp_path / "audit.log"
    store = FileLines(path)
    log = AuditLog(store, lambda: AT)
    log.append(actor="a", action="before", generation=1)
    size = path.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for room in (0, 10):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, before[1]))
            with pytest.raises(OSError, match=r"fitted|File too large"):
                log.append(actor="a", action="during", generation=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.stat().st_size == size
    log.append(actor="a", action="after", generation=1)
    store.close()
    actions = [json.loads(line)["action"] for line in read_lines(path)]
    assert actions == ["before", "after"]
    assert verify_lines(read_lines(path)).head == log.head


def test_the_log_is_opened_for_appending_only(tmp_path: Path) -> None:
    store = FileLines(tmp_path / "audit.log")
    assert os.get_blocking(store._file)
    flags = int(
        next(
            line.split()[1]
            for line in Path(f"/proc/self/fdinfo/{store._file}").read_text().splitlines()
            if line.startswith("flags:")
        ),
        8,
    )
    store.close()
    assert flags & os.O_APPEND
