"""Clearing as people get it: rules, files that no spreadsheet runs, a page with its charts."""

import io
import zipfile
from datetime import date
from html.parser import HTMLParser

import pytest
from pydantic import ValidationError
from typing_extensions import override

from adapters.http.bus_charts import clearing_page
from adapters.http.bus_clearing import COUNTS, RULES
from adapters.wiring import City
from cardcore.errors import ForbiddenError, MerchantUnknownError, OrderConflictError
from scenes.bus.clearing import NOTHING, ClearingReport, CounterGap, Figures, TripLoad
from scenes.bus.clearing_files import to_csv, to_xlsx, view_of
from scenes.bus.clearing_models import ClearingQuery, ClearingRulesRequest, VehicleCounts
from scenes.bus.operator_revenue import OperatorRevenue
from tests.city_life import BUS_OFFICE, CENTRE, GATE, Life
from tests.conftest import CityClock
from tests.scenes.bus.bus_life import FLAT, BusLife, settling_of

ON = date(2026, 6, 1)
QUERY = ClearingQuery(from_on=ON)
SOME = Figures(journeys=3, fare_fen=900, citizen_fen=600, subsidy_fen=200, forgone_fen=100)
REPORT = ClearingReport(
    from_on=ON,
    to_on=ON,
    total=SOME,
    by={
        name: {"=cmd()": SOME, "<b>": NOTHING}
        for name in ("operator", "line", "vehicle", "trip", "driver", "class", "medium", "state")
    }
    | {"hour": {"7": SOME}, "stops": {"<i>→B": SOME, "A→": SOME}},
    operators=(
        OperatorRevenue(
            merchant_id="@sum",
            journeys=3,
            citizen_fen=600,
            subsidy_fen=200,
            transfer_fen=-50,
            fee_fen=5,
        ),
    ),
    taps={"opened": 3},
    loads=(
        TripLoad(business_on=ON, line_id="1", trip_id="t", vehicle_id="v", boarded=3, load_max=2),
    ),
    gaps=(CounterGap(terminal_id="+T", first=1, last=9, missing=2),),
)


@pytest.fixture
def bus(city: City, city_clock: CityClock) -> BusLife:
    return BusLife(city, city_clock, settling_of(city), Life(city, city_clock))


class Page(HTMLParser):
    """The tags of a page, each opened and closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    @override
    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.seen.add(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_is_whole_and_takes_no_name_for_markup(language: str) -> None:
    page = Page()
    page.feed(clearing_page(REPORT, language))  # type: ignore[arg-type]
    assert page.open == []
    assert page.seen >= {"svg", "rect", "table"}
    assert page.seen.isdisjoint({"script", "b", "i"})


def test_the_page_of_an_empty_day_is_whole() -> None:
    empty = ClearingReport(
        from_on=ON,
        to_on=ON,
        total=NOTHING,
        by={name: {} for name in REPORT.by},
        operators=(),
        taps={},
    )
    page = Page()
    page.feed(clearing_page(empty, "zh"))
    assert page.open == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_cell_of_a_file_is_a_formula(language: str) -> None:
    text = to_csv(REPORT, language).decode("utf-8-sig")  # type: ignore[arg-type]
    cells = [cell for line in text.splitlines() for cell in line.split(",")]
    assert not [one for one in cells if one.startswith(("=", "+", "@"))]
    assert "'=cmd()" in cells
    book = zipfile.ZipFile(io.BytesIO(to_xlsx(REPORT, language)))  # type: ignore[arg-type]
    sheets = [book.read(name) for name in book.namelist() if "worksheets/" in name]
    assert len(sheets) == 3
    assert not any(b"<f>" in sheet for sheet in sheets)


def test_the_view_says_what_the_report_says() -> None:
    view = view_of(REPORT)
    assert view.total.fare_fen == 900
    assert view.operators[0].revenue_fen == 600 + 200 - 50 - 5
    assert [one.value for one in view.by["hour"]] == ["7"]


async def test_an_operator_sees_its_own_day_and_nobody_elses(bus: BusLife) -> None:
    rider = await bus.life.person()
    await bus.take(bus.report(rider, "single", 0, line=FLAT))
    await bus.settle()
    service = bus.city.bus_clearing
    assert (await service.report(BUS_OFFICE, QUERY)).journeys == 1
    assert (await service.report(GATE, QUERY)).journeys == 0
    with pytest.raises(MerchantUnknownError):
        await service.report(GATE, QUERY.model_copy(update={"merchant_id": "shanting-bus"}))
    for form in ("csv", "xlsx"):
        assert await service.report_file(CENTRE, QUERY, form)


async def test_rules_hold_from_the_next_report_on(bus: BusLife) -> None:
    rider = await bus.life.person()
    await bus.take(bus.report(rider, "single", 0, line=FLAT))
    await bus.settle()
    service = bus.city.bus_clearing
    rules = ClearingRulesRequest.model_validate(RULES)
    assert [one.fee_fen for one in (await service.report(CENTRE, QUERY)).operators] == [0]
    await service.set_rules(CENTRE, rules)
    assert await service.set_rules(CENTRE, rules) == rules
    assert [one.fee_fen for one in (await service.report(CENTRE, QUERY)).operators] == [100]
    with pytest.raises(OrderConflictError):
        await service.set_rules(CENTRE, rules.model_copy(update={"split": "first_pays"}))
    with pytest.raises(ForbiddenError):
        await service.set_rules(BUS_OFFICE, rules)


async def test_vehicle_counts_are_kept_and_compared(bus: BusLife) -> None:
    service = bus.city.bus_clearing
    counts = VehicleCounts.model_validate(COUNTS)
    assert (await service.take_counts(CENTRE, counts)).counts == 1
    [difference] = (await service.report(CENTRE, QUERY)).vehicles
    assert (difference.counted, difference.received) == (1204, 0)
    with pytest.raises(ForbiddenError):
        await service.take_counts(BUS_OFFICE, counts)


@pytest.mark.parametrize(
    "tiers",
    [
        [{"from_fen": 1, "per_million": 1}],
        [{"from_fen": 0, "per_million": 1}, {"from_fen": 0, "per_million": 1}],
        [{"from_fen": 0, "per_million": 1_000_001}],
    ],
)
def test_rates_that_are_none_are_refused(tiers: list[dict[str, int]]) -> None:
    rate = {"merchant_id": "m", "tiers": tiers}
    with pytest.raises(ValidationError):
        ClearingRulesRequest.model_validate({"version": "1", "rates": [rate]})


@pytest.mark.parametrize("to_on", [date(2026, 5, 31), date(2026, 7, 2)])
def test_a_span_is_a_day_to_a_month(to_on: date) -> None:
    with pytest.raises(ValidationError):
        ClearingQuery(from_on=ON, to_on=to_on)
