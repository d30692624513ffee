"""The clearing of a day as a page for people: tables, and charts drawn by the server as SVG.

No script, nothing from another origin. Colours are classes of the page's own style sheet; every
chart says in words what it shows, and its figures stand in a table as well.
"""

from collections.abc import Mapping
from html import escape
from itertools import islice
from typing import Final

from adapters.http.settings import Language
from scenes.bus.clearing import STOPS_MARK, ClearingReport, Figures
from scenes.bus.clearing_files import words_of

_WIDTH: Final = 720
_BAR_HEIGHT: Final = 180
_CELL: Final = 26
_LABEL: Final = 110
STOPS_MAX: Final = 16
ROWS_MAX: Final = 40
_SHADES: Final = 6
_TITLES: Final[dict[Language, dict[str, str]]] = {
    "zh": {
        "flow": "分时客流",
        "stops": "上下车站客流矩阵（OD）",
        "from": "上车站",
        "to": "下车站",
        "lines": "线路",
        "loads": "班次最大在车人数",
        "gaps": "终端缺号告警",
        "vehicles": "与车载计数不符的车辆",
        "taps": "刷卡（码）状态",
        "none": "无",
        "unpriced": "未能计价的行程",
        "boarded": "上车人数",
        "load": "最大在车人数",
        "fewer": "仅显示客流最大的站点",
    },
    "en": {
        "flow": "Passengers by hour",
        "stops": "Passengers from stop to stop (OD)",
        "from": "from",
        "to": "to",
        "lines": "Lines",
        "loads": "Highest load of each trip",
        "gaps": "Terminals with missing counts",
        "vehicles": "Vehicles that counted otherwise",
        "taps": "Taps by state",
        "none": "none",
        "unpriced": "Journeys without a price",
        "boarded": "Boarded",
        "load": "Highest load",
        "fewer": "only the busiest stops are shown",
    },
}


def clearing_page(report: ClearingReport, language: Language) -> str:
    """The body of the page."""
    words, titles = words_of(language), _TITLES[language]
    span = f"{report.from_on} – {report.to_on}"
    return "".join(
        (
            f"<h1>{escape(words['title'])}</h1><p>{span}</p>",
            _totals(report, words),
            f"<h2>{titles['flow']}</h2>{hour_chart(report.by['hour'], titles['flow'])}",
            f"<h2>{titles['stops']}</h2>",
            stop_matrix(report.by["stops"], titles),
            f"<h2>{titles['lines']}</h2>{_figure_table(report.by['line'], words)}",
            f"<h2>{titles['loads']}</h2>",
            _table(
                [words["line"], words["trip"], words["vehicle"], titles["boarded"], titles["load"]],
                [
                    [one.line_id, one.trip_id, one.vehicle_id, one.boarded, one.load_max]
                    for one in report.loads[:ROWS_MAX]
                ],
                titles["none"],
            ),
            f"<h2>{titles['gaps']}</h2>",
            _table(
                [words["terminal"], words["first"], words["last"], words["missing"]],
                [
                    [one.terminal_id, one.first, one.last, one.missing]
                    for one in report.gaps[:ROWS_MAX]
                ],
                titles["none"],
            ),
            f"<h2>{titles['vehicles']}</h2>",
            _table(
                [words["vehicle"], words["date"], words["counted"], words["received"]],
                [
                    [one.vehicle_id, one.business_on, one.counted, one.received]
                    for one in report.vehicles[:ROWS_MAX]
                ],
                titles["none"],
            ),
            f"<h2>{titles['taps']}</h2>",
            _table(
                [words["state"], words["journeys"]],
                [
                    *([state, count] for state, count in sorted(report.taps.items())),
                    [titles["unpriced"], report.unpriced],
                ],
                titles["none"],
            ),
        )
    )


