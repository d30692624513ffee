"""What the card centre's own callers send about money coming in."""

from cardcore.model import AmountFen, Model, Name, PrintedNumber


class TopUpRequest(Model):
    """Money a payment channel has received for a fund.

    ``channel_no`` is the channel's own number of the payment: the same number never counts twice.
    """

    fund: Name
    amount_fen: AmountFen
    channel: Name
    channel_no: PrintedNumber
