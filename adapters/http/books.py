"""``/v1/books``: the two sums an operator closes the day with."""

from typing import Final

from adapters.http.operation import Answer, Call, Noun
from cardcore.account.views import BooksView
from cardcore.caller import Scope

BOOKS: Final = Noun("books", "Trial balance and custody.")


@BOOKS.operation(
    "GET",
    "/v1/books",
    summary="Trial balance and custody difference",
    reply=BooksView,
    scope=Scope.REPORTS_READ,
)
async def books(call: Call[None]) -> Answer:
    """Both must be zero; the accounts they are the sums of stand beside them."""
    return Answer(view=await call.core.books(call.caller))
