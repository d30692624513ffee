"""What is answered about off-line authorisations and printed codes."""

from datetime import datetime

from cardcore.model import Model


class AuthorisationView(Model):
    """A class D authorisation: the bytes a phone keeps (base64url), and its limits.

    The phone should ask again after ``renew_after``; that ends this one.
    """

    authorisation: str
    suite: str
    issued_at: datetime
    ends_at: datetime
    renew_after: datetime
    cap_fen: int
    cumulative_cap_fen: int
    uses_max: int
    dynamic_ttl_s: int


class PrintedCodeView(Model):
    """A printed code: the text to print as a QR code, shown this once."""

    text: str
    code_class: str
    issued_at: datetime
    ends_at: datetime
