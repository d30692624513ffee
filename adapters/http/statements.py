"""Statements of users and merchants: pages of JSON, and files for paper and spreadsheets."""

from typing import Final

from adapters.http.citizens import SESSION
from adapters.http.operation import Answer, Call, Noun
from cardcore.account.request import StatementFileQuery, StatementQuery
from cardcore.account.views import StatementView
from cardcore.caller import Scope
from cardcore.errors import FundUnknownError, MerchantUnknownError, UserUnknownError

STATEMENTS: Final = Noun("statements", "Opening, lines and closing, by business date.")
MEDIA: Final = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}


@STATEMENTS.operation(
    "GET",
    "/v1/users/{user_id}/statement",
    summary="Statement of a user's fund",
    body=StatementQuery,
    reply=StatementView,
    scope=Scope.USERS_READ,
    refusals=(UserUnknownError, FundUnknownError),
)
async def user_statement(call: Call[StatementQuery]) -> Answer:
    """Page by page; opening and closing are those of the whole span."""
    view = await call.core.user_statement(call.caller, call.id("user_id"), call.body)
    return Answer(view=view)


@STATEMENTS.operation(
    "GET",
    "/v1/me/statement",
    summary="Statement of my fund",
    body=StatementQuery,
    reply=StatementView,
    access="citizen",
    refusals=(*SESSION, FundUnknownError),
)
async def my_statement(call: Call[StatementQuery]) -> Answer:
    """As the citizen of this session sees it."""
    assert call.caller.user_id is not None, "a citizen's session has a user"
    view = await call.core.user_statement(call.caller, call.caller.user_id, call.body)
    return Answer(view=view)


@STATEMENTS.operation(
    "GET",
    "/v1/merchants/{merchant_id}/statement",
    summary="Statement of what a merchant is owed",
    body=StatementQuery,
    reply=StatementView,
    scope=Scope.BILLS_READ,
    refusals=(MerchantUnknownError, FundUnknownError),
)
async def merchant_statement(call: Call[StatementQuery]) -> Answer:
    """`fund` is `payable` (from citizens' money) or `subsidy_payable` (from concession payers)."""
    view = await call.core.merchant_statement(call.caller, call.path["merchant_id"], call.body)
    return Answer(view=view)


def _attached(form: str, fund: str, content: bytes) -> Answer:
    name = f'attachment; filename="statement-{fund}.{form}"'
    return Answer(content=content, headers={"Content-Disposition": name})


def _declare_files(form: str) -> None:
    """Declare both statements in one form."""

    @STATEMENTS.operation(
        "GET",
        f"/v1/users/{{user_id}}/statement.{form}",
        summary=f"Statement of a user's fund as {form.upper()}",
        body=StatementFileQuery,
        reply=None,
        media_type=MEDIA[form],
        scope=Scope.USERS_READ,
        refusals=(UserUnknownError, FundUnknownError),
    )
    async def user_statement_file(call: Call[StatementFileQuery]) -> Answer:
        """For paper and spreadsheets, in Chinese or English; the name is masked."""
        content = await call.core.user_statement_file(
            call.caller, call.id("user_id"), call.body, form
        )
        return _attached(form, call.body.fund, content)

    @STATEMENTS.operation(
        "GET",
        f"/v1/merchants/{{merchant_id}}/statement.{form}",
        summary=f"Statement of what a merchant is owed as {form.upper()}",
        body=StatementFileQuery,
        reply=None,
        media_type=MEDIA[form],
        scope=Scope.BILLS_READ,
        refusals=(MerchantUnknownError, FundUnknownError),
    )
    async def merchant_statement_file(call: Call[StatementFileQuery]) -> Answer:
        """For paper and spreadsheets, in Chinese or English."""
        content = await call.core.merchant_statement_file(
            call.caller, call.path["merchant_id"], call.body, form
        )
        return _attached(form, call.body.fund, content)

    user_statement_file.__name__ += f"_{form}"
    merchant_statement_file.__name__ += f"_{form}"


for _form in MEDIA:
    _declare_files(_form)
