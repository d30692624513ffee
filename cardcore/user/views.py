"""What the user room answers."""

from datetime import datetime

from cardcore.model import Model


class IssuedCodeView(Model):
    """A dynamic code: the text to show as a QR code, and how long it lives."""

    text: str
    code_class: str
    issued_at: datetime
    expires_at: datetime
    refresh_after_s: int
