"""Fare sentences and the lines they price."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scenes.bus.distance_fare import (
    SENTENCE_SIZE_MAX,
    DistanceFare,
    DistanceSteps,
    FareSentenceError,
    parse_fare_sentence,
)
from scenes.bus.distance_lines import DistanceLine, Mark, read_distance_line
from scenes.bus.fare_table import FareTable
from scenes.bus.feed_rows import Faults
from scenes.bus.leg_fares import FareBasis, Medium, Ride, StopUnknownError

BEIJING = "10公里以内(含)票价2元每增加5公里以内(含)加价1元"
EXPRESS = "单一票制票价20元刷卡12元各种票证无效"
STEPS = DistanceSteps(base_fen=200, base_m=10_000, step_m=5_000, step_fen=100)


@pytest.mark.parametrize(
    ("sentence", "fare"),
    [
        (BEIJING, DistanceFare(steps=STEPS)),
        ("10公里以内（含）票价2元，每增加5公里以内（含）加价1元。", DistanceFare(steps=STEPS)),
        ("起步价2元含10公里,以上每5公里加收1元", DistanceFare(steps=STEPS)),
        ("首10公里2元 超过10公里后每增加5公里加1元", DistanceFare(steps=STEPS)),
        ("十公里以内票价两元每增加五公里加价一元", DistanceFare(steps=STEPS)),
        (
            "10公里以内(不含)票价2元每增加5公里加价1元",
            DistanceFare(
                steps=DistanceSteps(
                    base_fen=200, base_m=10_000, base_included=False, step_m=5_000, step_fen=100
                )
            ),
        ),
        (BEIJING + "最高票价6元", DistanceFare(steps=STEPS, maximum_fen=600)),
        (BEIJING + "封顶6元", DistanceFare(steps=STEPS, maximum_fen=600)),
        (BEIJING + "6元封顶", DistanceFare(steps=STEPS, maximum_fen=600)),
        (BEIJING + "刷卡5折优惠", DistanceFare(steps=STEPS, card_per_mille=500)),
        (BEIJING + "持卡乘车享8.5折", DistanceFare(steps=STEPS, card_per_mille=850)),
        (
            EXPRESS,
            DistanceFare(
                steps=DistanceSteps(base_fen=2000), card_fen=1200, concessions_allowed=False
            ),
        ),
        ("无人售票1元", DistanceFare(steps=DistanceSteps(base_fen=100))),
        ("全程票价1元5角", DistanceFare(steps=DistanceSteps(base_fen=150))),
        ("一票制5角", DistanceFare(steps=DistanceSteps(base_fen=50))),
        ("单一票制票价2.5元", DistanceFare(steps=DistanceSteps(base_fen=250))),
        ("票价十二元", DistanceFare(steps=DistanceSteps(base_fen=1200))),
        ("票价二十元", DistanceFare(steps=DistanceSteps(base_fen=2000))),
        ("票价半元", DistanceFare(steps=DistanceSteps(base_fen=50))),
    ],
)
def test_a_sentence_is_read_as_its_tariff(sentence: str, fare: DistanceFare) -> None:
    assert parse_fare_sentence(sentence) == fare


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("", "neither one price nor a first stretch"),
        ("免费乘坐", "not understood"),
        (BEIJING + "节假日另议", "not understood"),
        ("10公里以内票价2元", "first stretch and step need each other"),
        ("票价2元每增加5公里加价1元", "first stretch and step need each other"),
        ("票价2元票价3元", "a second flat clause"),
        ("刷卡2元", "neither one price nor a first stretch"),
        ("0公里以内票价2元每增加5公里加价1元", "a distance must be above zero"),
        ("9999公里以内票价2元每增加5公里加价1元", "a distance must be above zero"),
        ("票价999999元", "is not a fare in whole fen"),
        ("票价1元0.55角", "is not a fare in whole fen"),
        ("票价二三元", "is not a number"),
        ("票价十十元", "is not a number"),
        ("票价半十元", "is not a number"),
        ("票" * (SENTENCE_SIZE_MAX + 1), "the sentence is too long"),
    ],
)
def test_a_sentence_half_understood_is_refused(sentence: str, reason: str) -> None:
    with pytest.raises(FareSentenceError) as caught:
        parse_fare_sentence(sentence)
    assert reason in caught.value.reason
    assert caught.value.code == "fare_sentence_unreadable"
    assert f"character {caught.value.position + 1}" in str(caught.value)


@pytest.mark.parametrize(
    ("distance_m", "fare_fen"),
    [(0, 200), (10_000, 200), (10_001, 300), (15_000, 300), (15_001, 400), (26_000, 600)],
)
def test_a_stretch_begun_is_a_stretch_paid(distance_m: int, fare_fen: int) -> None:
    assert STEPS.fare_fen(distance_m) == fare_fen


def test_where_the_bound_is_not_included_the_step_is_due_at_it() -> None:
    steps = DistanceSteps(
        base_fen=200, base_m=10_000, base_included=False, step_m=5_000, step_fen=100
    )
    assert (steps.fare_fen(9_999), steps.fare_fen(10_000)) == (200, 300)


def test_the_medium_decides_where_the_sentence_says_so() -> None:
    express = parse_fare_sentence(EXPRESS)
    assert express.fare_fen(5_000, Medium.CASH) == 2000
    assert express.fare_fen(5_000, Medium.CARD) == 1200
    half = parse_fare_sentence("票价5角刷卡5折")
    assert (half.fare_fen(0, Medium.CASH), half.fare_fen(0, Medium.CARD)) == (50, 25)


@given(
    near_m=st.integers(0, 100_000),
    far_m=st.integers(0, 100_000),
    medium=st.sampled_from(Medium),
    maximum=st.sampled_from(["", "最高票价6元", "刷卡8折", "刷卡3元"]),
)
def test_riding_further_never_costs_less(
    near_m: int, far_m: int, medium: Medium, maximum: str
) -> None:
    """Why: a tariff that falls with distance invites a fake tap-off far away."""
    assume(near_m <= far_m)
    fare = parse_fare_sentence(BEIJING + maximum)
    assert 0 <= fare.fare_fen(near_m, medium) <= fare.fare_fen(far_m, medium)


@given(st.text(alphabet="0123456789.十两元角公里以内含()票价每增加折刷卡最高", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        fare = parse_fare_sentence(text)
    except FareSentenceError:
        return
    assert fare.fare_fen(12_345, Medium.CARD) >= 0


# ---- lines -----------------------------------------------------------------------------------

LOOP = DistanceLine.of(
    line_id="环线",
    name="环线",
    sentence=BEIJING,
    marks=(Mark("东", 1_000), Mark("南", 9_000), Mark("西", 14_000), Mark("东", 22_000)),
)


def ride(on_stop: str, off_stop: str | None, **sequences: int) -> Ride:
    return Ride(line_id="环线", on_stop=on_stop, off_stop=off_stop, **sequences)


@pytest.mark.parametrize(
    ("taps", "amount_fen", "basis"),
    [
        (ride("东", "南"), 200, FareBasis.DISTANCE),
        (ride("东", "西"), 300, FareBasis.DISTANCE),
        (ride("南", "东"), 300, FareBasis.DISTANCE),
        (ride("东", "东", on_sequence=1, off_sequence=4), 500, FareBasis.DISTANCE),
        (ride("东", "南", on_sequence=4), 500, FareBasis.MAXIMUM_OF_LINE),
        (ride("西", "南"), 200, FareBasis.MAXIMUM_FROM_STOP),
        (ride("东", None), 500, FareBasis.MAXIMUM_FROM_STOP),
        (ride("南", "西", on_sequence=77), 200, FareBasis.DISTANCE),
    ],
)
def test_a_ride_costs_by_the_difference_of_its_marks(
    taps: Ride, amount_fen: int, basis: FareBasis
) -> None:
    leg = LOOP.leg_fare(taps)
    assert (leg.amount_fen, leg.basis, leg.rule_id) == (amount_fen, basis, "distance:环线")


def test_a_stop_that_is_not_on_the_line_is_refused() -> None:
    with pytest.raises(StopUnknownError) as caught:
        LOOP.leg_fare(ride("北", "南"))
    assert caught.value.field == "business.details.on_stop"


def test_one_price_for_any_distance_needs_no_tap_off() -> None:
    line = DistanceLine.of(
        line_id="专线", name="专线", sentence=EXPRESS, marks=(Mark("东", 0), Mark("西", 14_000))
    )
    table = FareTable.of(1, [line])
    leg = table.leg_fare(Ride(line_id="专线", on_stop="东"))
    assert (leg.amount_fen, leg.basis, leg.concessions_allowed) == (1200, FareBasis.FLAT, False)
    assert table.leg_fare(Ride(line_id="专线", on_stop="东", off_stop="西")).amount_fen == 1200


def test_every_ride_of_every_real_route_is_priced_by_its_sentence(test_data: Path) -> None:
    """How: an independent formula (base, then ceiling of the rest) on the published marks."""
    rides = 0
    paths = sorted((test_data / "bus/beijing_routes").glob("*.json"))
    assert len(paths) == 31
    for path in paths:
        faults = Faults()
        line = read_distance_line(path.name, path.read_bytes(), faults)
        assert line is not None, faults
        assert line.line_id == path.stem
        published = json.loads(path.read_text("utf-8-sig"))
        for place, (on_stop, on_km) in enumerate(published["stops"], start=1):
            for further, (off_stop, off_km) in enumerate(published["stops"][place:], start=1):
                leg = line.leg_fare(
                    Ride(
                        line_id=line.line_id,
                        on_stop=on_stop,
                        off_stop=off_stop,
                        on_sequence=place,
                        off_sequence=place + further,
                    )
                )
                kilometres = abs(off_km - on_km)
                steps = max(0, (kilometres - 10 + 4) // 5)
                flat = published["fare"] == EXPRESS
                assert leg.amount_fen == (1200 if flat else 200 + 100 * steps)
                rides += 1
    assert rides > 10_000


GOOD: Mapping[str, object] = {
    "name": "1",
    "from_stop_zh": "东",
    "to_stop_zh": "西",
    "fare": BEIJING,
    "stops": [["东", 1], ["西", 12.5]],
}


def test_a_line_file_with_a_byte_order_mark_and_half_kilometres_is_read() -> None:
    content = b"\xef\xbb\xbf" + json.dumps(GOOD).encode()
    line = read_distance_line("1.json", content, Faults())
    assert line is not None
    assert (line.line_id, line.length_m) == ("1(东-西)", 11_500)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff", (1, "", "bad_encoding")),
        (b"{\n'a'", (2, "", "bad_json")),
        (b"[]", (1, "", "bad_json")),
        (b"[" * 100_000, (1, "", "bad_json")),
        ({"fare": "免费"}, (5, "fare", "fare_sentence_unreadable")),
        ({"fare": 2}, (5, "fare", "value_missing")),
        ({"name": " "}, (2, "name", "value_missing")),
        ({"name": None}, (2, "name", "value_missing")),
        ({"stops": "东"}, (6, "stops", "out_of_range")),
        ({"stops": [["东", 1]]}, (6, "stops", "out_of_range")),
        ({"stops": [["东", 1], ["西"]]}, (6, "stops", "bad_stop")),
        ({"stops": [["东", 1], ["西", True]]}, (6, "stops", "bad_stop")),
        ({"stops": [["东", 1], ["西", -1]]}, (6, "stops", "out_of_range")),
        ({"stops": [["东", 1], ["西", 1e300]]}, (6, "stops", "out_of_range")),
    ],
)
def test_a_bad_line_file_names_line_field_and_reason(
    content: bytes | dict[str, object], expected: tuple[int, str, str]
) -> None:
    if isinstance(content, dict):
        content = json.dumps({**GOOD, **content}, indent=1, ensure_ascii=False).encode()
    faults = Faults()
    assert read_distance_line("1.json", content, faults) is None
    first = faults.found[0]
    assert (first.line, first.field, first.reason) == expected


def test_a_missing_field_is_named() -> None:
    faults = Faults()
    document = {name: value for name, value in GOOD.items() if name != "to_stop_zh"}
    assert read_distance_line("1.json", json.dumps(document).encode(), faults) is None
    assert [(fault.field, fault.reason) for fault in faults.found] == [
        ("to_stop_zh", "field_missing")
    ]
