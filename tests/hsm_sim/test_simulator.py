"""The box on disk: sealed, in step with its log, and whole after a crash at any write."""

import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsm_sim import key_file
from hsm_sim.audit import AuditBrokenError, AuditHead, MemoryLines, verify_lines
from hsm_sim.ceremony import Component, DualControlError, combine, new_components
from hsm_sim.interface import (
    Algorithm,
    HSMLockedError,
    HSMStorageError,
    KeyExistsError,
    KeyUnknownError,
    KeyUsage,
    KeyUsageRefusedError,
    RequestInvalidError,
)
from hsm_sim.key_file import (
    FileStorage,
    KeyFileInvalidError,
    MasterKeyWrongError,
    MemoryStorage,
)
from hsm_sim.session import Session
from hsm_sim.simulator import (
    REFUSALS_LOGGED_SINGLY_MAX,
    KeyFileRolledBackError,
    Simulator,
)

MASTER = bytes(range(32))


class FailingStorage(MemoryStorage):
    """A disk that is full from some write on."""

    full = False

    def save(self, data: bytes) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        super().save(data)


class FailingLines(MemoryLines):
    """A log on a disk that is full from some write on."""

    full = False

    def append(self, line: bytes) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        super().append(line)

    def cut(self, count: int) -> None:
        """Drop lines from the end."""
        del self._lines[len(self._lines) - count :]

    def clear(self) -> None:
        """Take the whole log away."""
        self._lines.clear()


class Disk:
    """What survives a box: its key file and its log."""

    def __init__(self) -> None:
        self.storage = FailingStorage()
        self.lines = FailingLines()

    def open(self, master: bytes = MASTER) -> tuple[Simulator, Session]:
        box = Simulator(self.storage, self.lines)
        box.unlock(master, actor="test")
        return box, Session(box, "test")

    def actions(self) -> list[str]:
        return [line.split(b'"action":"')[1].split(b'"')[0].decode() for line in self.lines.lines()]


@pytest.fixture
def disk() -> Disk:
    return Disk()


def test_keys_survive_a_restart_and_do_the_same_work(disk: Disk) -> None:
    _, session = disk.open()
    infos = [
        session.generate("a", Algorithm.ED25519, KeyUsage.SIGN),
        session.generate("b", Algorithm.SM2, KeyUsage.SIGN),
        session.generate("c", Algorithm.HMAC_SM3, KeyUsage.MAC | KeyUsage.DERIVE),
        session.generate("d", Algorithm.SM4, KeyUsage.WRAP),
        session.generate("e", Algorithm.P256, KeyUsage.SIGN),
    ]
    code, wrapped = session.mac("c", b"m"), session.wrap("d", b"secret", context=b"x")
    signatures = {label: session.sign(label, b"m") for label in "abe"}
    box, session = disk.open()
    assert session.list_keys() == infos
    assert session.mac("c", b"m") == code
    assert session.unwrap("d", wrapped, context=b"x") == b"secret"
    for label, signature in signatures.items():
        session.verify(label, b"m", signature)
    box.verify_audit()


def test_no_secret_lies_open_on_the_disk(disk: Disk) -> None:
    box, session = disk.open()
    session.generate("a", Algorithm.AES256, KeyUsage.WRAP)
    session.generate("b", Algorithm.P256, KeyUsage.SIGN)
    data = disk.storage.load()
    assert data is not None
    everything = data + b"".join(disk.lines.lines())
    for key in box.all_keys():
        assert key.secret not in everything
        assert key.secret.hex().encode() not in everything
    assert MASTER not in everything


def test_a_locked_box_does_nothing(disk: Disk) -> None:
    box, session = disk.open()
    session.generate("a", Algorithm.P256, KeyUsage.SIGN)
    box.lock(actor="test")
    box.lock(actor="test")  # twice is once
    assert not box.unlocked
    for call in (
        lambda: session.sign("a", b"m"),
        lambda: session.describe("a"),
        session.list_keys,
        lambda: session.generate("b", Algorithm.P256, KeyUsage.SIGN),
        lambda: box.audit_key,
    ):
        with pytest.raises(HSMLockedError):
            call()
    entries = len(list(disk.lines.lines()))
    for _ in range(100):  # a waiting caller asks again and again: summed up, not written
        with pytest.raises(HSMLockedError):
            session.sign("a", b"m")
    box.flush_uses()  # nothing can be sealed while it is locked
    assert len(list(disk.lines.lines())) == entries
    box.unlock(MASTER, actor="test")
    session.sign("a", b"m")
    box.flush_uses()
    assert any(b"hsm_locked" in line and b"101 times" in line for line in disk.lines.lines())


