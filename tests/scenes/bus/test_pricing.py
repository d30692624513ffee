"""The bus pricer as the core calls it."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from cardcore.business.quote import Payer, PricingFacts, Quote, Subject
from cardcore.errors import AmountInvalidError, RequestInvalidError
from cardcore.field_faults import FieldsInvalidError
from scenes.bus.concessions import DEFAULT_POLICY, ConcessionPolicy
from scenes.bus.distance_lines import DistanceLine, Mark
from scenes.bus.fare_table import FareTable, fares_of
from scenes.bus.fares import SectionalFares
from scenes.bus.gtfs import read_feed
from scenes.bus.leg_fares import LineUnknownError
from scenes.bus.pricing import BusPricer
from tests.scenes.bus.feeds import CNY, minimal, with_products

if TYPE_CHECKING:
    from cardcore.ports import ScenePricer

TABLE = FareTable.of(
    7,
    [
        SectionalFares(read_feed(minimal(), CNY)),
        DistanceLine.of(
            line_id="专线",
            name="专线",
            sentence="单一票制票价20元刷卡12元各种票证无效",
            marks=(Mark("东", 0), Mark("西", 9_000)),
        ),
    ],
)


def facts(**details: object) -> PricingFacts:
    return PricingFacts(
        scene="bus",
        type="fare",
        merchant_id="M1",
        terminal_id="T1",
        amount_fen=None,
        occurred_at=datetime(2026, 5, 15, 4, tzinfo=UTC),
        details=details,
    )


def rider(*concessions: str) -> Subject:
    return Subject(
        user_id=UUID(int=1),
        level="real_name",
        concessions=frozenset(concessions),
        business_on=date(2026, 5, 15),
    )


def test_an_adult_pays_the_fare_in_one_line() -> None:
    pricer: ScenePricer = BusPricer(TABLE, DEFAULT_POLICY)
    (line,) = pricer.price(facts(line="L1", on_stop="s1", off_stop="s3"), rider())
    assert (line.payer, line.amount_fen) == (Payer.CITIZEN, 200)
    assert (line.rule_id, line.rule_version) == ("sectional:f2", "7")
    assert line.reason_zh == "分段票价"


def test_a_senior_with_half_fare_shares_it_with_the_finance_bureau() -> None:
    pricer = BusPricer(TABLE, DEFAULT_POLICY)
    lines = pricer.price(facts(line="L1", on_stop="s1", off_stop="s3"), rider("senior"))
    assert [(line.payer, line.amount_fen) for line in lines] == [
        (Payer.CITIZEN, 100),
        (Payer.FINANCE_BUREAU, 100),
    ]
    assert lines[1].rule_id == "concession:senior"
    assert lines[1].rule_version == DEFAULT_POLICY.version


def test_a_free_ride_is_a_zero_line_and_the_full_fare_on_the_bureau() -> None:
    pricer = BusPricer(TABLE, DEFAULT_POLICY)
    lines = pricer.price(facts(line="L2", on_stop="s3"), rider("senior_65"))
    quote = Quote(lines=tuple(lines))
    assert (quote.citizen_fen, quote.nominal_fen) == (0, 350)


def test_a_line_that_takes_no_passes_is_paid_in_full() -> None:
    pricer = BusPricer(TABLE, DEFAULT_POLICY)
    (line,) = pricer.price(facts(line="专线", on_stop="东", off_stop="西"), rider("soldier"))
    assert line.amount_fen == 1200


def test_a_fare_sold_to_the_riders_category_for_less_is_a_subsidy_too() -> None:
    table = FareTable.of(1, [fares_of(read_feed(with_products(), CNY))])
    pricer = BusPricer(table, ConcessionPolicy(version="none", rules=()))
    lines = pricer.price(facts(line="L1", on_stop="s1", off_stop="s3"), rider("student"))
    assert [(line.payer, line.amount_fen, line.rule_id) for line in lines] == [
        (Payer.CITIZEN, 150, "product:single"),
        (Payer.FINANCE_BUREAU, 100, "concession:category_price"),
    ]
    cheaper = BusPricer(table, DEFAULT_POLICY)
    lines = cheaper.price(facts(line="L1", on_stop="s1", off_stop="s3"), rider("student"))
    assert [line.amount_fen for line in lines] == [125, 125]


def test_a_new_table_and_policy_hold_from_the_next_ride_on() -> None:
    pricer = BusPricer(FareTable(), DEFAULT_POLICY)
    with pytest.raises(LineUnknownError):
        pricer.price(facts(line="L1", on_stop="s1", off_stop="s3"), rider())
    pricer.activate(TABLE, ConcessionPolicy(version="none", rules=()))
    assert pricer.table is TABLE
    (line,) = pricer.price(facts(line="L1", on_stop="s1", off_stop="s3"), rider("senior"))
    assert line.amount_fen == 200


@pytest.mark.parametrize(
    ("details", "field"),
    [
        ({"on_stop": "s1"}, "business.details.line"),
        ({"line": "L1"}, "business.details.on_stop"),
        ({"line": "", "on_stop": "s1"}, "business.details.line"),
        ({"line": 7, "on_stop": "s1"}, "business.details.line"),
        ({"line": "L1", "on_stop": "s1", "direction": "left"}, "business.details.direction"),
        ({"line": "L1", "on_stop": "s1", "on_sequence": "1"}, "business.details.on_sequence"),
        ({"line": "L1", "on_stop": "s1", "on_sequence": -1}, "business.details.on_sequence"),
        ({"line": "L1", "on_stop": "s1", "driver": "D"}, "business.details.driver"),
        ({"line": "L9", "on_stop": "s1"}, "business.details.line"),
        ({"line": "L1", "on_stop": "s9"}, "business.details.on_stop"),
    ],
)
def test_details_that_are_not_of_the_schema_name_their_field(
    details: dict[str, object], field: str
) -> None:
    with pytest.raises(RequestInvalidError) as caught:
        BusPricer(TABLE, DEFAULT_POLICY).price(facts(**details), rider())
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("details", "faults"),
    [
        ({}, {"line": "missing", "on_stop": "missing"}),
        ({"line": "L1", "on_stop": "s1", "driver": "D"}, {"driver": "unknown_field"}),
        ({"line": "L1", "on_stop": "s1", "direction": "left"}, {"direction": "not_allowed"}),
        ({"line": "L1", "on_stop": "s1", "on_sequence": -1}, {"on_sequence": "out_of_range"}),
        ({"line": 7, "on_stop": "s1"}, {"line": "wrong_type"}),
    ],
)
def test_each_fault_of_the_details_has_the_code_it_has_elsewhere(
    details: dict[str, object], faults: dict[str, str]
) -> None:
    with pytest.raises(FieldsInvalidError) as caught:
        BusPricer(TABLE, DEFAULT_POLICY).price(facts(**details), rider())
    told = {fault.field: fault.code for fault in caught.value.faults}
    assert told == {f"business.details.{name}": code for name, code in faults.items()}


def test_a_type_or_an_amount_of_another_kind_is_refused() -> None:
    pricer = BusPricer(TABLE, DEFAULT_POLICY)
    good = facts(line="L1", on_stop="s1", off_stop="s3")
    common = {
        "scene": good.scene,
        "merchant_id": good.merchant_id,
        "terminal_id": good.terminal_id,
        "occurred_at": good.occurred_at,
        "details": good.details,
    }
    with pytest.raises(AmountInvalidError):
        pricer.price(PricingFacts(**common, type="fare", amount_fen=200), rider())
    with pytest.raises(RequestInvalidError) as caught:
        pricer.price(PricingFacts(**common, type="ticket", amount_fen=None), rider())
    assert caught.value.field == "business.type"
