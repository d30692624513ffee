"""``/v1/books/custody``: what the bank holds against what it must cover, at any business date."""

from typing import Final

from adapters.http.operation import Answer, Call, Noun
from cardcore.account.request import CustodyQuery
from cardcore.account.views import CustodyView
from cardcore.caller import Scope

CUSTODY: Final = Noun("custody", "Custody at the end of a business date.")


@CUSTODY.operation(
    "GET",
    "/v1/books/custody",
    summary="Custody at the end of a business date",
    body=CustodyQuery,
    reply=CustodyView,
    scope=Scope.REPORTS_READ,
)
async def custody(call: Call[CustodyQuery]) -> Answer:
    """By default of the last date that is over, with the check that was made at its cut-off."""
    return Answer(view=await call.core.custody(call.caller, call.body))
