"""What a hospital order costs and who pays which part: the pricer that ``cardcore`` calls. Pure.

An order of the type ``fee`` carries the split the insurer gave, under the scene's own seal: nobody
else can make the insurer owe anything by sending an order. Orders of every other type are the
citizen's alone, with the amount the hospital names.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import StrictInt, StrictStr

from cardcore.business.plain_pricing import PlainPricer
from cardcore.business.quote import Payer, PricingFacts, QuoteLine, Subject
from cardcore.errors import AmountInvalidError, RequestInvalidError
from cardcore.field_faults import details_as
from cardcore.model import Model
from scenes.hospital.split import Split

FEE: Final = "fee"
DEPOSIT: Final = "deposit"
CASH_RULE: Final = "hospital_cash"
FUND_RULE: Final = "insurance_fund"
ACCOUNT_RULE: Final = "insurance_account"
RULE_VERSION: Final = "1"


class SplitSealError(RequestInvalidError):
    """The split of an order was not sealed by the hospital scene."""

    code = "split_unsealed"
    title_zh = "费用分割未经医院场景确认"
    title_en = "The split does not come from the hospital scene"


class FeeDetails(Model):
    """Details of a ``fee`` order; ``seal`` is over all the rest."""

    payment_id: StrictStr
    visit_no: StrictStr
    fund_fen: StrictInt
    account_fen: StrictInt
    cash_fen: StrictInt
    hospital_fen: StrictInt
    deposit_fen: StrictInt
    seal: StrictStr


class HospitalPricer:
    """A ``ScenePricer``; ``key`` is the scene's, known to its service and its pricer alone."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._plain = PlainPricer()

    def details(self, payment_id: str, visit_no: str, split: Split) -> dict[str, Any]:
        """Sealed details of a fee order."""
        fields: dict[str, Any] = {
            "payment_id": payment_id,
            "visit_no": visit_no,
            "fund_fen": split.fund_fen,
            "account_fen": split.account_fen,
            "cash_fen": split.cash_fen,
            "hospital_fen": split.hospital_fen,
            "deposit_fen": split.deposit_fen,
        }
        return {**fields, "seal": self._seal(fields)}

    def price(self, facts: PricingFacts, subject: Subject) -> list[QuoteLine]:
        """See the protocol.

        Raises:
            RequestInvalidError: the details of a fee are not of its form.
            SplitSealError: they were not made here.
            AmountInvalidError: the amount is not the sum of the lines.
        """
        if facts.type != FEE:
            return self._plain.price(facts, subject)
        details = details_as(FeeDetails, facts.details)
        fields = details.model_dump(exclude={"seal"})
        if not hmac.compare_digest(self._seal(fields).encode(), details.seal.encode()):
            raise SplitSealError(field="business.details.seal")
        split = Split(
            fund_fen=details.fund_fen,
            account_fen=details.account_fen,
            cash_fen=details.cash_fen,
            hospital_fen=details.hospital_fen,
            deposit_fen=details.deposit_fen,
        )
        if facts.amount_fen != split.ordered_fen:
            raise AmountInvalidError(field="business.amount_fen")
        return lines_of(split)

    def _seal(self, fields: Mapping[str, object]) -> str:
        text = json.dumps(fields, sort_keys=True, ensure_ascii=True)
        return hmac.digest(self._key, text.encode(), hashlib.sha256).hex()


def lines_of(split: Split) -> list[QuoteLine]:
    """The citizen's line first, then the insurer's two; what is zero of the insurer is left out."""
    lines = [
        QuoteLine(
            payer=Payer.CITIZEN,
            amount_fen=split.due_fen,
            rule_id=CASH_RULE,
            rule_version=RULE_VERSION,
            reason_zh="个人现金支付",
            reason_en="the patient's cash part",
        )
    ]
    for amount_fen, rule_id, reason_zh, reason_en in (
        (split.fund_fen, FUND_RULE, "医保基金支付", "paid by the insurance funds"),
        (split.account_fen, ACCOUNT_RULE, "医保个人账户支付", "paid from the insurance account"),
    ):
        if amount_fen:
            lines.append(
                QuoteLine(
                    payer=Payer.INSURER,
                    amount_fen=amount_fen,
                    rule_id=rule_id,
                    rule_version=RULE_VERSION,
                    reason_zh=reason_zh,
                    reason_en=reason_en,
                )
            )
    return lines
