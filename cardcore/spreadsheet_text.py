"""Text for spreadsheets: what no program that opens a file takes for a formula. Pure.

Source: OWASP, CSV injection.
"""

import unicodedata
from decimal import Decimal
from typing import Final

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def neutral(text: str) -> str:
    """Text no spreadsheet runs, without control characters. Numbers stay numbers."""
    clean = "".join(" " if unicodedata.category(one) == "Cc" else one for one in text)
    if text.startswith(FORMULA_STARTS) and not _is_number(text):
        return "'" + clean
    return clean


def yuan(amount_fen: int) -> str:
    """Fen as yuan with two decimals."""
    return str(Decimal(amount_fen).scaleb(-2))


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal()
