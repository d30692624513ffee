"""The two sums an operator closes the day with. Pure over the accounts it is given."""

from collections.abc import Iterable

from cardcore.account.chart import COVERED_BY_CUSTODY, COVERING, AccountCode
from cardcore.account.views import AccountView, BooksView
from ledger import Account


def close_books(accounts: Iterable[Account]) -> BooksView:
    """Trial balance, custody invariant and totals by account code.

    The trial balance is all debits less all credits. The custody difference is what the bank
    holds, what is in transit and what was drawn on credit, less everything it must cover,
    subsidies apart. Both are zero in books that are right.
    """
    debits: dict[int, int] = {}
    credits_: dict[int, int] = {}
    for account in accounts:
        debits[account.code] = debits.get(account.code, 0) + account.debits_posted
        credits_[account.code] = credits_.get(account.code, 0) + account.credits_posted
    custody_fen = sum(debits.get(code, 0) - credits_.get(code, 0) for code in COVERING)
    covered_fen = sum(credits_.get(code, 0) - debits.get(code, 0) for code in COVERED_BY_CUSTODY)
    return BooksView(
        trial_balance_fen=sum(debits.values()) - sum(credits_.values()),
        custody_difference_fen=custody_fen - covered_fen,
        accounts=[
            AccountView(
                account=AccountCode(code).name.lower(),
                code=code,
                debits_fen=debits[code],
                credits_fen=credits_[code],
            )
            for code in sorted(debits)
        ],
    )
