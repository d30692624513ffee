"""The custodian bank as settlement needs it: it pays merchants, and says what it did.

Implemented above. ``our_no`` is our id of the payment: a bank that is told twice with the same one
pays once. It is asked what became of a payment before it is told again.
"""

from datetime import date
from typing import Protocol

from cardcore.account.channel import ChannelAnswer


class CustodianBank(Protocol):
    """The bank. Every call may raise ``ChannelSilentError``: nobody knows what became of it."""

    async def pay(self, our_no: str, amount_fen: int, payee: str) -> ChannelAnswer:
        """Pay ``payee``; told again with the same number it answers what it did."""
        ...

    async def paid(self, our_no: str) -> ChannelAnswer:
        """What became of a payment; ``unknown`` where it was never told."""
        ...

    async def bill(self, on: date) -> bytes | None:
        """Its bill of a date, as a file of ``channel_bill``; None where it is not ready."""
        ...
