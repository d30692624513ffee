"""Rows of one CSV file of a feed, read so that every fault has a file, a line and a reason.

A feed is written by other people. All its faults are collected (up to a bound) before the feed
is refused, so that its author can mend it in one go, and nothing is half-loaded. Pure: bytes in,
rows and faults out.

Source: GTFS Schedule reference, "File requirements" (RFC 4180 quoting, UTF-8, optional BOM).
"""

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import ClassVar, Final

FAULTS_MAX: Final = 100
NOTICES_MAX: Final = 100
FIELD_SIZE_MAX: Final = 16_384
AMOUNT_FEN_MAX: Final = 10_000_000

# The digits of the format are those of ASCII.
_CLOCK = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d)", re.ASCII)
_COUNT = re.compile(r"\d{1,9}", re.ASCII)
_PRICE = re.compile(r"\d{1,9}(\.\d{0,12})?|\.\d{1,12}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d{1,9}(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)

# What a lenient reading may leave out: a record that points nowhere or stands twice says nothing
# that could be charged. A value that cannot be read could have been any price.
LEFT_OUT: Final = frozenset({"unknown_reference", "duplicate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFault:
    """One thing wrong with a feed.

    ``line`` is the line of the file where the record starts (the header is line 1); 0 when the
    whole file is meant. ``field`` is empty when the whole record is meant. ``reason`` is stable,
    ``text`` is for people.
    """

    file: str
    line: int
    field: str
    reason: str
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.field + ': ' if self.field else ''}{self.text} [{self.reason}]"


class FeedInvalidError(Exception):
    """A feed has faults; nothing of it was loaded.

    ``faults`` are in file order, at most ``FAULTS_MAX``; ``truncated`` says that reading stopped
    there.
    """

    code: ClassVar[str] = "feed_invalid"
    retryable: ClassVar[bool] = False

    def __init__(self, faults: tuple[FeedFault, ...], *, truncated: bool) -> None:
        super().__init__(
            f"{len(faults)}{' or more' if truncated else ''} faults; first: {faults[0]}"
        )
        self.faults = faults
        self.truncated = truncated


@dataclass(slots=True)
class Faults:
    """The faults found so far. Raises ``FeedInvalidError`` when there are too many to go on.

    ``spoiled`` are identifiers, by file, whose own record has a fault: to refer to one of them is
    no further fault. ``lenient``: a record at fault for a reason in ``LEFT_OUT`` is left out with a
    notice, and so is what refers to it. ``notices`` are the first ``NOTICES_MAX``.
    """

    found: list[FeedFault] = field(default_factory=list)
    spoiled: set[tuple[str, str]] = field(default_factory=set)
    lenient: bool = False
    notices: list[FeedFault] = field(default_factory=list)

    def add(self, file: str, line: int, name: str, reason: str, text: str) -> None:
        """Note one fault; the bound stops the reading."""
        if self.lenient and reason in LEFT_OUT:
            self.note(file, line, name, reason, f"left out: {text}")
            return
        self.found.append(FeedFault(file=file, line=line, field=name, reason=reason, text=text))
        if len(self.found) >= FAULTS_MAX:
            raise FeedInvalidError(tuple(self.found), truncated=True)

    def note(self, file: str, line: int, name: str, reason: str, text: str) -> None:
        """Note what refuses no feed."""
        if len(self.notices) < NOTICES_MAX:
            self.notices.append(
                FeedFault(file=file, line=line, field=name, reason=reason, text=text)
            )

    def raise_if_any(self) -> None:
        """Refuse the feed if anything was found."""
        if self.found:
            raise FeedInvalidError(tuple(self.found), truncated=False)


@dataclass(slots=True)
class Row:
    """One record. Each getter notes a fault and answers a harmless value when the text is bad.

    ``sound`` is False once any getter found a fault: the caller then drops the record.
    """

    file: str
    line: int
    texts: Mapping[str, str]
    faults: Faults
    sound: bool = True

    def fault(self, name: str, reason: str, text: str) -> None:
        """Note a fault of this record and mark it unsound."""
        self.sound = False
        self.faults.add(self.file, self.line, name, reason, text)

    def text(self, name: str) -> str:
        """A required text, not empty."""
        value = self.texts.get(name, "")
        if not value:
            self.fault(name, "value_missing", "a value is required")
        return value

    def text_or_empty(self, name: str) -> str:
        """An optional text, "" where absent."""
        return self.texts.get(name, "")

    def count(self, name: str) -> int:
        """A required integer >= 0."""
        value = self.text(name)
        return self._count(name, value) if value else 0

    def count_or_none(self, name: str) -> int | None:
        """An optional integer >= 0."""
        value = self.texts.get(name, "")
        return self._count(name, value) if value else None

    def choice(self, name: str, allowed: range, default: int | None = None) -> int:
        """One of a few integers; ``default`` where empty, None makes it required."""
        value = self.texts.get(name, "")
        if not value and default is not None:
            return default
        number = self.count(name)
        if self.sound and number not in allowed:
            self.fault(
                name, "out_of_range", f"{number} is not {allowed.start} to {allowed.stop - 1}"
            )
        return number if number in allowed else allowed.start

    def degrees(self, name: str, bound: int) -> None:
        """Check an optional coordinate within ±``bound`` degrees; fares need no coordinates."""
        value = self.texts.get(name, "")
        if not value:
            return
        if not _DECIMAL.fullmatch(value):
            self.fault(name, "not_a_number", f"{value!r} is not a decimal number")
        elif abs(Decimal(value)) > bound:
            self.fault(name, "out_of_range", f"{value} is beyond {bound} degrees")

    def price_fen(
        self,
        name: str,
        currency_name: str,
        fen_per_unit: Mapping[str, int],
        *,
        signed: bool = False,
    ) -> int:
        """A required price as fen: "2.50" at 100 fen a unit is 250; 2.505 is a fault.

        Args:
            name: the column of the price.
            currency_name: the column of its ISO 4217 code.
            fen_per_unit: fen per unit of each currency that may stand there.
            signed: a negative price (a discount) is allowed.
        """
        value, currency = self.text(name), self.text(currency_name)
        if currency and currency not in fen_per_unit:
            known = ", ".join(sorted(fen_per_unit))
            self.fault(currency_name, "currency_unknown", f"{currency!r} is not one of {known}")
        if not self.sound:
            return 0
        if value.startswith("-") and not signed:
            self.fault(name, "negative", f"{value!r} is negative")
        elif not _PRICE.fullmatch(value.removeprefix("-")):
            self.fault(name, "not_a_number", f"{value!r} is not a price")
        else:
            fen = Decimal(value) * fen_per_unit[currency]
            if fen != fen.to_integral_value():
                self.fault(name, "fraction_of_minor_unit", f"{value!r} is finer than one fen")
            elif abs(fen) > AMOUNT_FEN_MAX:
                self.fault(name, "out_of_range", f"{value!r} is beyond the largest possible fare")
            else:
                return int(fen)
        return 0

    def clock_s_or_none(self, name: str) -> int | None:
        """An optional service-day time H:MM:SS as seconds since its start; may pass 24:00:00."""
        value = self.texts.get(name, "")
        if not value:
            return None
        if value.startswith("-"):
            self.fault(name, "negative", f"{value!r} is negative")
            return None
        match = _CLOCK.fullmatch(value)
        if match is None:
            self.fault(name, "not_a_time", f"{value!r} is not HH:MM:SS")
            return None
        hours, minutes, seconds = (int(part) for part in match.groups())
        return hours * 3600 + minutes * 60 + seconds

    def day(self, name: str) -> date:
        """A required date YYYYMMDD."""
        value = self.text(name)
        try:
            if value and not re.fullmatch(r"\d{8}", value, re.ASCII):
                raise ValueError  # noqa: TRY301  (one place words the fault)
            return date(int(value[:4]), int(value[4:6]), int(value[6:])) if value else date.min
        except ValueError:
            self.fault(name, "not_a_date", f"{value!r} is not a date YYYYMMDD")
            return date.min

    def _count(self, name: str, value: str) -> int:
        if value.startswith("-"):
            self.fault(name, "negative", f"{value!r} is negative")
        elif not _COUNT.fullmatch(value):
            self.fault(name, "not_a_number", f"{value!r} is not a whole number")
        else:
            return int(value)
        return 0


def first(row: Row, name: str, key: str, known: Mapping[str, object]) -> bool:
    """Whether the row is sound and its identifier new; a repeated one is a fault."""
    if key and key in known:
        row.fault(name, "duplicate", f"{key!r} stands more than once")
    if not row.sound:
        row.faults.spoiled.add((row.file, key))
    return row.sound


def refer(row: Row, name: str, key: str, known: Collection[str], file: str) -> None:
    """A fault unless ``key`` is empty, or an identifier of ``file``.

    What refers to a faulty record is not at fault, but cannot stand without it either.
    """
    if not key or key in known:
        return
    if (file, key) in row.faults.spoiled:
        row.sound = False
    else:
        row.fault(name, "unknown_reference", f"{file} has no {key!r}")


def read_rows(file: str, content: bytes, columns: tuple[str, ...], faults: Faults) -> Iterator[Row]:
    """The records of one file.

    Args:
        file: name for the faults.
        content: the bytes as received.
        columns: columns the header must have; further ones are passed through.
        faults: where faults go.

    Yields:
        Records that have as many fields as the header. Blank lines and lines of commas alone are
        left out, and so are empty fields beyond the header's last.
    """
    text = _decode(file, content, faults)
    if text is None:
        return
    # A space after a comma would otherwise hide the quotation mark that follows it.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    header: list[str] | None = None
    line = 1
    try:
        for fields in reader:
            if header is None:
                header = [name.strip() for name in fields]
                if not _header_sound(file, header, columns, faults):
                    return
            elif any(value and not value.isspace() for value in fields):
                row = _row(file, line, header, fields, faults)
                if row is not None:
                    yield row
            line = reader.line_num + 1
    except csv.Error as error:
        faults.add(file, line, "", "bad_quoting", f"not readable as CSV: {error}")
        return
    if header is None:
        faults.add(file, 1, "", "empty_file", "the file has no header")


def _decode(file: str, content: bytes, faults: Faults) -> str | None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        faults.add(file, line, "", "bad_encoding", f"byte {error.start} is not UTF-8")
        return None
    nul_at = text.find("\0")
    if nul_at >= 0:
        faults.add(file, text.count("\n", 0, nul_at) + 1, "", "bad_encoding", "a NUL character")
        return None
    return text


def _header_sound(file: str, header: list[str], columns: tuple[str, ...], faults: Faults) -> bool:
    missing = [name for name in columns if name not in header]
    twice = sorted({name for name in header if name and header.count(name) > 1})
    for name in missing:
        faults.add(file, 1, name, "column_missing", f"the header has no column {name}")
    for name in twice:
        faults.add(file, 1, name, "column_twice", f"the header has column {name} more than once")
    return not missing and not twice


def _row(file: str, line: int, header: list[str], fields: list[str], faults: Faults) -> Row | None:
    beyond = fields[len(header) :]
    if len(fields) < len(header) or any(value.strip() for value in beyond):
        faults.add(
            file,
            line,
            "",
            "field_count",
            f"{len(fields)} fields where the header has {len(header)}",
        )
        return None
    texts = {name: value.strip() for name, value in zip(header, fields, strict=False)}
    for name, value in texts.items():
        if len(value) > FIELD_SIZE_MAX:
            faults.add(file, line, name, "too_long", f"longer than {FIELD_SIZE_MAX} characters")
            return None
    return Row(file=file, line=line, texts=texts, faults=faults)
