"""What the embedding app's server asks for: an authorisation for a phone, a code to be printed."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

import codes
from cardcore.base64url import decode_base64url
from cardcore.model import Model, Name
from cardcore.user.code_judging import scene_bit

Scenes = Annotated[list[Name], Field(min_length=1, max_length=9)]


class AuthoriseRequest(Model):
    """A class D authorisation for the key of a phone.

    ``suite`` names both algorithms as in a code (``0x13``: Ed25519 issuer, P-256 device);
    ``device_public_key`` is raw (32 bytes of Ed25519, else a compressed point of 33) in base64url.
    ``validity_min`` may ask for less than the limit.
    """

    device_public_key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_\-]{43,44}$")]
    suite: Literal["0x11", "0x13", "0x22", "0x23", "0x33"]
    scenes: Scenes
    validity_min: Annotated[int, Field(strict=True, ge=10, le=10_080)] | None = None

    @model_validator(mode="after")
    def _key_is_base64url(self) -> Self:
        self.key_bytes()
        return self

    def key_bytes(self) -> bytes:
        """The device key's bytes. Raises ``ValueError``."""
        return decode_base64url(self.device_public_key)


class PrintCodeRequest(Model):
    """A class P code: for people without a phone. ``cap_fen`` 0: it shows who somebody is."""

    scenes: Scenes
    validity_days: Annotated[int, Field(strict=True, ge=1, le=3650)] = 365
    cap_fen: Annotated[int, Field(strict=True, ge=0, le=655_350, multiple_of=10)] = 0
    photo_check: bool = False
    pin_required: bool = False


def scope_of(scenes: Sequence[str]) -> codes.Scope:
    """The scope bits of scenes. Raises ``SceneUnknownError``."""
    scope = codes.Scope(0)
    for scene in scenes:
        scope |= scene_bit(scene)
    return scope
