"""What a terminal uploads."""

from typing import Annotated

from pydantic import Field, StringConstraints

from cardcore.model import Instant, Model

RECORDS_MAX = 500
# A record is at most 84 bytes of head, six texts of 255, evidence of 1,024 and a signature.
RecordText = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class UploadRequest(Model):
    """A batch of records, each base64url of its signed bytes, in any order.

    ``list_version`` and ``list_age_s`` tell which status list the terminal decides by, ``clock``
    what its clock says now.
    """

    records: Annotated[list[RecordText], Field(min_length=1, max_length=RECORDS_MAX)]
    list_version: Annotated[int, Field(strict=True, ge=0, le=0xFFFF_FFFF)]
    list_age_s: Annotated[int, Field(strict=True, ge=-(2**40), le=2**40)]
    clock: Instant