def test_another_master_key_is_refused(disk: Disk) -> None:
    disk.open()
    with pytest.raises(MasterKeyWrongError):
        disk.open(bytes(32))


@given(data=st.data())
def test_any_changed_byte_of_the_key_file_is_refused(data: st.DataObject) -> None:
    disk = Disk()
    _, session = disk.open()
    session.generate("a", Algorithm.AES256, KeyUsage.WRAP)
    sealed = disk.storage.load()
    assert sealed is not None
    position = data.draw(st.integers(0, len(sealed) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = sealed[:position] + bytes((sealed[position] ^ flip,)) + sealed[position + 1 :]
    disk.storage.save(changed)
    with pytest.raises((KeyFileInvalidError, MasterKeyWrongError)):
        disk.open()


@given(cut=st.integers(0, 400))
def test_a_shortened_key_file_is_refused(cut: int) -> None:
    disk = Disk()
    disk.open()
    sealed = disk.storage.load()
    assert sealed is not None
    disk.storage.save(sealed[: min(cut, len(sealed) - 1)])
    with pytest.raises(KeyFileInvalidError):
        disk.open()


def test_an_old_key_file_put_back_is_noticed(disk: Disk) -> None:
    """Why: a backup brought back quietly could revive a key that was given up."""
    box, session = disk.open()
    old = disk.storage.load()
    assert old is not None
    session.generate("a", Algorithm.P256, KeyUsage.SIGN)
    box.lock(actor="test")
    disk.storage.save(old)
    with pytest.raises(KeyFileRolledBackError):
        disk.open()


def test_a_log_cut_at_its_end_is_noticed(disk: Disk) -> None:
    _, session = disk.open()
    session.generate("a", Algorithm.P256, KeyUsage.SIGN)
    disk.lines.cut(1)
    with pytest.raises(AuditBrokenError, match="missing"):
        disk.open()


def test_a_log_moved_away_is_told_of_in_the_new_one(disk: Disk) -> None:
    _, session = disk.open()
    session.generate("a", Algorithm.P256, KeyUsage.SIGN)
    disk.lines.clear()
    for _ in range(2):  # and the box is in step again afterwards
        _, session = disk.open()
        session.sign("a", b"m")
    assert disk.actions() == ["history_joined", "unlock", "unlock"]
    assert b"expected 3 entries" in next(disk.lines.lines())


def test_a_key_file_that_is_gone_is_not_quietly_begun_anew(disk: Disk) -> None:
    disk.open()
    disk.storage = FailingStorage()
    with pytest.raises(KeyFileInvalidError, match="gone"):
        disk.open()


def test_a_crash_between_log_and_key_file_loses_only_the_key_nobody_heard_of(disk: Disk) -> None:
    _, session = disk.open()
    session.generate("a", Algorithm.P256, KeyUsage.SIGN)
    before = disk.storage.load()
    assert before is not None
    session.generate("b", Algorithm.P256, KeyUsage.SIGN)
    disk.storage.save(before)  # the log has b's entry as its last, the file never came
    _, session = disk.open()
    assert [info.label for info in session.list_keys()] == ["a"]
    session.generate("b", Algorithm.P256, KeyUsage.SIGN)
    box, _ = disk.open()
    box.verify_audit()
    assert "history_joined" in disk.actions()


def test_a_crash_in_the_very_first_write_can_be_begun_again(disk: Disk) -> None:
    disk.storage.full = True
    with pytest.raises(HSMStorageError):
        disk.open()
    disk.storage.full = False
    assert disk.actions() == ["initialise"]
    box, session = disk.open()
    session.generate("a", Algorithm.P256, KeyUsage.SIGN)
    box.verify_audit()


def test_a_full_disk_refuses_management_and_nothing_is_half_done(disk: Disk) -> None:
    box, session = disk.open()
    session.generate("a", Algorithm.P256, KeyUsage.SIGN)
    for full in (disk.storage, disk.lines):
        full.full = True
        with pytest.raises(HSMStorageError) as caught:
            session.generate("b", Algorithm.P256, KeyUsage.SIGN)
        assert caught.value.retryable
        session.sign("a", b"keys in memory go on working")
        full.full = False
    assert [info.label for info in session.list_keys()] == ["a"]
    session.generate("b", Algorithm.P256, KeyUsage.SIGN)
    box.lock(actor="test")
    box, session = disk.open()
    assert [info.label for info in session.list_keys()] == ["a", "b"]
    box.verify_audit()


def test_uses_that_could_not_be_written_are_written_later(disk: Disk) -> None:
    box, session = disk.open()
    session.generate("a", Algorithm.P256, KeyUsage.SIGN)
    session.sign("a", b"m")
    disk.lines.full = True
    with pytest.raises(HSMStorageError):
        box.flush_uses()
    with pytest.raises(HSMStorageError):
        box.lock(actor="test")
    disk.lines.full = False
    session.sign("a", b"m")
    box.flush_uses()
    assert any(b'"2 times"' in line for line in disk.lines.lines())


def test_unlocking_with_a_full_log_leaves_the_box_locked(disk: Disk) -> None:
    disk.open()
    box = Simulator(disk.storage, disk.lines)
    disk.lines.full = True
    with pytest.raises(HSMStorageError):
        box.unlock(MASTER, actor="test")
    assert not box.unlocked


def test_a_seal_that_cannot_be_written_is_a_refusal(disk: Disk) -> None:
    box, _ = disk.open()
    disk.lines.full = True
    with pytest.raises(HSMStorageError):
        box._seal_audit()


def test_ordinary_use_is_counted_and_sealed_not_written_one_by_one(disk: Disk) -> None:
    """Why: one line per signature would outgrow the ledger."""
    box, session = disk.open()
    session.generate("a", Algorithm.P256, KeyUsage.SIGN)
    for _ in range(500):
        session.sign("a", b"m")
    entries = len(list(disk.lines.lines()))
    box.flush_uses()
    box.flush_uses()  # nothing new, nothing written
    assert len(list(disk.lines.lines())) == entries + 2
    report = box.verify_audit()
    assert report.seal_count == 1
    assert report.sealed_count == report.head.entry_count - 1


def test_every_refusal_is_on_record_but_a_storm_is_summed_up(disk: Disk) -> None:
    box, session = disk.open()
    session.generate("mac", Algorithm.AES256, KeyUsage.MAC)
    with pytest.raises(KeyUsageRefusedError):
        session.wrap("mac", b"x", context=b"")
    assert b"key_usage_refused" in list(disk.lines.lines())[-1]
    before = len(list(disk.lines.lines()))
    for number in range(5 * REFUSALS_LOGGED_SINGLY_MAX):
        with pytest.raises(KeyUnknownError):
            session.sign(f"guess {number}", b"m")
    box.flush_uses()
    written = len(list(disk.lines.lines())) - before
    assert written <= REFUSALS_LOGGED_SINGLY_MAX + 2
    assert any(b'"label":"*"' in line for line in disk.lines.lines())


def test_three_custodians_open_the_box_and_make_it_the_first_time(disk: Disk) -> None:
    components = new_components(secrets.token_bytes)
    box = Simulator(disk.storage, disk.lines)
    for _ in range(2):  # first the making, then the opening of what was made
        box = Simulator(disk.storage, disk.lines)
        for component, name in zip(components, ("李", "王", "张"), strict=True):
            left = box.give_component(component, name=name, session=f"s-{name}")
            assert len(left) == 3 - component.custodian
        assert box.unlocked
        assert box.initialised
        assert box.give_component(components[0], name="late", session="x") == ()
        box.lock(actor="test")
    box.unlock(combine(components), actor="test")


def test_a_refused_custodian_is_on_record(disk: Disk) -> None:
    box = Simulator(disk.storage, disk.lines)
    one, two, _ = new_components(secrets.token_bytes)
    box.give_component(one, name="李", session="s1")
    with pytest.raises(DualControlError):
        box.give_component(two, name="李", session="s2")
    assert b"dual_control" in list(disk.lines.lines())[-1]
    assert not box.unlocked


def test_components_of_another_key_leave_the_box_locked(disk: Disk) -> None:
    disk.open()
    box = Simulator(disk.storage, disk.lines)
    one, two, three = new_components(secrets.token_bytes)
    box.give_component(one, name="a", session="1")
    box.give_component(two, name="b", session="2")
    with pytest.raises(MasterKeyWrongError):
        box.give_component(three, name="c", session="3")
    assert not box.unlocked
    assert box.give_component(one, name="a", session="1") == (2, 3)  # they may try again


def test_a_key_of_components_needs_three_names(disk: Disk) -> None:
    _, session = disk.open()
    components = new_components(secrets.token_bytes, Algorithm.SM4)
    with pytest.raises(DualControlError):
        session.load_components(
            "zmk", Algorithm.SM4, KeyUsage.TRANSPORT, tuple(("a", one) for one in components)
        )
    named: tuple[tuple[str, Component], ...] = tuple(zip("abc", components, strict=True))
    info = session.load_components("zmk", Algorithm.SM4, KeyUsage.TRANSPORT, named)
    assert info.usage is KeyUsage.TRANSPORT
    with pytest.raises(KeyExistsError):
        session.load_components("zmk", Algorithm.SM4, KeyUsage.TRANSPORT, named)


def test_a_key_file_on_disk_is_private_and_replaced_whole(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path / "keys.sealed")
    assert storage.load() is None
    storage.save(b"one")
    storage.save(b"two")
    assert storage.load() == b"two"
    assert storage.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["keys.sealed"]


def test_a_write_that_fails_leaves_the_old_key_file_and_no_litter(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path / "keys.sealed")
    storage.path.mkdir()  # a rename over a directory is refused by the kernel
    with pytest.raises(OSError, match="directory"):
        storage.save(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["keys.sealed"]


def test_a_file_with_damaged_blocks_under_a_right_mac_is_still_refused() -> None:
    """Why: the mac protects the file; the blocks protect each key on their own."""
    masters = key_file.MasterKeys(MASTER, bytes(16))
    head = key_file.KeyFileHead(
        file_id=bytes(16), check_value=masters.check_value, generation=1, audit_head=AuditHead()
    )
    empty = key_file.seal([], head, masters)
    body = (
        empty[: -key_file.MAC_SIZE - 4] + (1).to_bytes(4, "big") + (3).to_bytes(4, "big") + b"abc"
    )
    with pytest.raises(KeyFileInvalidError, match="block"):
        key_file.open_sealed(body + masters.mac.mac(body), masters)


def test_labels_and_sizes_are_bounded(disk: Disk) -> None:
    _, session = disk.open()
    session.generate("mac", Algorithm.HMAC_SHA256, KeyUsage.MAC | KeyUsage.DERIVE)
    session.generate("wrap", Algorithm.AES256, KeyUsage.WRAP)
    with pytest.raises(RequestInvalidError):
        session.mac("mac", bytes(48 * 1024 + 1))
    with pytest.raises(RequestInvalidError):
        session.wrap("wrap", b"", context=bytes(1025))
    with pytest.raises(RequestInvalidError):
        session.unwrap("wrap", bytes(49 * 1024), context=b"")
    for algorithm in (Algorithm.P256, Algorithm.TDES):
        with pytest.raises(KeyUsageRefusedError):
            session.derive("mac", b"", child="c", algorithm=algorithm, usage=KeyUsage.SIGN)


def test_a_caller_who_may_only_use_keys_makes_none(disk: Disk) -> None:
    box, session = disk.open()
    session.generate("a", Algorithm.P256, KeyUsage.SIGN)
    user = Session(box, "user", may_manage=False)
    user.sign("a", b"m")
    with pytest.raises(KeyUsageRefusedError):
        user.generate("b", Algorithm.P256, KeyUsage.SIGN)
    assert b"key_usage_refused" in list(disk.lines.lines())[-1]
    verify_lines(disk.lines.lines())
