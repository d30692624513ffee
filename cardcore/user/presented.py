"""A presented code: what is known of it once signature, windows and scope are found right.

Whether it was used before is judged by the database, in the transaction that spends it.
"""

from datetime import datetime

from cardcore.values import value


@value
class PresentedCode:
    """An accepted code.

    ``replay_key`` is its semantic identity, never its bytes: the malleable twin of a signature
    is the same code. ``cap_fen`` bounds what it may pay; 0 means it may not pay.
    """

    code_class: str
    token: bytes
    replay_key: bytes
    digest: bytes
    cap_fen: int
    expires_at: datetime
