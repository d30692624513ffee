"""``value`` for the core, the scenes and the faces above them; see ``ledger.values``."""

from ledger.values import value

__all__ = ["value"]
