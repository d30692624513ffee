"""Messages of the national medical-insurance interface, as far as a hospital's counter needs them.

Numbers, nodes and field names are those of the published specification for designated hospitals
(医疗保障信息平台定点医药机构接口规范). Amounts are decimals of yuan on the wire and integers of fen
here: converted exactly, from text, never through a float. Pure.

    2201 register a visit       2203 say what it is for     2204 send its fees
    2206 settle, as a trial     2207 settle                 2208 cancel a settlement
    2601 reverse a message      5203 read a settlement      3201, 3202 compare totals, details
"""

import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

# What each insurance fund pays, field by field; together they are fund_pay_sumamt.
FUND_PARTS: Final = (
    "hifp_pay",
    "cvlserv_pay",
    "hifes_pay",
    "hifmi_pay",
    "hifob_pay",
    "maf_pay",
    "oth_pay",
)
_YUAN: Final = re.compile(r"(-?)(\d{1,13})(?:\.(\d{1,2})0*)?", re.ASCII)


class Function(StrEnum):
    """Numbers of the interface's functions (交易编号)."""

    REGISTER_VISIT = "2201"
    DESCRIBE_VISIT = "2203"
    SEND_FEES = "2204"
    TRY_SETTLEMENT = "2206"
    SETTLE = "2207"
    CANCEL_SETTLEMENT = "2208"
    REVERSE = "2601"
    READ_SETTLEMENT = "5203"
    COMPARE_TOTALS = "3201"
    COMPARE_DETAILS = "3202"


def fen_of(text: object) -> int:
    """Fen of a decimal of yuan: ``"12.30"`` → 1230. Exact, or refused.

    Raises:
        ValueError: not a decimal of at most two places, or not text: a float has lost its fen.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        return text * 100
    match = _YUAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("an amount is a decimal of yuan with at most two places, as text")
    sign, yuan, cents = match.groups()
    fen = int(yuan) * 100 + int((cents or "0").ljust(2, "0"))
    return -fen if sign else fen


def yuan_of(fen: int) -> str:
    """A decimal of yuan with two places: 1230 → ``"12.30"``."""
    yuan, cents = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{yuan}.{cents:02d}"


def number_of(whole: UUID, suffix: str = "") -> str:
    """A number that fits the interface: ``msgid``, ``omsgid``, ``chrg_bchno`` are 30 characters.

    The low 16 bits of an id of ours are zero and are left away; ``suffix`` is one character.
    """
    text = whole.hex
    assert text.endswith("0000"), "not an id that new_id has made"
    return text[:-4] + suffix


Yuan = Annotated[int, BeforeValidator(fen_of), PlainSerializer(yuan_of)]
SentFen = Annotated[int, PlainSerializer(yuan_of)]
Text = Annotated[str, Field(max_length=200)]


class Sent(BaseModel):
    """Base of what we send: exactly these fields. Amounts are given in fen, sent in yuan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def data(self) -> dict[str, Any]:
        """The node as it travels."""
        return self.model_dump(mode="json", exclude_none=True)


class Answered(BaseModel):
    """Base of what is answered: provinces add fields, which are nobody's business here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Envelope(BaseModel):
    """One request. ``msgid`` is ours and names it for ever: 2601 reverses by it.

    Real gateways add their signature and the operator's session at the edge.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    infno: Function
    msgid: Text
    inf_time: Text
    fixmedins_code: Text
    opter: Text
    input: dict[str, Any]


class Reply(BaseModel):
    """One answer: ``infcode`` "0" is done, everything else refused."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    infcode: Text
    inf_refmsgid: Text = ""
    err_msg: Annotated[str, Field(max_length=1000)] = ""
    output: dict[str, Any] = Field(default_factory=dict)


DONE: Final = "0"
# Refusals a program must tell apart; the interface leaves their codes to the provinces, so an
# adapter of a real gateway translates into these.
NOTHING_TO_REVERSE: Final = "-2601"
SETTLEMENT_UNKNOWN: Final = "-5203"
CANCELLED_BEFORE: Final = "-2208"


class VisitRegistration(Sent):
    """2201, node ``data``."""

    psn_no: Text
    insutype: Text
    begntime: Text
    mdtrt_cert_type: Text = "02"
    mdtrt_cert_no: Text
    ipt_otp_no: Text
    dept_code: Text
    dept_name: Text
    atddr_no: Text = ""
    dr_name: Text = ""


class RegisteredVisit(Answered):
    """2201, node ``data``."""

    mdtrt_id: Text
    psn_no: Text
    ipt_otp_no: Text


class VisitDescription(Sent):
    """2203, node ``mdtrtinfo``; ``med_type`` 11 is outpatient, 21 inpatient."""

    mdtrt_id: Text
    psn_no: Text
    med_type: Text
    begntime: Text
    main_cond_dscr: Text = ""


class FeeDetail(Sent):
    """2204, one row of node ``feedetail``."""

    feedetl_sn: Text
    mdtrt_id: Text
    psn_no: Text
    chrg_bchno: Text
    rxno: Text
    rx_circ_flag: Literal["0", "1"] = "0"
    fee_ocur_time: Text
    med_list_codg: Text
    medins_list_codg: Text
    det_item_fee_sumamt: SentFen
    cnt: Text
    pric: SentFen
    bilg_dept_codg: Text


class TrialSettlement(Sent):
    """2206, node ``data``."""

    psn_no: Text
    mdtrt_cert_type: Text = "02"
    mdtrt_cert_no: Text
    med_type: Text
    medfee_sumamt: SentFen
    psn_setlway: Text = "01"
    mdtrt_id: Text
    chrg_bchno: Text
    insutype: Text
    acct_used_flag: Literal["0", "1"] = "1"


class Settlement(TrialSettlement):
    """2207, node ``data``; ``invono``, the invoice's number, is the hospital's own and optional."""

    invono: Annotated[str, Field(max_length=20)] | None = None


class SettlementCancelling(Sent):
    """2208, node ``data``."""

    setl_id: Text
    mdtrt_id: Text
    psn_no: Text


class Reversal(Sent):
    """2601, node ``data``: what the message ``omsgid`` did is undone."""

    psn_no: Text
    omsgid: Text
    oinfno: Function


class SettlementQuery(Sent):
    """5203, node ``data``: by the settlement's id, or by the batch of charges it settled."""

    psn_no: Text
    mdtrt_id: Text
    setl_id: Text = ""
    chrg_bchno: Text = ""


