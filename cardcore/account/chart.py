"""Chart of accounts: which ledger account carries what. Pure.

Money of citizens is a liability backed by the custodian bank. What the finance bureau owes for
concessions is a receivable, and what merchants will get from it stands apart from what is already
covered, so that custody can be checked to the fen at every cut-off:

    custody + in transit + credit drawn = citizens' funds + earmarked funds + sponsors' deposits
                                          + merchants' payables + suspense + fees earned
    subsidy receivable   = merchants' subsidy payables
    arrears              = merchants' arrears payables
    issuers' receivables = merchants' issuer payables
"""

from enum import IntEnum
from typing import Final
from uuid import UUID, uuid5

# What stands for a fund on a line that the person owes.
ARREARS: Final = "arrears"
LEDGER_CNY: Final = 156  # ISO 4217 numeric code of the yuan; amounts in fen
LEDGER_RIDES: Final = 9001
LEDGER_VISITS: Final = 9002
LEDGER_MEDICAL_MEMO: Final = 9101  # fen that are the insurer's, never ours

# A unit is a ledger of its own: no transfer can turn rides into yuan.
LEDGER_OF_UNIT: Final = {
    "fen": LEDGER_CNY,
    "rides": LEDGER_RIDES,
    "visits": LEDGER_VISITS,
    "memo_fen": LEDGER_MEDICAL_MEMO,
}

_NAMESPACE: Final = UUID("8b0a4c1e-5f0c-5a57-9d3b-0c6a1f2e7d90")


class AccountCode(IntEnum):
    """Ledger account code: the first digit is the class.

    1 asset, 2 liability, 4 income, 8 counted in another unit than yuan.
    """

    CUSTODY = 1001
    IN_TRANSIT = 1002
    SUBSIDY_RECEIVABLE = 1201
    ISSUER_RECEIVABLE = 1202
    ARREARS = 1301
    CITIZEN_CREDIT = 1302
    CITIZEN_FUND = 2001
    RESTRICTED_FUND = 2002
    MERCHANT_PAYABLE = 2101
    MERCHANT_SUBSIDY_PAYABLE = 2102
    MERCHANT_ARREARS_PAYABLE = 2103
    MERCHANT_ISSUER_PAYABLE = 2104
    SPONSOR_DEPOSIT = 2201
    SUSPENSE = 2901
    FEES = 4001
    TALLY = 8001
    TALLY_ISSUED = 8002


class TransferCode(IntEnum):
    """Why money moved. Stored on every transfer; never reused for another meaning."""

    TOP_UP = 10
    PAYMENT = 20
    SUBSIDY = 21
    FOREIGN_RIDE = 24
    ARREARS_PAID = 22
    ARREARS_CLEARED = 23
    RECEIVABLE_PAID = 25
    RECEIVABLE_CLEARED = 26
    REFUND = 30
    SUBSIDY_REFUND = 31
    MOVE = 40
    PAYOUT = 41
    PAYOUT_PAID = 42
    WITHDRAWAL = 43
    WITHDRAWAL_PAID = 44
    REPAYMENT = 45
    DISPUTE_CREDIT = 50
    DISPUTE_RECOVERY = 51
    SPONSOR_DEPOSIT = 60
    SUBSIDY_GRANT = 61
    SUBSIDY_RETURN = 62
    TALLY_GIVEN = 70
    TALLY_USED = 71
    SETTLEMENT_SHARE = 80
    SETTLEMENT_FEE = 81
    SETTLEMENT_PAYOUT = 82
    ADJUSTMENT = 90


COVERED_BY_CUSTODY: Final = frozenset(
    {
        AccountCode.CITIZEN_FUND,
        AccountCode.RESTRICTED_FUND,
        AccountCode.SPONSOR_DEPOSIT,
        AccountCode.MERCHANT_PAYABLE,
        AccountCode.SUSPENSE,
        AccountCode.FEES,
    }
)


# What stands against it: money at the bank, and what citizens have drawn on credit lines.
COVERING: Final = frozenset(
    {AccountCode.CUSTODY, AccountCode.IN_TRANSIT, AccountCode.CITIZEN_CREDIT}
)
CODE_OF_NATURE: Final = {
    "prepaid": AccountCode.CITIZEN_FUND,
    "restricted": AccountCode.RESTRICTED_FUND,
    "credit": AccountCode.CITIZEN_CREDIT,
    "counter": AccountCode.TALLY,
    "memo": AccountCode.TALLY,
}


def account_id(role: str) -> UUID:
    """Id of a fixed account, the same in every installation: ``custody``, ``payable:M1``."""
    return uuid5(_NAMESPACE, role)


CUSTODY: Final = account_id("custody")
IN_TRANSIT: Final = account_id("in_transit")
SUSPENSE: Final = account_id("suspense")
# What the city advances to citizens while a dispute is looked into: below zero by what merchants
# and citizens still owe it. Of suspense's class, so that custody covers an advance at once.
DISPUTES: Final = account_id("disputes")
FEES: Final = account_id("fees")


def subsidy_receivable(payer: str) -> UUID:
    """Account of what one concession payer owes."""
    return account_id(f"subsidy_receivable:{payer}")


def arrears_of(user_id: UUID) -> UUID:
    """Account of what a person owes for what terminals accepted off-line."""
    return account_id(f"arrears:{user_id}")


def arrears_payable(merchant_id: str) -> UUID:
    """Account of what a merchant will get once arrears are paid."""
    return account_id(f"arrears_payable:{merchant_id}")


def sponsor_deposit(programme: str) -> UUID:
    """Account of what the payer of a subsidy programme has deposited and not granted."""
    return account_id(f"sponsor_deposit:{programme}")


def tally_issued(kind: str) -> UUID:
    """The other side of a counter or memo: what was given less what was used."""
    return account_id(f"tally_issued:{kind}")
