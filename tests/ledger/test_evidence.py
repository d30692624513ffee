"""Tamper evidence: chain, seals, verification, inclusion proofs and their stand-alone checker."""

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

import ledger
from ledger import Account, Ledger, Transfer, TransferFlags, check_proof, merkle
from ledger.errors import TransferUnknownError
from ledger.feed import read_feed, shards
from ledger.proof import ProofImpossibleError, prove
from ledger.seals import seal_day
from ledger.testing import ManualClock
from ledger.verify import verify

DAY = dt.date(2026, 5, 1)


class Box:
    """A security module with one key."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.public_key = self._key.public_key().public_bytes_raw()

    async def sign(self, label: str, message: bytes) -> bytes:
        assert label == "ledger-seal"
        return self._key.sign(message)

    async def verify(self, label: str, message: bytes, signature: bytes) -> None:
        assert label == "ledger-seal"
        self._key.public_key().verify(signature, message)


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
async def lived_in(book: Ledger, clock: ManualClock, box: Box) -> Ledger:
    """Books with plain, pending, posted, voided and expired transfers; all but the last sealed."""
    await book.create_accounts([Account(id=n, ledger=1, code=1, user_data_128=n) for n in (1, 2)])
    base = Transfer(id=0, debit_account_id=1, credit_account_id=2, amount=7, ledger=1, code=1)

    def like(id_: int, **changes: object) -> Transfer:
        fields = {name: getattr(base, name) for name in base.__slots__}
        return Transfer(**{**fields, "id": id_, **changes})

    await book.create_transfers([like(n) for n in range(1, 6)])
    pending = TransferFlags.pending
    await book.create_transfers(
        [
            like(10, flags=pending, timeout=1),
            like(11, flags=pending, user_data_64=2**64 - 1, user_data_32=2**32 - 1),
            like(12, flags=pending),
            Transfer(id=13, pending_id=11, amount=3, flags=TransferFlags.post_pending_transfer),
            Transfer(id=14, pending_id=12, flags=TransferFlags.void_pending_transfer),
        ]
    )
    clock.advance_s(2)
    assert await book.expire_pending_transfers() == 1
    seal = await seal_day(book, box, key_label="ledger-seal", day=DAY, now_ns=clock())
    assert seal is not None
    assert seal.batches == 4
    await book.create_transfers([like(20, effective_at=dt.datetime(2026, 5, 2, tzinfo=dt.UTC))])
    return book


def edit(url: str, statement: str) -> None:
    """Change the books as a superuser can: with the triggers switched off."""
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(statement.encode())


async def test_untouched_books_verify(lived_in: Ledger, box: Box) -> None:
    seen: list[tuple[int, int]] = []
    assert await verify(lived_in, verifier=box, progress=lambda *step: seen.append(step)) == []
    assert seen[-1] == (5, 5)


@pytest.mark.parametrize(
    ("statement", "kind", "row_id"),
    [
        (("UPDATE ledger.transfer SET amount = 8 WHERE timestamp IN "
         "(SELECT timestamp FROM ledger.transfer ORDER BY timestamp OFFSET 2 LIMIT 1)"),
         "row_changed", 3),
        ("DELETE FROM ledger.transfer WHERE id = '00000000000000000000000000000002'",
         "row_missing", 3),
        ("DELETE FROM ledger.transfer WHERE id = '00000000000000000000000000000005'",
         "row_missing", None),
        (("UPDATE ledger.account SET user_data_128 = NULL "
         "WHERE id = '00000000000000000000000000000002'"), "row_changed", 2),
        ("UPDATE ledger.resolution SET timestamp = timestamp - 1 WHERE status = 4",
         "row_changed", 10),
        ("DELETE FROM ledger.batch WHERE number = 2", "batch_missing", None),
        ("UPDATE ledger.batch SET first_timestamp = first_timestamp - 1 WHERE number = 2",
         "chain_broken", None),
        ("UPDATE ledger.batch SET root = sha256('x') WHERE number = 2", "batch_changed", None),
        ("DELETE FROM ledger.batch WHERE number = 5", "head_changed", None),
        ("UPDATE ledger.seal SET root = sha256('x')", "seal_broken", None),
        ("UPDATE ledger.seal SET signature = sha512('x')", "seal_signature", None),
        (("UPDATE ledger.account SET debits_posted = debits_posted + 1 "
         "WHERE id = '00000000000000000000000000000001'"), "account_counters", 1),
        (("UPDATE ledger.transfer SET timestamp = timestamp + 1000000000000 "
         "WHERE id = '00000000000000000000000000000014'"), "row_missing", None),
    ],
)  # fmt: skip
async def test_an_edit_behind_the_triggers_is_named(
    lived_in: Ledger, ledger_url: str, box: Box, statement: str, kind: str, row_id: int | None
) -> None:
    edit(ledger_url, statement)
    finding = (await verify(lived_in, verifier=box))[0]
    assert finding.kind == kind, finding
    if row_id is not None:
        assert finding.row_id == row_id


async def test_a_row_smuggled_in_is_found(lived_in: Ledger, ledger_url: str) -> None:
    edit(
        ledger_url,
        "INSERT INTO ledger.failed_transfer SELECT id, 1, 'x' FROM ledger.transfer WHERE false",
    )
    edit(
        ledger_url,
        "CREATE TEMP TABLE smuggled AS SELECT * FROM ledger.transfer ORDER BY timestamp LIMIT 1; "
        "UPDATE smuggled SET id = gen_random_uuid(), timestamp = 9000000000000000000; "
        "INSERT INTO ledger.transfer SELECT * FROM smuggled",
    )
    assert "row_added" in {finding.kind for finding in await verify(lived_in)}


@pytest.mark.parametrize("table", ["transfer", "resolution", "batch", "seal", "seal_range"])
async def test_the_database_refuses_to_edit_the_books(
    lived_in: Ledger, ledger_url: str, table: str
) -> None:
    with psycopg.connect(ledger_url) as connection:
        for statement in (f"DELETE FROM ledger.{table}", f"TRUNCATE ledger.{table} CASCADE"):
            with pytest.raises(psycopg.errors.RestrictViolation), connection.transaction():
                connection.execute(statement.encode())
        with pytest.raises(psycopg.errors.RestrictViolation), connection.transaction():
            connection.execute(b"UPDATE ledger.account SET code = 9")


async def test_nothing_new_is_not_sealed(lived_in: Ledger, box: Box) -> None:
    second = await seal_day(lived_in, box, key_label="ledger-seal", day=DAY, now_ns=2)
    assert second is not None
    assert second.number == 2
    assert await seal_day(lived_in, box, key_label="ledger-seal", day=DAY, now_ns=3) is None
    assert await verify(lived_in, verifier=box) == []


@pytest.mark.parametrize("transfer_id", [1, 5, 10, 11, 13, 14, 20])
async def test_a_proof_is_accepted_by_the_script_alone(
    lived_in: Ledger, box: Box, tmp_path: Path, transfer_id: int
) -> None:
    proof = await prove(lived_in, transfer_id)
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    script = tmp_path / "check_proof.py"
    script.write_bytes(Path(check_proof.__file__).read_bytes())  # noqa: ASYNC240  (a test may block)
    run = subprocess.run(  # noqa: ASYNC221  (a test may block)
        [sys.executable, "-I", script, tmp_path / "proof.json", box.public_key.hex()],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert ("not sealed yet" if transfer_id == 20 else "whose signature holds") in run.stdout


async def test_a_changed_proof_is_refused(lived_in: Ledger, box: Box) -> None:
    proof = await prove(lived_in, 3)
    assert check_proof.check(proof, box.public_key)[0]
    assert check_proof.check(proof, None)[0]
    unsealed = await prove(lived_in, 20)
    assert check_proof.check(unsealed, box.public_key)[0]
    assert not check_proof.check({**unsealed, "path": [["left", "00" * 32]]}, None)[0]
    for change in (
        {"transfer": {**proof["transfer"], "amount": 8}},
        {"path": proof["path"][:-1]},
        {"batch": {**proof["batch"], "number": 9}},
        {"seal": {**proof["seal"], "path": []}},
        {"seal": {**proof["seal"], "sealed_at": 1}},
        {"seal": {**proof["seal"], "signature": "00" * 63}},
        {"seal": {**proof["seal"], "signature": "ff" * 64}},
        {"seal": {**proof["seal"], "signature": proof["seal"]["signature"][:64] + "ff" * 32}},
    ):
        assert not check_proof.check({**proof, **change}, box.public_key)[0], change


async def test_there_is_no_proof_of_what_is_not_there(lived_in: Ledger, ledger_url: str) -> None:
    with pytest.raises(TransferUnknownError):
        await prove(lived_in, 99)
    edit(ledger_url, "UPDATE ledger.transfer SET amount = 8 WHERE amount = 3")
    with pytest.raises(ProofImpossibleError):
        await prove(lived_in, 13)
    edit(ledger_url, "DELETE FROM ledger.batch WHERE number = 5")
    with pytest.raises(ProofImpossibleError):
        await prove(lived_in, 20)


def test_the_script_says_how_it_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["check_proof.py"])
    assert check_proof.main() == 2


async def test_the_script_exits_1_where_the_proof_does_not_hold(
    lived_in: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proof = await prove(lived_in, 3)
    path = tmp_path / "proof.json"
    monkeypatch.setattr(sys, "argv", ["check_proof.py", str(path)])
    path.write_text(json.dumps(proof))
    assert check_proof.main() == 0
    path.write_text(json.dumps({**proof, "path": []}))
    assert check_proof.main() == 1


@given(st.binary(max_size=80), st.integers(0, 511))
def test_the_scripts_signature_check_agrees_with_the_library(message: bytes, flip: int) -> None:
    """Why: a checker that accepts what the library refuses would make seals worthless."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public = key.public_key().public_bytes_raw()
    signature = key.sign(message)
    assert check_proof.signature_holds(public, message, signature)
    changed = bytearray(signature)
    changed[flip // 8] ^= 1 << flip % 8
    with pytest.raises(InvalidSignature):
        key.public_key().verify(bytes(changed), message)
    assert not check_proof.signature_holds(public, message, bytes(changed))


def test_bytes_that_are_no_point_are_no_key() -> None:
    not_a_point = (2).to_bytes(32, "little")
    assert not check_proof.signature_holds(not_a_point, b"", bytes(64))
    assert not check_proof.signature_holds(bytes(31), b"", bytes(64))


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40), st.data())
def test_every_leaf_has_a_path_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    steps = [[side, sibling.hex()] for side, sibling in merkle.path(leaves, index)]
    assert check_proof.climb(leaves[index], steps) == merkle.root(leaves)