def hour_chart(hours: Mapping[str, Figures], title: str) -> str:
    """Bars by hour of the day, from the cut-off on."""
    counts = {int(hour): one.journeys for hour, one in hours.items()}
    most = max(counts.values(), default=0)
    order = [*range(4, 24), *range(4)]
    step = _WIDTH / len(order)
    bars = []
    for place, hour in enumerate(order):
        count = counts.get(hour, 0)
        height = round(_BAR_HEIGHT * count / most, 1) if most else 0
        x = round(place * step + 3, 1)
        y = round(20 + _BAR_HEIGHT - height, 1)
        middle = round(place * step + step / 2, 1)
        shown = f'<text x="{middle}" y="{y - 4}" class="count">{count}</text>' if count else ""
        bars.append(
            f'<rect x="{x}" y="{y}" width="{round(step - 6, 1)}" height="{height}" class="bar">'
            f"<title>{hour:02}:00 – {count}</title></rect>{shown}"
            f'<text x="{middle}" y="{_BAR_HEIGHT + 36}" class="tick">{hour:02}</text>'
        )
    return (
        f'<svg class="chart" role="img" aria-label="{escape(title)}" '
        f'viewBox="0 0 {_WIDTH} {_BAR_HEIGHT + 44}">{"".join(bars)}</svg>'
    )


def stop_matrix(stops: Mapping[str, Figures], titles: dict[str, str]) -> str:
    """A heat map of pairs of stops, the busiest stops first."""
    pairs: dict[tuple[str, str], int] = {}
    weight: dict[str, int] = {}
    for label, one in stops.items():
        origin, _, destination = label.partition(STOPS_MARK)
        if destination:
            pairs[origin, destination] = one.journeys
            for stop in (origin, destination):
                weight[stop] = weight.get(stop, 0) + one.journeys
    if not pairs:
        return f"<p>{titles['none']}</p>"
    shown = sorted(weight, key=lambda stop: (-weight[stop], stop))[:STOPS_MAX]
    most = max(pairs.values())
    cells = []
    for row, origin in enumerate(shown):
        y = _LABEL + row * _CELL
        cells.append(
            f'<text x="{_LABEL - 6}" y="{y + 17}" class="row">{escape(origin[:14])}</text>'
            f'<text class="column" transform="translate({y + 17} {_LABEL - 6}) rotate(-60)">'
            f"{escape(origin[:14])}</text>"
        )
        for column, destination in enumerate(shown):
            count = pairs.get((origin, destination), 0)
            shade = 0 if not count else 1 + (count * (_SHADES - 1) - 1) // most
            x = _LABEL + column * _CELL
            number = (
                f'<text x="{x + _CELL / 2}" y="{y + 17}" class="cell">{count}</text>'
                if count
                else ""
            )
            cells.append(
                f'<rect x="{x}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}" '
                f'class="heat{shade}"><title>{escape(origin)}{STOPS_MARK}{escape(destination)}: '
                f"{count}</title></rect>{number}"
            )
    size = _LABEL + len(shown) * _CELL
    note = f"<p>{titles['fewer']}</p>" if len(weight) > len(shown) else ""
    return (
        f'<svg class="chart matrix" role="img" aria-label="{escape(titles["stops"])}" '
        f'viewBox="0 0 {size + 40} {size + 6}">'
        f'<text x="4" y="{_LABEL - 6}" class="axis">{titles["from"]} ↓ {titles["to"]} →</text>'
        f"{''.join(cells)}</svg>{note}"
    )


def _totals(report: ClearingReport, words: dict[str, str]) -> str:
    return _figure_table({words["total"]: report.total}, words) + _table(
        [words[name] for name in ("operator", "citizen", "subsidy", "transfer", "fee", "revenue")],
        [
            [
                one.merchant_id,
                _yuan(one.citizen_fen),
                _yuan(one.subsidy_fen),
                _yuan(one.transfer_fen),
                _yuan(one.fee_fen),
                _yuan(one.revenue_fen),
            ]
            for one in report.operators
        ],
        "",
    )


def _figure_table(figures: Mapping[str, Figures], words: dict[str, str]) -> str:
    heads = [words[name] for name in ("value", "journeys", "fare", "citizen", "subsidy", "forgone")]
    rows: list[list[object]] = [
        [
            value,
            one.journeys,
            _yuan(one.fare_fen),
            _yuan(one.citizen_fen),
            _yuan(one.subsidy_fen),
            _yuan(one.forgone_fen),
        ]
        for value, one in islice(figures.items(), ROWS_MAX)
    ]
    return _table(heads, rows, "")


def _table(heads: list[str], rows: list[list[object]], none: str) -> str:
    if not rows:
        return f"<p>{escape(none)}</p>"
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _yuan(amount_fen: int) -> str:
    return f"¥{amount_fen / 100:,.2f}"
