"""What the card centre's own callers send about cards."""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from cardcore.model import Model, Name, PrintedNumber

CardNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{16,20}$")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class CardDomain(Model):
    """Where a token is good: one scene, one merchant, or one merchant in one scene."""

    scene: Name | None = None
    merchant_id: PrintedNumber | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.scene is None and self.merchant_id is None:
            raise ValueError("name a scene, a merchant or both; no domain at all means anywhere")
        return self


class _Tokens(Model):
    domains: list[CardDomain] = Field(
        default_factory=list,
        max_length=16,
        description="One token is made for each; without any, one token that is good anywhere.",
    )

    @model_validator(mode="after")
    def _each_domain_once(self) -> Self:
        if len({(one.scene, one.merchant_id) for one in self.domains}) < len(self.domains):
            raise ValueError("a domain is named twice")
        return self


class _NewCard(Model):
    number: CardNumber
    kind: Literal["cpu", "legacy", "printed"] = "cpu"
    key_version: Annotated[int, Field(strict=True, ge=0, le=255)] | None = Field(
        default=None,
        description="The issuer's master key the card was made with; the newest of its kind "
        "where it is left out. A printed card has none.",
    )
    valid_from: date
    valid_to: date

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        if self.kind == "printed" and self.key_version is not None:
            raise ValueError("a printed card has no key")
        return self


class IssueCardRequest(_NewCard, _Tokens):
    """A new card for a user. ``kind``: ``cpu`` (SM4), ``legacy`` (3DES, read only), ``printed``."""


class ReplaceCardRequest(_NewCard):
    """The new card that takes the place of a lost or worn one; its domains are the old card's."""

    reason: Reason


class BindCardRequest(_Tokens):
    """A card that was unbound gets a holder again. The old tokens are dead: write the new ones."""

    number: CardNumber
    user_id: UUID


class CardReasonRequest(Model):
    """Why, for the card's history."""

    reason: Reason
