"""What the room of terminals answers."""

from datetime import datetime

from cardcore.model import Model


class ActivationCodeView(Model):
    """A new activation code: shown this once, good once."""

    terminal_id: str
    activation_code: str
    expires_at: datetime


class PackageKeyView(Model):
    """A key the terminal package may be signed with: pinned by the terminal at enrolment."""

    kid: int
    algorithm: str
    public_key: str


class EnrolledTerminal(Model):
    """What an enrolled terminal is, as it is to remember it.

    ``kid`` is the number of its key in the records it signs from now on; the merchant's
    names are for people who look at the terminal.
    """

    client_id: str
    terminal_id: str
    merchant_id: str
    merchant_name_zh: str
    merchant_name_en: str
    scene: str
    place: dict[str, str]
    kid: int
    scopes: list[str]
    issuer_id: int
    package_keys: list[PackageKeyView]
    server_time: datetime


class TerminalKeyView(Model):
    """One key of a terminal and its life."""

    kid: int
    algorithm: str
    enrolled_at: datetime
    retired_at: datetime | None
    revoked_at: datetime | None


class TerminalView(Model):
    """A terminal and its keys, newest first."""

    terminal_id: str
    merchant_id: str
    scene: str
    place: dict[str, str]
    status: str
    keys: list[TerminalKeyView]
