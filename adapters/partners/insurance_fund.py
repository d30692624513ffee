"""The books of an insurer that is not there: for the sandbox and for tests.

SQLite in a file of its own: what it has settled stays settled when it dies, whatever became of the
answer. Answers are kept by message id, so that the same message twice is one settlement. A message
that was reversed before it arrived does nothing when it does.
"""

import json
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from scenes.hospital.messages import (
    CANCELLED_BEFORE,
    DONE,
    NOTHING_TO_REVERSE,
    SETTLEMENT_UNKNOWN,
    Envelope,
    Function,
    Reply,
    fen_of,
    yuan_of,
)

BALANCE_FEN: Final = 30_000
DEDUCTIBLE_FEN: Final = 5_000
FUND_PERCENT: Final = 70
MAJOR_PERCENT: Final = 20  # of what the funds pay, the serious-illness fund's part
SELF_PAID_PREFIX: Final = "Z"  # items outside the catalogue
WAIVED_PREFIX: Final = "H"  # items above the hospital's quota: the hospital bears them
DETAILS_PER_PAGE: Final = 5_000
REFUSED: Final = "-1"

_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS person (
    psn_no TEXT PRIMARY KEY, balance_fen INTEGER NOT NULL, deductible_left_fen INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS visit (
    mdtrt_id TEXT PRIMARY KEY, hospital TEXT NOT NULL, ipt_otp_no TEXT NOT NULL,
    psn_no TEXT NOT NULL, UNIQUE (hospital, ipt_otp_no));
CREATE TABLE IF NOT EXISTS fee (
    mdtrt_id TEXT NOT NULL, chrg_bchno TEXT NOT NULL, feedetl_sn TEXT NOT NULL,
    item_code TEXT NOT NULL, amount_fen INTEGER NOT NULL,
    PRIMARY KEY (mdtrt_id, chrg_bchno, feedetl_sn));
CREATE TABLE IF NOT EXISTS settlement (
    setl_id TEXT PRIMARY KEY, hospital TEXT NOT NULL, msgid TEXT NOT NULL UNIQUE,
    mdtrt_id TEXT NOT NULL, chrg_bchno TEXT NOT NULL, psn_no TEXT NOT NULL,
    settled_on TEXT NOT NULL, account_fen INTEGER NOT NULL, deductible_fen INTEGER NOT NULL,
    info TEXT NOT NULL, cancelled INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS message (msgid TEXT PRIMARY KEY, reply TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS reversed (msgid TEXT PRIMARY KEY);
"""
_OPEN_OF_BATCH: Final = (
    "SELECT setl_id, info, cancelled FROM settlement"
    " WHERE mdtrt_id = ? AND (setl_id = ? OR (? = '' AND chrg_bchno = ?))"
    " ORDER BY cancelled, rowid DESC LIMIT 1"
)


class _RefusedError(Exception):
    """The message is refused: ``args`` are code and words."""


class InsuranceFund:
    """Answers every message of the interface that the scene knows. Safe to share by threads."""

    def __init__(
        self,
        path: Path | str,
        *,
        forgets_reversals: bool = False,
        balance_fen: int = BALANCE_FEN,
        deductible_fen: int = DEDUCTIBLE_FEN,
    ) -> None:
        """Open the books, made where there are none.

        ``balance_fen`` and ``deductible_fen``: what a person who is new to them begins with.
        ``forgets_reversals``: a message that arrives after its reversal is settled all the same,
        as careless gateways do; the comparison of the day must find it.
        """
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.executescript(_SCHEMA)
        self._lock = threading.Lock()
        self._forgets = forgets_reversals
        self._beginning = (balance_fen, deductible_fen)

    def close(self) -> None:
        """Close the books."""
        self._connection.close()

    def handle(self, envelope: Envelope, *, less_fund_fen: int = 0) -> Reply:
        """Do what a message asks, in one transaction, and answer.

        ``less_fund_fen``: a settlement's funds pay so much less than its trial said, if they pay.
        """
        with self._lock:
            known = self._one("SELECT reply FROM message WHERE msgid = ?", envelope.msgid)
            if known is not None:
                return Reply.model_validate_json(known[0])
            self._run("BEGIN IMMEDIATE")
            try:
                reply = self._answer(envelope, less_fund_fen)
            except BaseException:
                self._run("ROLLBACK")
                raise
            self._run("COMMIT")
            return reply

    def standing(self, hospital: str) -> list[dict[str, Any]]:
        """Settlements that stand, for tests that compare books: their ``setlinfo`` nodes."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT info FROM settlement WHERE hospital = ? AND NOT cancelled", (hospital,)
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def balance_fen(self, psn_no: str) -> int:
        """What is left of a person's insurance account."""
        with self._lock:
            return self._person(psn_no)[0]

    def _answer(self, envelope: Envelope, less_fund_fen: int) -> Reply:
        try:
            output = self._do(envelope, less_fund_fen)
        except _RefusedError as refused:
            code, words = refused.args
            reply = Reply(infcode=code, inf_refmsgid=envelope.msgid, err_msg=words)
        else:
            reply = Reply(infcode=DONE, inf_refmsgid=envelope.msgid, output=output)
        if envelope.infno in (Function.SETTLE, Function.CANCEL_SETTLEMENT):
            self._run("INSERT INTO message VALUES (?, ?)", envelope.msgid, reply.model_dump_json())
        return reply

    def _do(self, envelope: Envelope, less_fund_fen: int) -> dict[str, Any]:  # noqa: C901, PLR0911  (one case a function)
        sent = envelope.input
        match envelope.infno:
            case Function.REGISTER_VISIT:
                return self._register(envelope.fixmedins_code, sent["data"])
            case Function.DESCRIBE_VISIT:
                self._visit(sent["mdtrtinfo"]["mdtrt_id"])
                return {}
            case Function.SEND_FEES:
                return self._take_fees(sent["feedetail"])
            case Function.TRY_SETTLEMENT:
                return {"setlinfo": self._work_out(sent["data"])[0]}
            case Function.SETTLE:
                return {"setlinfo": self._settle(envelope, sent["data"], less_fund_fen)}
            case Function.CANCEL_SETTLEMENT:
                return {"setlinfo": self._cancel(sent["data"]["setl_id"])}
            case Function.REVERSE:
                return self._reverse(sent["data"])
            case Function.READ_SETTLEMENT:
                return {"setlinfo": self._read(sent["data"])}
            case Function.COMPARE_TOTALS:
                return {"stmtinfo": self._compare(envelope.fixmedins_code, sent["data"])}
            case Function.COMPARE_DETAILS:
                return {"data": self._details(envelope.fixmedins_code, sent["data"])}

    def _register(self, hospital: str, data: Mapping[str, Any]) -> dict[str, Any]:
        known = self._one(
            "SELECT mdtrt_id FROM visit WHERE hospital = ? AND ipt_otp_no = ?",
            hospital,
            data["ipt_otp_no"],
        )
        if known is None:
            number = self._count("visit") + 1
            known = (f"M{number:012d}",)
            self._run(
                "INSERT INTO visit VALUES (?, ?, ?, ?)",
                known[0],
                hospital,
                data["ipt_otp_no"],
                data["psn_no"],
            )
        return {
            "data": {
                "mdtrt_id": known[0],
                "psn_no": data["psn_no"],
                "ipt_otp_no": data["ipt_otp_no"],
            }
        }

    def _take_fees(self, rows: list[Mapping[str, Any]]) -> dict[str, Any]:
        for row in rows:
            self._visit(row["mdtrt_id"])
            self._run(
                "INSERT OR REPLACE INTO fee VALUES (?, ?, ?, ?, ?)",
                row["mdtrt_id"],
                row["chrg_bchno"],
                row["feedetl_sn"],
                row["med_list_codg"],
                fen_of(row["det_item_fee_sumamt"]),
            )
        return {"result": [{"feedetl_sn": row["feedetl_sn"]} for row in rows]}

    def _work_out(
        self, data: Mapping[str, Any], less_fund_fen: int = 0
    ) -> tuple[dict[str, Any], int]:
        """The split of a batch of charges, and what of the deductible it uses up."""
        psn_no = self._visit(data["mdtrt_id"])
        fees = self._connection.execute(
            "SELECT item_code, amount_fen FROM fee WHERE mdtrt_id = ? AND chrg_bchno = ?",
            (data["mdtrt_id"], data["chrg_bchno"]),
        ).fetchall()
        total_fen = sum(fen for _, fen in fees)
        if total_fen != fen_of(data["medfee_sumamt"]):
            raise _RefusedError(REFUSED, "费用总额与上传明细不符")
        outside_fen = sum(fen for code, fen in fees if code.startswith(SELF_PAID_PREFIX))
        waived_fen = sum(fen for code, fen in fees if code.startswith(WAIVED_PREFIX))
        balance_fen, deductible_left_fen = self._person(psn_no)
        inside_fen = total_fen - outside_fen - waived_fen
        deductible_fen = min(inside_fen, deductible_left_fen)
        fund_fen = (inside_fen - deductible_fen) * FUND_PERCENT // 100
        fund_fen = max(0, fund_fen - less_fund_fen)
        major_fen = fund_fen * MAJOR_PERCENT // 100
        personal_fen = total_fen - fund_fen - waived_fen
        account_fen = min(balance_fen, personal_fen) if data["acct_used_flag"] == "1" else 0
        return {
            "psn_no": psn_no,
            "mdtrt_id": data["mdtrt_id"],
            "insutype": data["insutype"],
            "med_type": data["med_type"],
            "medfee_sumamt": yuan_of(total_fen),
            "fulamt_ownpay_amt": yuan_of(outside_fen),
            "hifp_pay": yuan_of(fund_fen - major_fen),
            "hifmi_pay": yuan_of(major_fen),
            "fund_pay_sumamt": yuan_of(fund_fen),
            "hosp_part_amt": yuan_of(waived_fen),
            "psn_part_amt": yuan_of(personal_fen),
            "acct_pay": yuan_of(account_fen),
            "acct_mulaid_pay": yuan_of(0),
            "psn_cash_pay": yuan_of(personal_fen - account_fen),
            "balc": yuan_of(balance_fen - account_fen),
            "clr_optins": "370406",
            "clr_type": "21" if data["med_type"] == "21" else "11",
            "clr_way": "1",
        }, deductible_fen

    def _settle(
        self, envelope: Envelope, data: Mapping[str, Any], less_fund_fen: int
    ) -> dict[str, Any]:
        reversed_before = self._one("SELECT 1 FROM reversed WHERE msgid = ?", envelope.msgid)
        if reversed_before and not self._forgets:
            raise _RefusedError(REFUSED, "该报文已冲正")
        standing = self._one(_OPEN_OF_BATCH, data["mdtrt_id"], "", "", data["chrg_bchno"])
        if standing is not None and not standing[2]:
            raise _RefusedError(REFUSED, "该批次已结算")
        info, deductible_fen = self._work_out(data, less_fund_fen)
        account_fen = fen_of(info["acct_pay"])
        info["setl_id"] = f"S{self._count('settlement') + 1:012d}"
        info["setl_time"] = envelope.inf_time
        info["medins_setl_id"] = envelope.msgid
        self._run(
            "UPDATE person SET balance_fen = balance_fen - ?,"
            " deductible_left_fen = deductible_left_fen - ? WHERE psn_no = ?",
            account_fen,
            deductible_fen,
            info["psn_no"],
        )
        self._run(
            "INSERT INTO settlement VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            info["setl_id"],
            envelope.fixmedins_code,
            envelope.msgid,
            data["mdtrt_id"],
            data["chrg_bchno"],
            info["psn_no"],
            envelope.inf_time[:10],
            account_fen,
            deductible_fen,
            json.dumps(info),
        )
        return info

    def _cancel(self, setl_id: str) -> dict[str, Any]:
        row = self._one(
            "SELECT psn_no, account_fen, deductible_fen, info, cancelled"
            " FROM settlement WHERE setl_id = ?",
            setl_id,
        )
        if row is None:
            raise _RefusedError(SETTLEMENT_UNKNOWN, "无此结算")
        psn_no, account_fen, deductible_fen, info, cancelled = row
        if cancelled:
            raise _RefusedError(CANCELLED_BEFORE, "该结算已撤销")
        self._run("UPDATE settlement SET cancelled = 1 WHERE setl_id = ?", setl_id)
        self._run(
            "UPDATE person SET balance_fen = balance_fen + ?,"
            " deductible_left_fen = deductible_left_fen + ? WHERE psn_no = ?",
            account_fen,
            deductible_fen,
            psn_no,
        )
        return self._mirrored(json.loads(info))

    def _reverse(self, data: Mapping[str, Any]) -> dict[str, Any]:
        self._run("INSERT OR IGNORE INTO reversed VALUES (?)", data["omsgid"])
        row = self._one("SELECT setl_id, cancelled FROM settlement WHERE msgid = ?", data["omsgid"])
        if row is None:
            raise _RefusedError(NOTHING_TO_REVERSE, "原交易不存在")
        if not row[1]:
            self._cancel(row[0])
        return {}

    def _read(self, data: Mapping[str, Any]) -> dict[str, Any]:
        setl_id = data.get("setl_id", "")
        row = self._one(
            _OPEN_OF_BATCH, data["mdtrt_id"], setl_id, setl_id, data.get("chrg_bchno", "")
        )
        if row is None:
            raise _RefusedError(SETTLEMENT_UNKNOWN, "无此结算")
        return {**json.loads(row[1]), "refd_setl_flag": str(row[2])}

    def _compare(self, hospital: str, data: Mapping[str, Any]) -> dict[str, Any]:
        rows = self._connection.execute(
            "SELECT info FROM settlement WHERE hospital = ? AND NOT cancelled"
            " AND settled_on BETWEEN ? AND ?",
            (hospital, data["stmt_begndate"], data["stmt_enddate"]),
        ).fetchall()
        infos = [
            info
            for info in (json.loads(row[0]) for row in rows)
            if (info["insutype"], info["clr_type"]) == (data["insutype"], data["clr_type"])
        ]
        ours = [sum(fen_of(info[name]) for info in infos) for name in _COMPARED]
        theirs = [fen_of(data[name]) for name in _COMPARED]
        same = ours == theirs and len(infos) == data["fixmedins_setl_cnt"]
        return {
            "setl_optins": data["setl_optins"],
            "stmt_rslt": "0" if same else "1",
            "stmt_rslt_dscr": "" if same else f"医保 {len(infos)} 笔",
        }

    def _details(self, hospital: str, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        rows = self._connection.execute(
            "SELECT info, msgid, cancelled FROM settlement"
            " WHERE hospital = ? AND settled_on BETWEEN ? AND ?"
            " ORDER BY rowid LIMIT ? OFFSET ?",
            (
                hospital,
                data["stmt_begndate"],
                data["stmt_enddate"],
                DETAILS_PER_PAGE,
                data["startrow"],
            ),
        ).fetchall()
        names = ("psn_no", "mdtrt_id", "setl_id", *_COMPARED)
        return [
            {name: info[name] for name in names}
            | {"msgid": msgid, "refd_setl_flag": str(cancelled)}
            for info, msgid, cancelled in ((json.loads(row[0]), row[1], row[2]) for row in rows)
        ]

    def _mirrored(self, info: dict[str, Any]) -> dict[str, Any]:
        amounts = {
            name: yuan_of(-fen_of(value))
            for name, value in info.items()
            if name.endswith(("_pay", "_amt", "_sumamt")) or name == "medfee_sumamt"
        }
        return {**info, **amounts, "setl_id": f"{info['setl_id']}R", "refd_setl_flag": "1"}

    def _visit(self, mdtrt_id: str) -> str:
        row = self._one("SELECT psn_no FROM visit WHERE mdtrt_id = ?", mdtrt_id)
        if row is None:
            raise _RefusedError(REFUSED, "无此就诊")
        return str(row[0])

    def _person(self, psn_no: str) -> tuple[int, int]:
        self._run("INSERT OR IGNORE INTO person VALUES (?, ?, ?)", psn_no, *self._beginning)
        row = self._one(
            "SELECT balance_fen, deductible_left_fen FROM person WHERE psn_no = ?", psn_no
        )
        assert row is not None
        return int(row[0]), int(row[1])

    def _count(self, table: str) -> int:
        row = self._one(f"SELECT count(*) FROM {table}")  # noqa: S608  (our constants)
        assert row is not None
        return int(row[0])

    def _one(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._connection.execute(statement, values).fetchone()
        return row

    def _run(self, statement: str, *values: object) -> None:
        self._connection.execute(statement, values)


_COMPARED: Final = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")
