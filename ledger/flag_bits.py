"""The flags as plain integers, for the rules: testing an enum's bits costs ten times as much."""

from typing import Final

from ledger.events import TransferPendingStatus

LINKED: Final = 1
PENDING: Final = 2
POST: Final = 4
VOID: Final = 8
POST_OR_VOID: Final = POST | VOID
BALANCING_DEBIT: Final = 16
BALANCING_CREDIT: Final = 32
CLOSING_DEBIT: Final = 64
CLOSING_CREDIT: Final = 128
CLOSING: Final = CLOSING_DEBIT | CLOSING_CREDIT
NOT_WITH_POST_OR_VOID: Final = PENDING | BALANCING_DEBIT | BALANCING_CREDIT | CLOSING
RESERVED_FLAGS: Final = ~255

DEBITS_LIMITED: Final = 2
CREDITS_LIMITED: Final = 4

POSTED: Final = int(TransferPendingStatus.posted)
VOIDED: Final = int(TransferPendingStatus.voided)
EXPIRED: Final = int(TransferPendingStatus.expired)
