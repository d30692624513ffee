"""What is answered about cards. A number is always masked."""

from datetime import date, datetime
from uuid import UUID

from cardcore.model import Model


class CardView(Model):
    """One card. ``liability_from``: from then on the issuer answers for it, not the holder."""

    card_id: UUID
    user_id: UUID | None
    kind: str
    number_masked: str
    status: str
    valid_from: date
    valid_to: date
    liability_from: datetime | None
    replaces: UUID | None


class CardTokenView(Model):
    """A token to be written into the card, 16 hex digits, and where it is good."""

    token: str
    scene: str | None
    merchant_id: str | None


class IssuedCardView(CardView):
    """A card with what its maker writes into it. Tokens are told here and nowhere else."""

    issuer_id: int
    key_version: int | None
    status_index: int | None
    tokens: list[CardTokenView]


class CardsView(Model):
    """The cards of a user, newest first."""

    cards: list[CardView]
