"""Chart of accounts: which ledger account carries what. Pure.

Money of citizens is a liability backed by the custodian bank. What the finance bureau owes for
concessions is a receivable, and what merchants will get from it stands apart from what is already
covered, so that custody can be checked to the fen at every cut-off:

    custody + in transit = citizens' funds + merchants' payables + suspense + fees earned
    subsidy receivable   = merchants' subsidy payables
    arrears              = merchants' arrears payables
"""

from enum import IntEnum
from typing import Final
from uuid import UUID, uuid5

LEDGER_CNY: Final = 156  # ISO 4217 numeric code of the yuan; amounts in fen

_NAMESPACE: Final = UUID("8b0a4c1e-5f0c-5a57-9d3b-0c6a1f2e7d90")


class AccountCode(IntEnum):
    """Ledger account code: the first digit is the class (1 asset, 2 liability, 4 income)."""

    CUSTODY = 1001
    IN_TRANSIT = 1002
    SUBSIDY_RECEIVABLE = 1201
    ARREARS = 1301
    CITIZEN_FUND = 2001
    MERCHANT_PAYABLE = 2101
    MERCHANT_SUBSIDY_PAYABLE = 2102
    MERCHANT_ARREARS_PAYABLE = 2103
    SUSPENSE = 2901
    FEES = 4001


class TransferCode(IntEnum):
    """Why money moved. Stored on every transfer; never reused for another meaning."""

    TOP_UP = 10
    PAYMENT = 20
    SUBSIDY = 21
    REFUND = 30
    SUBSIDY_REFUND = 31
    MOVE = 40
    PAYOUT = 41
    PAYOUT_PAID = 42
    DISPUTE_CREDIT = 50
    DISPUTE_RECOVERY = 51
    ADJUSTMENT = 90


COVERED_BY_CUSTODY: Final = frozenset(
    {
        AccountCode.CITIZEN_FUND,
        AccountCode.MERCHANT_PAYABLE,
        AccountCode.SUSPENSE,
        AccountCode.FEES,
    }
)


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
