"""A payment channel as the core needs it: the bank or wallet where citizens' money comes from.

Implemented above, one adapter a channel. ``our_no`` is our id of the movement: a channel that is
asked twice with the same one moves the money once.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self

from pydantic import model_validator

from cardcore.errors import CardcoreError, RequestInvalidError
from cardcore.model import AmountFen, Model, PrintedNumber


class ChannelState(StrEnum):
    """What a channel says became of a movement."""

    PAID = "paid"
    REFUSED = "refused"
    PENDING = "pending"
    UNKNOWN = "unknown"  # the channel knows nothing of it: it was never asked


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAnswer:
    """The state, the channel's own number where it is paid, and why where it is refused."""

    state: ChannelState
    channel_no: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        assert (self.state is ChannelState.PAID) == (self.channel_no is not None)


class ChannelNotice(Model):
    """What a channel calls back with; ``signature`` is over all the rest, by its own rule."""

    our_no: PrintedNumber
    amount_fen: AmountFen
    state: ChannelState
    channel_no: PrintedNumber | None = None
    reason: PrintedNumber | None = None
    signature: PrintedNumber

    @model_validator(mode="after")
    def _is_paid_under_a_number(self) -> Self:
        if self.state is ChannelState.PAID and self.channel_no is None:
            raise ValueError("what is paid has a channel_no")
        return self

    @property
    def signed(self) -> bytes:
        """What the signature is over."""
        fields = (self.our_no, str(self.amount_fen), self.state.value, self.channel_no, self.reason)
        return "\n".join(field or "" for field in fields).encode()


class ChannelSilentError(Exception):
    """The channel did not answer: nobody knows what became of it. To be asked, never repeated."""


class ChannelUnknownError(RequestInvalidError):
    """There is no such payment channel."""

    code = "channel_unknown"
    title_zh = "支付渠道未开通"
    title_en = "No such payment channel"


class ChannelSignatureError(CardcoreError):
    """The notice was not signed by the channel."""

    code = "channel_signature"
    title_zh = "渠道签名不符"
    title_en = "The notice is not the channel's"


class PaymentChannel(Protocol):
    """One channel. Every call may raise ``ChannelSilentError``."""

    async def collect(self, our_no: str, amount_fen: int) -> ChannelAnswer:
        """Ask the citizen, in the channel's own app, to pay us."""
        ...

    async def collected(self, our_no: str) -> ChannelAnswer:
        """What became of a collection."""
        ...

    async def pay_out(self, our_no: str, amount_fen: int, payee: str) -> ChannelAnswer:
        """Pay ``payee``; asked again with the same number it answers what it did."""
        ...

    async def paid_out(self, our_no: str) -> ChannelAnswer:
        """What became of a payment."""
        ...

    def check(self, notice: ChannelNotice) -> None:
        """Raise ``ChannelSignatureError`` unless the channel signed this."""
        ...
