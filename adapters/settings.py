"""What an installation may set, each by one environment variable ``CARDCORE_<NAME>``."""

import os
from datetime import time
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from cardcore.calendar import CUT_OFF_DEFAULT

Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?$")]
"""Scheme, host and port of a site, as a browser names it."""


def _default_home() -> Path:
    """Where the data lies when nothing is said: survives restarts, never inside the project."""
    if os.geteuid() == 0:
        return Path("/var/lib/cardcore")
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "cardcore"


class Settings(BaseSettings):
    """All settings, with defaults that need nothing but Python.

    ``database_url``: an external PostgreSQL 15 or newer; without it the embedded one is
    started. ``hsm_socket``: a security module's process that is running already; without it one
    is started. ``redis_url``: an accelerator, never the judge; without it nothing is lost but
    speed. ``nats_url``: a NATS server with JetStream that events are published to; without it
    there are webhooks alone. ``sandbox``: play money only, with a clock that can be moved.
    ``rate_per_s``: requests per second of one client in the long run, twice as many at once; 0: no
    limit, of sources neither. ``trusted_proxies``: networks of reverse proxies whose
    ``X-Forwarded-For`` is believed, as a JSON list of CIDR.
    ``insurance_url``: the gateway to the medical insurer; without it nobody is insured (in the
    sandbox, by a simulated insurer). ``webhook_private_networks``: where webhooks may go besides
    the internet, as a JSON list of CIDR; none in production. ``frame_ancestors``: origins of apps
    that may put the citizen's page into a frame, as a JSON list; none by default.
    ``leave_notice_s``: how long a worker that is told to stop (SIGTERM) says so at ``/readyz`` and
    goes on serving, before it closes its door; a balancer's polling interval and a bit.
    ``lock_wait_s``: how long a request waits for a lock of the database before it is answered 503.
    """

    model_config = SettingsConfigDict(env_prefix="CARDCORE_", extra="ignore")

    home: Path = Field(default_factory=_default_home)
    database_url: str | None = None
    hsm_socket: Path | None = None
    redis_url: str | None = None
    nats_url: str | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    cut_off: time = CUT_OFF_DEFAULT
    sandbox: bool = False
    rate_per_s: int = Field(default=5_000, ge=0)
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    insurance_url: str | None = None
    webhook_private_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    frame_ancestors: tuple[Origin, ...] = ()
    pool_connections_max: int = Field(default=10, ge=2, le=100)
    leave_notice_s: float = Field(default=3.0, ge=0, le=300)
    lock_wait_s: int = Field(default=5, ge=1, le=60)

    @property
    def postgres_home(self) -> Path:
        """Everything of the embedded server."""
        return self.home / "postgres"

    @property
    def hsm_home(self) -> Path:
        """Key file, audit log and socket of the security module."""
        return self.home / "hsm"

    @property
    def clients_home(self) -> Path:
        """Private keys of the demo city's clients, readable by their owner alone."""
        return self.home / "clients"
