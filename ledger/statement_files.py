"""A statement as CSV, XLSX and PDF. Pure: a statement in, bytes out.

Text that a spreadsheet would run as a formula is neutralised. A character the font lacks is
shown as its code point (⟨U+30EDE⟩), never dropped: a name must be readable on a bank paper.
"""

import csv
import importlib.util
import io
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, Final, Literal

import xlsxwriter
from fpdf import FPDF
from fpdf.fonts import FontFace, TTFFont

from ledger.errors import LedgerError
from ledger.statements import Statement, StatementLine

FEN_PER_YUAN: Final = 100
Language = Literal["zh", "en"]
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
FONT_MODULE: Final = "cvttf_NotoSansCJK_Regular"
FONT_FILES: Final = (
    Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"),
    Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"),
)

_PDF_WIDTHS_MM: Final = (20, 32, 78, 34, 24, 24, 26, 34)
_PDF_LINE_MM: Final = 6
_FONT_SIZE_PT: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """How a statement is printed, and what stands on it that the ledger does not know.

    ``account``: what the account is called, else its id. ``remark``: a line below the balances.
    """

    language: Language = "zh"
    holder: str = ""
    account: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words of a statement in one language."""

    title: str
    sheet: str
    holder: str
    period: str
    opening: str
    credits: str
    debits: str
    closing: str
    headings: tuple[str, ...]


WORDS: Final[dict[Language, Words]] = {
    "zh": Words(
        title="账户对账单",
        sheet="对账单",
        holder="户名",
        period="期间",
        opening="期初余额",
        credits="收入合计",
        debits="支出合计",
        closing="期末余额",
        headings=("日期", "记账时间", "摘要", "对方账户", "收入", "支出", "余额", "流水号"),
    ),
    "en": Words(
        title="Account statement",
        sheet="Statement",
        holder="Holder",
        period="Period",
        opening="Opening balance",
        credits="Total in",
        debits="Total out",
        closing="Closing balance",
        headings=("Date", "Booked at", "Text", "Counterpart", "In", "Out", "Balance", "Transfer"),
    ),
}
_CHINESE: Final = Paper()


class FontMissingError(LedgerError):
    """No font with Chinese glyphs is installed."""

    code = "font_missing"
    retryable: ClassVar[bool] = False


def to_csv(statement: Statement, paper: Paper = _CHINESE) -> bytes:
    """Comma-separated, UTF-8 with a byte order mark (Excel reads it as such)."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    for row in _head_rows(statement, paper):
        writer.writerow(_neutral(cell) for cell in row)
    writer.writerow(WORDS[paper.language].headings)
    for line in statement.lines:
        writer.writerow(_cells(line))
    return out.getvalue().encode("utf-8-sig")


def to_xlsx(statement: Statement, paper: Paper = _CHINESE) -> bytes:
    """A workbook; amounts are numbers in yuan, text is never a formula."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        sheet = book.add_worksheet(WORDS[paper.language].sheet)
        bold = book.add_format({"bold": True})
        money = book.add_format({"num_format": "#,##0.00"})
        row = 0
        for head in _head_rows(statement, paper):
            sheet.write_row(row, 0, [_neutral(cell) for cell in head])
            row += 1
        sheet.write_row(row, 0, WORDS[paper.language].headings, bold)
        for line in statement.lines:
            row += 1
            cells = _cells(line)
            for column in (0, 1, 2, 3, 7):
                sheet.write_string(row, column, cells[column])
            if line.amount >= 0:
                sheet.write_number(row, 4, line.amount / FEN_PER_YUAN, money)
            else:
                sheet.write_number(row, 5, -line.amount / FEN_PER_YUAN, money)
            sheet.write_number(row, 6, line.balance / FEN_PER_YUAN, money)
        sheet.set_column(0, 7, 18)
    return out.getvalue()


def to_pdf(statement: Statement, paper: Paper = _CHINESE, *, font: Path | None = None) -> bytes:
    """A4 landscape pages with page numbers.

    Args:
        statement: what to print.
        paper: how, and for whom.
        font: a TrueType or OpenType font with Chinese glyphs; by default ``find_font()``.

    Raises:
        FontMissingError: none was given and none is installed.
    """
    pdf = FPDF(orientation="landscape")
    pdf.set_title(WORDS[paper.language].title)
    pdf.add_font("statement", "", font or find_font())
    pdf.set_font("statement", size=_FONT_SIZE_PT)
    face = pdf.fonts["statement"]
    assert isinstance(face, TTFFont)
    glyphs = frozenset(face.cmap)
    pdf.add_page()
    for head in _head_rows(statement, paper):
        pdf.cell(0, _PDF_LINE_MM, _printable(" ".join(head), glyphs), new_x="LMARGIN", new_y="NEXT")
    pdf.ln(_PDF_LINE_MM / 2)
    with pdf.table(
        col_widths=_PDF_WIDTHS_MM, line_height=_PDF_LINE_MM, text_align="LEFT", wrapmode="CHAR",
        headings_style=FontFace(emphasis=""),  # the font has one weight

    ) as table:  # fmt: skip
        table.row(WORDS[paper.language].headings)
        for line in statement.lines:
            table.row([_printable(cell, glyphs) for cell in _cells(line)])
    return bytes(pdf.output())


def find_font() -> Path:
    """A font with Chinese glyphs: the one this package depends on, else the system's.

    Raises:
        FontMissingError: there is none.
    """
    spec = importlib.util.find_spec(FONT_MODULE)
    places = list(FONT_FILES)
    if spec is not None and spec.origin is not None:
        places = [*Path(spec.origin).parent.glob("*.otf"), *places]
    for place in places:
        if place.exists():
            return place
    raise FontMissingError(f"install the Python package {FONT_MODULE} or Debian's fonts-noto-cjk")


def yuan(amount: int) -> str:
    """Fen as yuan with two decimals."""
    return str(Decimal(amount).scaleb(-2))


def _head_rows(statement: Statement, paper: Paper) -> list[tuple[str, ...]]:
    words = WORDS[paper.language]
    rows: list[tuple[str, ...]] = [(words.title, paper.account or f"{statement.account_id:032x}")]
    if paper.holder:
        rows.append((words.holder, paper.holder))
    rows += [
        (words.period, statement.from_on.isoformat(), statement.to_on.isoformat()),
        (words.opening, yuan(statement.opening)),
        (words.credits, yuan(statement.credits), words.debits, yuan(statement.debits)),
        (words.closing, yuan(statement.closing)),
    ]
    if paper.remark:
        rows.append((paper.remark,))
    return rows


def _cells(line: StatementLine) -> tuple[str, ...]:
    return (
        line.effective_on.isoformat(),
        line.recorded_at.isoformat(timespec="seconds"),
        _neutral(line.text),
        f"{line.counterpart_id:032x}",
        yuan(line.amount) if line.amount >= 0 else "",
        yuan(-line.amount) if line.amount < 0 else "",
        yuan(line.balance),
        f"{line.transfer_id:032x}",
    )


def _neutral(text: str) -> str:
    """Text no spreadsheet runs, without control characters. Numbers stay numbers."""
    clean = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    if text.startswith(FORMULA_STARTS) and not _is_number(text):
        return "'" + clean
    return clean


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal()


def _printable(text: str, glyphs: frozenset[int]) -> str:
    return "".join(c if ord(c) in glyphs else f"⟨U+{ord(c):04X}⟩" for c in text)
