"""How an answer came about: made now, or known before by one of a request's two names.

A request that makes something has two names: the idempotency key, which is one client's for one
sending, and the number its maker gave to what it makes (``out_trade_no``, ``out_refund_no``),
which is the merchant's for ever. The two are told apart: a repeated key gets the very answer it
got, a number under another key gets what the number names.
"""

from enum import IntFlag
from typing import Final


class Known(IntFlag):
    """By which names a request was known; false where it was new and has had its effect now.

    A key that once met a number is answered the same way ever after: then both are set.
    """

    NEW = 0
    BY_KEY = 1
    BY_NUMBER = 2


_BY_NUMBER: Final = " by number"


def kept_kind(action: str, known: Known) -> str:
    """What is kept of a key beside its effect: the action, and whether a number was met."""
    return action + _BY_NUMBER if Known.BY_NUMBER in known else action


def known_by_key(kind: str) -> Known:
    """How a request is known whose key is kept with this kind."""
    return Known.BY_KEY | Known.BY_NUMBER if kind.endswith(_BY_NUMBER) else Known.BY_KEY
