"""Versions of what is decided by four eyes: tariffs of fees, and where merchants are paid."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from cardcore.connections import RawConnection
from cardcore.errors import MerchantUnknownError
from cardcore.settlement.fees import EVERY, FeeRate, FeeTier, Rates
from cardcore.settlement.request import SetSettlementPayee, SetSettlementTariff
from cardcore.settlement.views import TariffView


async def read_tariff(raw: RawConnection) -> tuple[int | None, Rates]:
    """The newest tariff and its version; no fees where none was ever decided."""
    found = await raw.execute(
        "SELECT version, content FROM cardcore.settlement_tariff ORDER BY version DESC LIMIT 1"
    )
    row = await found.fetchone()
    if row is None:
        return None, {}
    return row[0], rates_of(SetSettlementTariff.model_validate(row[1]))


async def read_tariff_view(raw: RawConnection, merchant_id: str | None) -> TariffView:
    """The newest tariff; for a merchant, the rates that may be about it."""
    found = await raw.execute(
        "SELECT version, content FROM cardcore.settlement_tariff ORDER BY version DESC LIMIT 1"
    )
    row = await found.fetchone()
    if row is None:
        return TariffView(version=None, rates=[])
    rates = SetSettlementTariff.model_validate(row[1]).rates
    return TariffView(
        version=row[0],
        rates=[
            one for one in rates if merchant_id is None or one.merchant_id in (EVERY, merchant_id)
        ],
    )


def rates_of(tariff: SetSettlementTariff) -> dict[tuple[str, str], FeeRate]:
    """A tariff's document as rules. Pure."""
    return {
        (one.merchant_id, one.scene): FeeRate(
            tiers=tuple(
                FeeTier(from_fen=tier.from_fen, per_million=tier.per_million) for tier in one.tiers
            ),
            min_fen=one.min_fen,
            max_fen=one.max_fen,
        )
        for one in tariff.rates
    }


async def set_tariff(
    raw: RawConnection, content: SetSettlementTariff, *, proposal_id: UUID, by: str, now: datetime
) -> None:
    """Write the next version of the tariff; windows computed from now on use it."""
    await _lock(raw, "tariff")
    await raw.execute(
        "INSERT INTO cardcore.settlement_tariff"
        " SELECT coalesce(max(version), 0) + 1, %s::jsonb, %s, %s, %s"
        "   FROM cardcore.settlement_tariff",
        (to_json(content).decode(), proposal_id, by, now),
    )


async def set_payee(
    raw: RawConnection, content: SetSettlementPayee, *, proposal_id: UUID, by: str, now: datetime
) -> None:
    """Write the next version of where a merchant is paid.

    Raises:
        MerchantUnknownError: no such merchant.
    """
    await _lock(raw, f"payee/{content.merchant_id}")
    found = await raw.execute(
        "SELECT FROM cardcore.merchant WHERE merchant_id = %s", (content.merchant_id,)
    )
    if await found.fetchone() is None:
        raise MerchantUnknownError(field="merchant_id")
    values: dict[str, Any] = {
        "merchant": content.merchant_id,
        "payee": content.payee,
        "proposal": proposal_id,
        "by": by,
        "now": now,
    }
    await raw.execute(
        "INSERT INTO cardcore.settlement_payee SELECT %(merchant)s, coalesce(max(version), 0) + 1,"
        " %(payee)s, %(proposal)s, %(by)s, %(now)s"
        "  FROM cardcore.settlement_payee WHERE merchant_id = %(merchant)s",
        values,
    )


async def _lock(raw: RawConnection, what: str) -> None:
    await raw.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"settlement/{what}",))