async def test_the_feed_has_every_row_once_in_order(lived_in: Ledger) -> None:
    [shard] = await shards(lived_in)
    entries = await read_feed(lived_in, shard, 0, batches_max=3)
    entries += await read_feed(lived_in, shard, entries[-1].batch.number)
    assert [entry.batch.number for entry in entries] == [1, 2, 3, 4, 5]
    stamps = [row.timestamp for entry in entries for row in entry.rows]
    assert stamps == sorted(set(stamps))
    assert len(stamps) == 2 + 5 + 5 + 1 + 1
    assert await read_feed(lived_in, shard, 5) == []


def test_the_tree_is_that_of_rfc_9162() -> None:
    """Why: seven leaves exercise both odd levels; computed by the RFC's recursive definition."""

    def by_definition(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return leaves[0]
        k = 1
        while k * 2 < len(leaves):
            k *= 2
        return check_proof.sha256(b"\1" + by_definition(leaves[:k]) + by_definition(leaves[k:]))

    for size in range(1, 20):
        leaves = [bytes([n]) * 32 for n in range(size)]
        assert merkle.root(leaves) == by_definition(leaves)


def test_the_schema_files_are_numbered_without_a_gap() -> None:
    numbers = [int(file.name[:4]) for file in ledger.schema_files()]
    assert numbers == list(range(1, len(numbers) + 1))
