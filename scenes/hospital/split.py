"""Who pays which fen of a medical bill. Pure.

The insurer answers with sums; four laws hold between them, always, or nobody books anything:

    total    = fund + personal + hospital
    fund     = sum of its parts
    personal = insurance account + cash
    total    = what was sent

Only the cash part touches a citizen's money here. The fund's and the account's part are the
insurer's debt to the hospital and pass through nobody's purse; the hospital's part is paid by
nobody.
"""

from dataclasses import dataclass
from typing import ClassVar

from cardcore.errors import CardcoreError
from scenes.hospital.messages import SettlementInfo


class InsuranceSumsError(CardcoreError):
    """The insurer's answer does not add up; ``facts`` name the laws it breaks."""

    code: ClassVar[str] = "insurance_sums_broken"
    title_zh: ClassVar[str] = "医保返回金额不平，已转人工核对"
    title_en: ClassVar[str] = "The insurer's sums do not agree; people look into it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The payers of one bill, in fen, each ≥ 0; they sum to the total.

    ``deposit_fen`` is the part of the cash that was deposited before (inpatients); it is paid.
    """

    fund_fen: int
    account_fen: int
    cash_fen: int
    hospital_fen: int
    deposit_fen: int = 0

    def __post_init__(self) -> None:
        parts = (self.fund_fen, self.account_fen, self.cash_fen, self.hospital_fen)
        assert min(parts) >= 0
        assert 0 <= self.deposit_fen <= self.cash_fen

    @property
    def total_fen(self) -> int:
        """The whole bill."""
        return self.fund_fen + self.account_fen + self.cash_fen + self.hospital_fen

    @property
    def insurer_fen(self) -> int:
        """What the insurer owes the hospital: fund and insurance account."""
        return self.fund_fen + self.account_fen

    @property
    def due_fen(self) -> int:
        """What the citizen's funds pay now."""
        return self.cash_fen - self.deposit_fen

    @property
    def ordered_fen(self) -> int:
        """What an order books: everything but the hospital's part and what was deposited."""
        return self.insurer_fen + self.due_fen


def self_paid(total_fen: int) -> Split:
    """The split of a bill nobody insures."""
    return Split(fund_fen=0, account_fen=0, cash_fen=total_fen, hospital_fen=0)


def broken_laws(sums: SettlementInfo, *, sent_fen: int) -> tuple[str, ...]:
    """Names of the laws an answer breaks, in a fixed order; empty where it is sound.

    Args:
        sums: the insurer's answer.
        sent_fen: total of the bill that was sent.
    """
    personal = sums.psn_part_amt
    amounts = (
        sums.medfee_sumamt,
        sums.fund_pay_sumamt,
        sums.hosp_part_amt,
        personal,
        sums.acct_pay,
        sums.psn_cash_pay,
        *sums.fund_parts,
    )
    laws = {
        "negative": min(amounts) < 0,
        "total": sums.medfee_sumamt != sums.fund_pay_sumamt + personal + sums.hosp_part_amt,
        "fund": sums.fund_pay_sumamt != sum(sums.fund_parts),
        "personal": personal != sums.acct_pay + sums.psn_cash_pay,
        "sent": sums.medfee_sumamt != sent_fen,
    }
    return tuple(name for name, broken in laws.items() if broken)


def split_of(sums: SettlementInfo, *, sent_fen: int) -> Split:
    """The split an answer gives.

    Raises:
        InsuranceSumsError: it breaks a law; nothing of it may be booked.
    """
    broken = broken_laws(sums, sent_fen=sent_fen)
    if broken:
        raise InsuranceSumsError(laws=list(broken))
    split = Split(
        fund_fen=sums.fund_pay_sumamt,
        account_fen=sums.acct_pay,
        cash_fen=sums.psn_cash_pay,
        hospital_fen=sums.hosp_part_amt,
    )
    assert split.total_fen == sent_fen
    return split


def check_cancelling(sums: SettlementInfo, *, sent_fen: int, settled: Split | None) -> None:
    """The laws of a cancelling settlement (2208): it takes back all of what was settled.

    Args:
        sums: the insurer's answer, its sums below zero.
        sent_fen: total of the bill that was settled.
        settled: the split that was booked; None where the settlement never added up.

    Raises:
        InsuranceSumsError: it breaks a law; people look into it before any money goes back.
    """
    taken = split_of(sums.mirrored(), sent_fen=sent_fen)
    if settled is not None and taken != settled:
        raise InsuranceSumsError(laws=["mirrored"])


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenBack:
    """What each payer gets back, in fen, each ≥ 0."""

    fund_fen: int
    account_fen: int
    cash_fen: int


class ResettledAboveError(CardcoreError):
    """After a partial return the insurer lets somebody pay more than before."""

    code: ClassVar[str] = "resettled_above"
    title_zh: ClassVar[str] = "重新结算后应付金额增加，全额退回并重新计费"
    title_en: ClassVar[str] = "The rest costs a payer more than before; all goes back, billed anew"


def given_back(before: Split, rest: Split) -> GivenBack:
    """What goes back to whom when only ``rest`` of a bill stays settled.

    Raises:
        ResettledAboveError: a payer would pay more for less; ``facts`` name which.
    """
    back = {
        "fund": before.fund_fen - rest.fund_fen,
        "account": before.account_fen - rest.account_fen,
        "cash": before.cash_fen - rest.cash_fen,
    }
    above = [payer for payer, fen in back.items() if fen < 0]
    if above:
        raise ResettledAboveError(payers=above)
    return GivenBack(fund_fen=back["fund"], account_fen=back["account"], cash_fen=back["cash"])
