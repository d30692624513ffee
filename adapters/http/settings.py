"""What an operator may set about the HTTP face. Values are given by the wiring."""

from dataclasses import dataclass
from typing import Literal

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPSettings:
    """Bounds and names of the HTTP face.

    ``public_url`` is where clients reach us, without a trailing slash: issuer and audience of
    the access tokens, and the audience client assertions must name. ``client_recheck_s`` is how
    long a revoked client's running token may still pass. ``in_flight_high``: above so many
    unanswered requests of one worker those that can wait are refused. ``language`` is spoken where
    a request names none.
    """

    public_url: str
    version: str
    body_bytes_max: int = 64 * 1024
    body_timeout_s: float = 10.0
    json_depth_max: int = 24
    token_ttl_s: int = 600
    token_cache_max: int = 20_000
    client_recheck_s: int = 15
    assertion_ttl_max_s: int = 300
    clock_skew_s: int = 30
    retry_after_s: int = 1
    in_flight_high: int = 200
    language: Language = "zh"

    def __post_init__(self) -> None:
        assert self.public_url.startswith(("http://", "https://"))
        assert not self.public_url.endswith("/")
        assert self.body_bytes_max > 0
        assert self.json_depth_max > 0

    @property
    def token_url(self) -> str:
        """Address of the token endpoint, as client assertions may name it in ``aud``."""
        return f"{self.public_url}/v1/oauth/token"
