"""Clearing reports as JSON views, as CSV and as a workbook. Pure.

One row per dimension and value, then operators, gaps and vehicles; amounts in yuan with two
decimals in files, in fen in JSON. No cell of a file is a formula, whatever a line is called.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from typing import Final, Literal

import xlsxwriter

from cardcore.model import Model
from cardcore.spreadsheet_text import neutral, yuan
from scenes.bus.clearing import ClearingReport, Figures

Language = Literal["zh", "en"]
Cell = str | int


class FiguresView(Model):
    """What is counted of a set of journeys, in fen; ``value`` is what they have in common."""

    value: str
    journeys: int
    fare_fen: int
    citizen_fen: int
    subsidy_fen: int
    forgone_fen: int


class OperatorView(Model):
    """What an operator gets: fares and subsidies, shares of transfers, less the fee."""

    merchant_id: str
    journeys: int
    citizen_fen: int
    subsidy_fen: int
    transfer_fen: int
    fee_fen: int
    revenue_fen: int


class LoadView(Model):
    """The most riders at once on one vehicle's trip."""

    business_on: date
    line: str
    trip: str
    vehicle: str
    boarded: int
    load_max: int


class GapView(Model):
    """A terminal of which counts are missing."""

    terminal_id: str
    first: int
    last: int
    missing: int


class VehicleView(Model):
    """A vehicle that counted otherwise than was received."""

    vehicle: str
    business_on: date
    counted: int
    received: int


class ClearingView(Model):
    """Ticket statistics of business dates, both included."""

    from_on: date
    to_on: date
    total: FiguresView
    by: dict[str, list[FiguresView]]
    operators: list[OperatorView]
    taps: dict[str, int]
    loads: list[LoadView]
    gaps: list[GapView]
    vehicles: list[VehicleView]
    unpriced: int


_WORDS: Final[dict[Language, dict[str, str]]] = {
    "zh": {
        "title": "公交票务统计清分",
        "figures": "统计",
        "operators": "营收",
        "alarms": "告警",
        "dimension": "维度",
        "value": "取值",
        "journeys": "人次",
        "fare": "应收票款",
        "citizen": "市民实付",
        "subsidy": "财政补贴",
        "forgone": "封顶减收",
        "total": "合计",
        "operator": "运营企业",
        "line": "线路",
        "vehicle": "车辆",
        "trip": "班次",
        "driver": "司机",
        "hour": "时段",
        "class": "优惠类别",
        "medium": "介质",
        "state": "行程状态",
        "stops": "上下车站",
        "transfer": "换乘分摊",
        "fee": "手续费",
        "revenue": "应得",
        "missing": "缺号",
        "counted": "车载计数",
        "received": "已收到",
        "terminal": "终端",
        "first": "首号",
        "last": "末号",
        "date": "营业日",
    },
    "en": {
        "title": "Bus ticket statistics and clearing",
        "figures": "Statistics",
        "operators": "Revenue",
        "alarms": "Alarms",
        "dimension": "Dimension",
        "value": "Value",
        "journeys": "Journeys",
        "fare": "Fares",
        "citizen": "Paid by citizens",
        "subsidy": "Subsidies",
        "forgone": "Forgone under caps",
        "total": "Total",
        "operator": "Operator",
        "line": "Line",
        "vehicle": "Vehicle",
        "trip": "Trip",
        "driver": "Driver",
        "hour": "Hour",
        "class": "Concession",
        "medium": "Medium",
        "state": "State of journey",
        "stops": "Stops",
        "transfer": "Shares of transfers",
        "fee": "Fee",
        "revenue": "Revenue",
        "missing": "Missing",
        "counted": "Counted by vehicle",
        "received": "Received",
        "terminal": "Terminal",
        "first": "First",
        "last": "Last",
        "date": "Business date",
    },
}


def words_of(language: Language) -> dict[str, str]:
    """What each column and dimension is called."""
    return _WORDS[language]


