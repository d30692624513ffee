"""``POST /v1/records``: what terminals decided by themselves."""

from typing import Final

from adapters.http.examples import UPLOAD
from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.errors import TerminalUnknownError
from cardcore.terminals.record_request import UploadRequest
from cardcore.terminals.record_views import UploadView

RECORDS: Final = Noun("records", "Signed records of what terminals decided off-line.")
# 500 records of the greatest size, in base64url and JSON.
BODY_BYTES_MAX: Final = 2 * 2**20 + 2**17


@RECORDS.operation(
    "POST",
    "/v1/records",
    summary="Upload validator records",
    body=UploadRequest,
    reply=UploadView,
    body_bytes_max=BODY_BYTES_MAX,
    scope=Scope.RECORDS_WRITE,
    refusals=(TerminalUnknownError,),
    examples={"one": UPLOAD},
)
async def upload_records(call: Call[UploadRequest]) -> Answer:
    """One result per record, in order: `booked`, `duplicate`, `rejected` or `review`.

    The record's id is the key: sending a batch again answers `duplicate` with the same orders. A
    bad record never keeps a good one from being booked; `gaps` are numbers that have not arrived.
    """
    return Answer(view=await call.core.upload_records(call.caller, call.body))
