"""The pricer of scenes without rules of their own: the merchant names the amount. Pure.

A scene that only pays, holds, captures, refunds or opens a door needs no Python: it is registered
as data and priced here.
"""

from typing import Final

from cardcore.business.quote import Payer, PricingFacts, QuoteLine, Subject

RULE_ID: Final = "merchant_amount"
RULE_VERSION: Final = "1"


class PlainPricer:
    """One line of the citizen: the amount named, or zero where none was. A ``ScenePricer``."""

    def price(self, facts: PricingFacts, subject: Subject) -> list[QuoteLine]:  # noqa: ARG002
        """The merchant's amount, whoever the subject is."""
        named = facts.amount_fen is not None
        return [
            QuoteLine(
                payer=Payer.CITIZEN,
                amount_fen=facts.amount_fen or 0,
                rule_id=RULE_ID,
                rule_version=RULE_VERSION,
                reason_zh="商户金额" if named else "登记，不收费",
                reason_en="amount named by the merchant" if named else "recorded, free of charge",
            )
        ]