def view_of(report: ClearingReport) -> ClearingView:
    """The report as JSON."""
    return ClearingView(
        from_on=report.from_on,
        to_on=report.to_on,
        total=_figures("", report.total),
        by={
            dimension: [_figures(value, one) for value, one in sorted(figures.items())]
            for dimension, figures in report.by.items()
        },
        operators=[
            OperatorView(**asdict(one), revenue_fen=one.revenue_fen) for one in report.operators
        ],
        taps=dict(report.taps),
        loads=[
            LoadView(
                business_on=one.business_on,
                line=one.line_id,
                trip=one.trip_id,
                vehicle=one.vehicle_id,
                boarded=one.boarded,
                load_max=one.load_max,
            )
            for one in report.loads
        ],
        gaps=[GapView(**asdict(one)) for one in report.gaps],
        vehicles=[
            VehicleView(
                vehicle=one.vehicle_id,
                business_on=one.business_on,
                counted=one.counted,
                received=one.received,
            )
            for one in report.vehicles
        ],
        unpriced=report.unpriced,
    )


def to_csv(report: ClearingReport, language: Language) -> bytes:
    """Comma-separated, UTF-8 with a byte order mark: the three tables one under the other."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    words = _WORDS[language]
    writer.writerow([words["title"], report.from_on.isoformat(), report.to_on.isoformat()])
    for title, rows in _tables(report, words):
        writer.writerow([])
        writer.writerow([title])
        writer.writerows([neutral(str(cell)) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def to_xlsx(report: ClearingReport, language: Language) -> bytes:
    """A workbook with a sheet for each table; text is never a formula."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        bold = book.add_format({"bold": True})
        for title, rows in _tables(report, _WORDS[language]):
            sheet = book.add_worksheet(title)
            for number, row in enumerate(rows):
                for column, cell in enumerate(row):
                    if isinstance(cell, int):
                        sheet.write_number(number, column, cell)
                    else:
                        sheet.write_string(number, column, neutral(cell), None if number else bold)
            sheet.set_column(0, 8, 18)
    return out.getvalue()


FORMS: Final = {"csv": to_csv, "xlsx": to_xlsx}


def _figures(value: str, one: Figures) -> FiguresView:
    return FiguresView(value=value, **asdict(one))


def _tables(
    report: ClearingReport, words: dict[str, str]
) -> Iterable[tuple[str, list[tuple[Cell, ...]]]]:
    yield words["figures"], _figure_rows(report, words)
    yield words["operators"], _operator_rows(report, words)
    yield words["alarms"], _alarm_rows(report, words)


def _figure_rows(report: ClearingReport, words: dict[str, str]) -> list[tuple[Cell, ...]]:
    names = ("dimension", "value", "journeys", "fare", "citizen", "subsidy", "forgone")
    rows: list[tuple[Cell, ...]] = [tuple(words[name] for name in names)]
    rows.append(_figure_row(words["total"], "", report.total))
    for dimension, figures in report.by.items():
        rows += [
            _figure_row(words[dimension], value, one) for value, one in sorted(figures.items())
        ]
    return rows


def _figure_row(dimension: str, value: str, one: Figures) -> tuple[Cell, ...]:
    return (
        dimension,
        value,
        one.journeys,
        yuan(one.fare_fen),
        yuan(one.citizen_fen),
        yuan(one.subsidy_fen),
        yuan(one.forgone_fen),
    )


def _operator_rows(report: ClearingReport, words: dict[str, str]) -> list[tuple[Cell, ...]]:
    names = ("operator", "journeys", "citizen", "subsidy", "transfer", "fee", "revenue")
    rows: list[tuple[Cell, ...]] = [tuple(words[name] for name in names)]
    rows += [
        (
            one.merchant_id,
            one.journeys,
            yuan(one.citizen_fen),
            yuan(one.subsidy_fen),
            yuan(one.transfer_fen),
            yuan(one.fee_fen),
            yuan(one.revenue_fen),
        )
        for one in report.operators
    ]
    return rows


def _alarm_rows(report: ClearingReport, words: dict[str, str]) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = [
        tuple(words[name] for name in ("terminal", "first", "last", "missing"))
    ]
    rows += [(one.terminal_id, one.first, one.last, one.missing) for one in report.gaps]
    rows.append(tuple(words[name] for name in ("vehicle", "date", "counted", "received")))
    rows += [
        (one.vehicle_id, one.business_on.isoformat(), one.counted, one.received)
        for one in report.vehicles
    ]
    return rows
