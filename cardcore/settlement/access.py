"""Who may ask what of settlement."""

from cardcore.caller import Caller, Scope
from cardcore.errors import ForbiddenError, MerchantUnknownError


def require_own(caller: Caller, merchant_id: str) -> None:
    """Raise ``MerchantUnknownError`` where a merchant's client asks for another one."""
    if caller.merchant_id not in (None, merchant_id):
        raise MerchantUnknownError(field="merchant_id")


def require_centre(caller: Caller, scope: Scope) -> None:
    """Raise ``ForbiddenError`` unless the caller is the card centre's and has the scope."""
    caller.require(scope)
    if caller.merchant_id is not None:
        raise ForbiddenError("settling is the card centre's")
