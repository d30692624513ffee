"""Funds that are emptied while an order takes from them at the same instant."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from cardcore.account.claims import Claims
from cardcore.account.fund_life import FundLife, HeldFund
from cardcore.errors import ServiceUnavailableError
from ledger import Transfer

NOW = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)


class SpentBook:
    """A ledger in which somebody was faster with every fund."""

    async def create_transfers(
        self, transfers: Sequence[Transfer], *, connection: object
    ) -> list[str]:
        return ["exceeds_credits"] + ["linked_event_failed"] * (len(transfers) - 1)


def fund() -> HeldFund:
    return HeldFund(
        fund_id=uuid4(),
        user_id=uuid4(),
        kind="transit",
        nature="prepaid",
        unit="fen",
        balance_fen=5,
    )


async def test_what_an_order_took_meanwhile_is_not_paid_out() -> None:
    """Why: the same request, sent again, will see the balance as it is then."""
    book: Any = SpentBook()
    claims = Claims(book, bytes)
    nothing: Any = None
    with pytest.raises(ServiceUnavailableError):
        await claims.empty(
            nothing,
            nothing,
            user_id=uuid4(),
            balances=[(uuid4(), 5), (uuid4(), 7)],
            reason="user_request",
            payee_sealed=None,
            now=NOW,
        )


async def test_what_an_order_took_meanwhile_is_not_moved_to_the_survivor() -> None:
    book: Any = SpentBook()
    nothing: Any = None

    class Target:
        fund_id = uuid4()

    with pytest.raises(ServiceUnavailableError):
        await FundLife(book, bytes)._move(nothing, [fund()], {"transit": Target()}, NOW)
