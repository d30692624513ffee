"""The uniform API as one interface with two implementations: in-process and over HTTP.

``InProcess`` binds the core to one caller; ``CardcoreClient`` is that caller from outside. One
suite of tests runs on both.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cardcore.caller import Caller

if TYPE_CHECKING:
    from cardcore.service import CardCore

VERBS: Final = (
    "verify",
    "quote",
    "order",
    "read_order",
    "find_order",
    "capture",
    "void",
    "refund",
    "explain",
    "open_dispute",
    "answer_dispute",
    "credit_dispute",
    "decide_dispute",
    "withdraw_dispute",
    "read_dispute",
    "dispute_evidence",
    "register_scene",
    "change_scene",
    "retire_scene",
    "read_scene",
    "scene_versions",
    "scenes",
    "limits",
    "limit_versions",
    "arrears_of",
    "open_user",
    "read_user",
    "issue_code",
    "top_up",
    "books",
)


class InProcess:
    """The core as one caller has it: the verbs of ``CardcoreClient`` without a network."""

    def __init__(self, core: "CardCore", caller: Caller) -> None:
        self._core = core
        self._caller = caller

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        """A verb with the caller already given."""
        if verb not in VERBS:
            raise AttributeError(verb)
        return partial(getattr(self._core, verb), self._caller)
