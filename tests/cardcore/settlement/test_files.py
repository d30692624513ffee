"""Settlement files: whole, signed, versions kept, and one row that proves itself."""

import copy
import csv
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.partners.custodian_bank import Behaviour
from cardcore.account.chart import TransferCode
from cardcore.errors import MerchantUnknownError
from cardcore.settlement import check_row as checker
from cardcore.settlement.check_row import check_row, climb, head_fields, signature_holds
from cardcore.settlement.errors import WindowUnknownError
from cardcore.settlement.request import FileQuery
from cardcore.settlement.statement_file import FileWriter, PostingRow, StatementFile, prove_row
from tests.cardcore.settlement.conftest import RATE, SHOP, House
from tests.city_life import BUS_OFFICE, CENTRE

NEWEST = FileQuery()
CHECKER = Path(checker.__file__).read_bytes()

rows = st.builds(
    PostingRow,
    transfer_id=st.uuids(),
    code=st.sampled_from([*map(int, TransferCode)]),
    about=st.none() | st.uuids(),
    out_trade_no=st.from_regex(r"\A[0-9A-Za-z_.:\-]{0,9}\Z"),
    scene=st.sampled_from(["", "bus", "retail"]),
    amount_fen=st.integers(-(10**9), 10**9),
    timestamp_ns=st.integers(0, 2**62),
)


def written(given: list[PostingRow]) -> StatementFile:
    writer = FileWriter()
    writer.add(given)
    return writer.finish()


@given(st.lists(rows, max_size=20))
def test_a_file_says_of_itself_what_stands_in_it(given: list[PostingRow]) -> None:
    """Law: count, sum and digest are those of the bytes, and every row climbs to the root."""
    file = written(given)
    head, *lines = csv.reader(io.StringIO(file.content.decode()))
    assert head[-2:] == ["amount_fen", "recorded_at"]
    assert file.rows == len(lines) == len(given)
    assert (
        file.sum_fen == sum(int(line[6]) for line in lines) == sum(one.amount_fen for one in given)
    )
    assert file.sha256 == hashlib.sha256(file.content).digest()
    assert not [
        cell for line in lines for cell in line[4:6] if cell.startswith(("=", "+", "-", "@"))
    ]
    for number in range(1, len(given) + 1):
        proved = prove_row(file.content, number)
        assert proved is not None
        line, path = proved
        assert climb(line, [list(step) for step in path]) == file.root.hex()
        assert climb(line + "0", [list(step) for step in path]) != file.root.hex()
    assert prove_row(file.content, 0) is prove_row(file.content, len(given) + 1) is None


async def settled(house: House) -> int:
    await house.tariff(RATE)
    await house.payee()
    order = await house.buy_for(10_000)
    await house.give_back(order, 1_000)
    await house.buy_for(500)
    number = (await house.settle()).number
    assert await house.files.make_due(house.clock.now) > 0
    return number


async def test_a_file_is_signed_with_its_count_sum_and_digest(house: House) -> None:
    number = await settled(house)
    view = await house.desk.files.read(CENTRE, SHOP, number, NEWEST)
    content = await house.desk.files.content(CENTRE, SHOP, number, NEWEST)
    fields = head_fields(view.head)
    assert fields["sha256"] == view.sha256 == hashlib.sha256(content).hexdigest()
    assert (fields["rows"], fields["sum_fen"]) == ("3", "9500")
    assert (fields["gross_fen"], fields["refunds_fen"], fields["fee_taken_fen"]) == (
        "10500",
        "1000",
        "57",
    )
    assert (fields["payout_fen"], fields["payout"]) == ("9443", "paid")
    assert [row[1] for row in csv.reader(io.StringIO(content.decode()))][1:] == [
        "payment",
        "refund",
        "payment",
    ]
    public_key = bytes.fromhex(view.public_key)
    assert signature_holds(public_key, view.head.encode(), bytes.fromhex(view.signature))
    # Fee and payout are postings of the next window, and stand in its file.
    following = (await house.settle()).number
    await house.files.make_due(house.clock.now)
    content = await house.desk.files.content(CENTRE, SHOP, following, NEWEST)
    assert [row[1] for row in csv.reader(io.StringIO(content.decode()))][1:] == ["fee", "payout"]


