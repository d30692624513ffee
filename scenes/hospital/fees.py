"""Bill lines as the rows of message 2204. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from scenes.hospital.insurer import local_text
from scenes.hospital.messages import FeeDetail

LINES_MAX: Final = 9_999
RXNO_SIZE: Final = 30
_BILL_SIZE: Final = 26  # of its 28 digits that are not zero: enough among the bills of one visit


class ChargedLine(Protocol):
    """A line of a bill, and what of it was given back."""

    bill_id: UUID
    line_no: int
    item_code: str
    quantity: str
    price_fen: int
    amount_fen: int
    returned_fen: int
    out_bill_no: str


class InsuredVisit(Protocol):
    """Whose visit it is with the insurer."""

    @property
    def mdtrt_id(self) -> str | None:
        """The insurer's number of the visit."""
        ...

    @property
    def psn_no(self) -> str | None:
        """The insurer's number of the person."""
        ...

    @property
    def dept_code(self) -> str:
        """The department."""
        ...


def fees_of(
    visit: InsuredVisit, lines: Iterable[ChargedLine], *, batch_no: str, at: datetime
) -> list[FeeDetail]:
    """Rows for what is charged of each line, under one batch; lines given back whole are left out.

    Their numbers (``feedetl_sn``) follow from the lines, so sending them again changes nothing.
    """
    assert visit.mdtrt_id is not None
    assert visit.psn_no is not None
    return [
        FeeDetail(
            feedetl_sn=_row_no(line),
            mdtrt_id=visit.mdtrt_id,
            psn_no=visit.psn_no,
            chrg_bchno=batch_no,
            rxno=line.out_bill_no[-RXNO_SIZE:],
            fee_ocur_time=local_text(at),
            med_list_codg=line.item_code,
            medins_list_codg=line.item_code,
            det_item_fee_sumamt=line.amount_fen - line.returned_fen,
            cnt=line.quantity,
            pric=line.price_fen,
            bilg_dept_codg=visit.dept_code,
        )
        for line in lines
        if line.amount_fen > line.returned_fen
    ]


def _row_no(line: ChargedLine) -> str:
    """A row's number: of at most 30 characters, one within its visit."""
    assert line.line_no <= LINES_MAX
    return f"{line.bill_id.hex[:_BILL_SIZE]}{line.line_no:04d}"
