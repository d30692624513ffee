"""``/v1/merchants/{merchant_id}/settlements``: what a merchant fetches of its settlement."""

from typing import Any, Final

from adapters.http.operation import Answer, Call, Noun
from adapters.http.settlement import number_of
from cardcore.caller import Scope
from cardcore.errors import MerchantUnknownError
from cardcore.settlement.errors import WindowUnknownError
from cardcore.settlement.request import FileQuery, StatementsQuery
from cardcore.settlement.views import (
    FileView,
    MerchantStatementsView,
    PayeeView,
    RowProofView,
    StatementView,
)

SETTLEMENT_FILES: Final = Noun(
    "merchant-settlements", "A merchant's statements, signed files and proofs."
)
_REFUSALS: Final = (MerchantUnknownError, WindowUnknownError)


@SETTLEMENT_FILES.operation(
    "GET",
    "/v1/merchants/{merchant_id}/settlements",
    summary="List a merchant's statements",
    body=StatementsQuery,
    reply=MerchantStatementsView,
    scope=Scope.BILLS_READ,
    refusals=(MerchantUnknownError,),
)
async def list_statements(call: Call[StatementsQuery]) -> Answer:
    """Newest first; go on with `before`."""
    desk = call.core.platform.settlement
    return Answer(view=await desk.statements_of(call.caller, _merchant(call), call.body))


@SETTLEMENT_FILES.operation(
    "GET",
    "/v1/merchants/{merchant_id}/settlements/{number}",
    summary="Read a merchant's statement of a window",
    reply=StatementView,
    scope=Scope.BILLS_READ,
    refusals=_REFUSALS,
)
async def read_statement(call: Call[None]) -> Answer:
    """Business, fees, shares, what is paid and what is carried, in fen."""
    desk = call.core.platform.settlement
    return Answer(view=await desk.statement(call.caller, _merchant(call), number_of(call)))


@SETTLEMENT_FILES.operation(
    "GET",
    "/v1/merchants/{merchant_id}/settlements/{number}/file",
    summary="Count, sum, digest and signature of a settlement file",
    body=FileQuery,
    reply=FileView,
    scope=Scope.BILLS_READ,
    refusals=_REFUSALS,
)
async def read_file(call: Call[FileQuery]) -> Answer:
    """The newest version, or the one named; a version never changes."""
    files = call.core.platform.settlement.files
    view = await files.read(call.caller, _merchant(call), number_of(call), call.body)
    return Answer(view=view)


@SETTLEMENT_FILES.operation(
    "GET",
    "/v1/merchants/{merchant_id}/settlements/{number}/file.csv",
    summary="A settlement file",
    body=FileQuery,
    reply=None,
    media_type="text/csv",
    scope=Scope.BILLS_READ,
    refusals=_REFUSALS,
)
async def read_file_content(call: Call[FileQuery]) -> Answer:
    """One line per posting to the merchant's payable, in the ledger's order."""
    files = call.core.platform.settlement.files
    content = await files.content(call.caller, _merchant(call), number_of(call), call.body)
    name = f'attachment; filename="settlement-{number_of(call)}.csv"'
    return Answer(content=content, headers={"Content-Disposition": name})


@SETTLEMENT_FILES.operation(
    "GET",
    "/v1/merchants/{merchant_id}/settlements/{number}/rows/{row}/proof",
    summary="Prove one row of a settlement file",
    body=FileQuery,
    reply=RowProofView,
    scope=Scope.BILLS_READ,
    refusals=_REFUSALS,
)
async def prove_row(call: Call[FileQuery]) -> Answer:
    """The line, its path and the signed head: enough to check it without us (`check_row.py`)."""
    files = call.core.platform.settlement.files
    row_no = number_of(call, "row")
    view = await files.prove_row(call.caller, _merchant(call), number_of(call), row_no, call.body)
    return Answer(view=view)


@SETTLEMENT_FILES.operation(
    "GET",
    "/v1/merchants/{merchant_id}/payee",
    summary="Where a merchant is paid",
    reply=PayeeView,
    scope=Scope.BILLS_READ,
    refusals=(MerchantUnknownError,),
)
async def read_payee(call: Call[None]) -> Answer:
    """Its end alone is shown. It is changed by `set_settlement_payee`."""
    return Answer(view=await call.core.platform.settlement.payee(call.caller, _merchant(call)))


def _merchant(call: Call[Any]) -> str:
    return call.path["merchant_id"]