async def test_what_changes_is_the_next_version_and_every_version_stays(house: House) -> None:
    """How: the bank pays late; the file that said so little is followed by one that says more."""
    await house.payee()
    await house.buy_for(500)
    house.bank.behaviour = Behaviour.LATER
    number = (await house.settle()).number
    await house.files.make_due(house.clock.now)
    first = await house.desk.files.read(CENTRE, SHOP, number, NEWEST)
    assert await house.files.make_due(house.clock.now) == 0
    await house.bank.settle(str((await house.statement(number)).statement_id))
    await house.work(seconds=90)
    assert await house.files.make_due(house.clock.now) == 1
    second = await house.desk.files.read(CENTRE, SHOP, number, NEWEST)
    assert (first.version, second.version) == (1, 2)
    assert first.sha256 == second.sha256
    assert [head_fields(one.head)["payout"] for one in (first, second)] == ["held", "paid"]
    assert await house.desk.files.read(CENTRE, SHOP, number, FileQuery(version=1)) == first
    assert await house.files.make_due(house.clock.now) == 0
    with pytest.raises(WindowUnknownError):
        await house.desk.files.read(CENTRE, SHOP, number, FileQuery(version=3))
    with pytest.raises(psycopg.errors.RaiseException):
        async with house.city.pool.connection() as connection:
            await connection.execute("UPDATE cardcore.settlement_file SET rows = rows + 1")


async def test_a_merchant_verifies_one_row_alone(house: House, tmp_path: Path) -> None:
    """How: the checker is copied to an empty folder and run by itself."""
    number = await settled(house)
    proof = await house.desk.files.prove_row(CENTRE, SHOP, number, 2, NEWEST)
    saved, alone = tmp_path / "proof.json", tmp_path / "check_row.py"
    saved.write_text(proof.model_dump_json(), encoding="utf-8")
    alone.write_bytes(CHECKER)

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-I", str(alone), str(saved), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        return done.returncode, done.stdout

    code, said = run(proof.public_key)
    assert (code, "whose signature holds" in said) == (0, True)
    assert run()[0] == 0
    forged = json.loads(saved.read_text())
    forged["line"] = forged["line"].replace("-1000", "-1")
    saved.write_text(json.dumps(forged), encoding="utf-8")
    assert run(proof.public_key) == (1, "the line is not in the file\n")


async def test_a_proof_that_was_changed_anywhere_does_not_hold(house: House) -> None:
    number = await settled(house)
    view = await house.desk.files.prove_row(CENTRE, SHOP, number, 1, NEWEST)
    proof = json.loads(view.model_dump_json())
    key = bytes.fromhex(view.public_key)
    assert check_row(proof, key)[0]
    other_root = proof["head"].replace("root=", "root=00")
    for name, value in (
        ("head", proof["head"].replace("sum_fen=9500", "sum_fen=9501")),
        ("head", other_root),
        ("head", proof["head"].replace("cardcore", "carbcore")),
        ("path", [*proof["path"], ["left", "00" * 32]]),
        ("path", [["up", "00" * 32]]),
        ("signature", "00" * 64),
        ("signature", "zz"),
        ("line", None),
    ):
        forged = copy.deepcopy(proof) | {name: value}
        assert not check_row(forged, key)[0], name
    del proof["path"]
    assert not check_row(proof, key)[0]


async def test_another_merchants_file_is_not_found(house: House) -> None:
    number = await settled(house)
    for ask in (house.desk.files.read, house.desk.files.content):
        with pytest.raises(MerchantUnknownError):
            await ask(BUS_OFFICE, SHOP, number, NEWEST)
    with pytest.raises(MerchantUnknownError):
        await house.desk.files.prove_row(BUS_OFFICE, SHOP, number, 1, NEWEST)
    with pytest.raises(WindowUnknownError):
        await house.desk.files.prove_row(CENTRE, SHOP, number, 4, NEWEST)


def test_the_same_rows_make_the_same_bytes() -> None:
    row = PostingRow(
        transfer_id=UUID(int=7),
        code=int(TransferCode.PAYMENT),
        about=None,
        out_trade_no="-1",
        scene="bus",
        amount_fen=200,
        timestamp_ns=1_780_000_000_123_456_789,
    )
    assert written([row]).content.decode() == (
        "row,kind,transfer_id,about,out_trade_no,scene,amount_fen,recorded_at\r\n"
        "1,payment,00000000-0000-0000-0000-000000000007,,'-1,bus,200,"
        "2026-05-29T04:26:40.123456+08:00\r\n"
    )
