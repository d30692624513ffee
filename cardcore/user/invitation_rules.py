"""What people may agree on by themselves when one pays for another. Pure.

At a counter somebody sees papers, so what two people agree on alone is bounded: by amounts, by
time, and by how many invitations lie about at once. The one-time code has 60 random bits.
"""

from datetime import datetime, timedelta
from typing import Final

from cardcore.errors import LimitExceededError, PersonStateError
from cardcore.user.invitation_request import InviteRequest

CODE_LENGTH: Final = 12
CODE_GROUP: Final = 4
OPEN_FOR: Final = timedelta(hours=24)
OPEN_MAX: Final = 5
ORDER_FEN_MAX: Final = 50_000
DAY_FEN_MAX: Final = 100_000
MONTH_FEN_MAX: Final = 500_000
LASTS_MAX: Final = timedelta(days=366)
# Below it nobody knows whose money it is.
PAYER_LEVEL: Final = "real_name"


def admit_terms(request: InviteRequest, *, now: datetime) -> None:
    """Raise unless two people may agree on this alone.

    Raises:
        LimitExceededError: ``family_order``, ``family_day``, ``family_month``, ``family_lasts``.
        PersonStateError: it would have ended already.
    """
    month_fen = request.month_fen_max or 0
    for limit, field, asked_fen, limit_fen in (
        ("family_order", "order_fen_max", request.order_fen_max, ORDER_FEN_MAX),
        ("family_day", "day_fen_max", request.day_fen_max, DAY_FEN_MAX),
        ("family_month", "month_fen_max", month_fen, MONTH_FEN_MAX),
    ):
        if asked_fen > limit_fen:
            raise LimitExceededError(
                field=field, limit=limit, limit_fen=limit_fen, asked_fen=asked_fen
            )
    if request.valid_to <= now:
        raise PersonStateError("it would have ended already", field="valid_to")
    if request.valid_to - now > LASTS_MAX:
        raise LimitExceededError(field="valid_to", limit="family_lasts", days=LASTS_MAX.days)