class SettlementInfo(Answered):
    """Node ``setlinfo`` of 2206, 2207, 2208 and 5203. Amounts in fen.

    ``setl_id`` is empty in a trial. 2208 answers with the cancelling settlement: its own
    ``setl_id`` and the sums below zero. ``refd_setl_flag`` "1": it was cancelled.
    ``medins_setl_id`` is the ``msgid`` of the message that settled. ``acct_mulaid_pay`` tells what
    of ``acct_pay`` a relative's account has paid (共济): evidence, no sum of its own.
    """

    psn_no: Text
    mdtrt_id: Text
    setl_id: Text = ""
    insutype: Text = ""
    med_type: Text = ""
    setl_time: Text = ""
    medfee_sumamt: Yuan
    hifp_pay: Yuan = 0
    cvlserv_pay: Yuan = 0
    hifes_pay: Yuan = 0
    hifmi_pay: Yuan = 0
    hifob_pay: Yuan = 0
    maf_pay: Yuan = 0
    oth_pay: Yuan = 0
    fund_pay_sumamt: Yuan
    hosp_part_amt: Yuan = 0
    psn_part_amt: Yuan
    acct_pay: Yuan = 0
    acct_mulaid_pay: Yuan = 0
    psn_cash_pay: Yuan
    balc: Yuan = 0
    medins_setl_id: Text = ""
    clr_type: Text = ""
    clr_optins: Text = ""
    clr_way: Text = ""
    refd_setl_flag: Literal["0", "1"] = "0"

    @property
    def fund_parts(self) -> tuple[int, ...]:
        """What each fund pays, in the order of ``FUND_PARTS``."""
        return tuple(int(getattr(self, name)) for name in FUND_PARTS)

    def evidence(self) -> dict[str, Any]:
        """As it travelled, for the payment's record."""
        return self.model_dump(mode="json")

    def settled_on(self, otherwise: date) -> date:
        """The insurer's day of the settlement: its books are closed at midnight, by ``setl_time``.

        ``otherwise`` where it does not say.
        """
        try:
            return date.fromisoformat(self.setl_time[:10])
        except ValueError:
            return otherwise

    def mirrored(self) -> "SettlementInfo":
        """The sums with their sign turned: what a cancelling settlement takes back."""
        sums = {name: -int(getattr(self, name)) for name in _SUMS}
        return self.model_copy(update=sums)


_SUMS: Final = (
    "medfee_sumamt",
    *FUND_PARTS,
    "fund_pay_sumamt",
    "hosp_part_amt",
    "psn_part_amt",
    "acct_pay",
    "acct_mulaid_pay",
    "psn_cash_pay",
)


class TotalsComparison(Sent):
    """3201, node ``data``: our totals of a span of dates."""

    insutype: Text
    clr_type: Text
    setl_optins: Text
    stmt_begndate: Text
    stmt_enddate: Text
    medfee_sumamt: SentFen
    fund_pay_sumamt: SentFen
    acct_pay: SentFen
    fixmedins_setl_cnt: int


class ComparedTotals(Answered):
    """3201, node ``stmtinfo``: ``stmt_rslt`` "0" where the totals agree."""

    setl_optins: Text = ""
    stmt_rslt: Text
    stmt_rslt_dscr: Text = ""


class DetailsComparison(Sent):
    """3202, node ``data``. The insurer's rows come back in pages, from ``startrow`` on.

    The interface moves them as files (9101, 9102); an adapter of a real gateway does that and
    answers with the file's rows.
    """

    setl_optins: Text
    stmt_begndate: Text
    stmt_enddate: Text
    medfee_sumamt: SentFen
    fund_pay_sumamt: SentFen
    cash_payamt: SentFen
    fixmedins_setl_cnt: int
    startrow: int


class SettlementDetail(Answered):
    """3202, one row of the insurer's file; ``refd_setl_flag`` "1": the settlement was cancelled."""

    psn_no: Text
    mdtrt_id: Text
    setl_id: Text
    msgid: Text
    refd_setl_flag: Literal["0", "1"]
    medfee_sumamt: Yuan
    fund_pay_sumamt: Yuan
    acct_pay: Yuan


def node(output: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """One node of an answer.

    Raises:
        ValueError: it is not there.
    """
    found = output.get(name)
    if not isinstance(found, Mapping):
        raise ValueError(f"the answer has no node {name!r}")  # noqa: TRY004  (of the message)
    return found
