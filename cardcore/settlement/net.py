"""A merchant's statement in one window, and the law it obeys. Pure.

    business    = gross − refunds + arrears paid + payers paid − disputes ± adjustments
    due         = carried in + business − fee taken + shares got − shares given
    carried out = due − payout

What was carried out is carried into the merchant's next statement, with the payouts the bank has
refused since. So once a window is booked, by the ledger's own order:

    available on the payable = carried out of the last statement + refused payouts not carried yet
                               + business behind the cut of the last window that is booked

and nothing is paid twice or forgotten.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the ledger says of a merchant's payable in one window, in fen.

    ``gross_fen``, ``refunds_fen``, ``arrears_fen`` and ``disputes_fen`` are >= 0; ``cleared_fen``
    came from payers of subsidies and other cities; ``adjustments_fen`` is signed;
    ``settlement_fen`` is what settling earlier windows moved in this range.
    """

    gross_fen: int = 0
    refunds_fen: int = 0
    arrears_fen: int = 0
    cleared_fen: int = 0
    disputes_fen: int = 0
    adjustments_fen: int = 0
    settlement_fen: int = 0
    subsidies_fen: int = 0

    @property
    def business_fen(self) -> int:
        """What of it is to be settled."""
        return (
            self.gross_fen
            - self.refunds_fen
            + self.arrears_fen
            + self.cleared_fen
            - self.disputes_fen
            + self.adjustments_fen
        )

    @property
    def posted_fen(self) -> int:
        """All that was posted to the payable."""
        return self.business_fen + self.settlement_fen


def due_fen(*, carried_in_fen: int, business_fen: int, fee_fen: int, shares_fen: int) -> int:
    """What is the merchant's after a window; below zero where more was given back than taken."""
    return carried_in_fen + business_fen - fee_fen + shares_fen
