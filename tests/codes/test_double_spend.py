"""Findings from records: in any order of upload the same, and nothing found in honest records."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codes import Algorithm, base45
from codes.double_spend import (
    FindingKind,
    chain_breaks,
    cloned_keys,
    double_spends,
    forked_terminals,
)
from codes.suites import make_private_key
from codes.validator_record import Decision, EvidenceKind, ValidatorRecord
from tests.codes import city
from tests.codes.city import NOW_S
from tests.codes.records import record

GRANTED = city.authorisation()
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _at(second: int, terminal: str = "bus-1", sequence_no: int = 1) -> dict[str, Any]:
    return {
        "occurred_at_ms": 1000 * (NOW_S + second),
        "terminal_id": terminal,
        "sequence_no": sequence_no,
    }


def test_one_code_at_two_terminals_is_a_double_spend() -> None:
    for text in (city.code_s(), city.code_d(GRANTED, counter=1)):
        one = record(text, **_at(1, "bus-1"))
        two = record(text, **_at(2, "bus-2"))
        (finding,) = double_spends([two, one])
        assert finding.kind is FindingKind.DOUBLE_SPEND
        assert (finding.first, finding.second) == (one, two)


def test_the_high_s_twin_is_the_same_code() -> None:
    text = city.code_s()
    data = base45.decode(text[3:])
    twin_s = P256_ORDER - int.from_bytes(data[72:], "big")
    twin = "M1:" + base45.encode(data[:72] + twin_s.to_bytes(32, "big"))
    assert len(double_spends([record(text, **_at(1)), record(twin, **_at(2, "bus-2"))])) == 1


def test_what_is_no_double_spend_is_not_found() -> None:
    text = city.code_d(GRANTED, counter=1)
    one = record(text, **_at(1))
    refused = record(text, decision=Decision.REFUSED, reason="code_replayed", **_at(2, "bus-2"))
    printed = city.code_p()
    tap: dict[str, Any] = {"evidence_kind": EvidenceKind.CARD_TAP}
    honest = [
        one,
        one,
        refused,
        record(city.code_d(GRANTED, counter=2), **_at(3)),
        record(printed, **_at(4, "gate-1")),
        record(printed, **_at(5, "gate-2")),
        record(b"tap", **_at(6), **tap),
        record(b"tap", **_at(7, "bus-2"), **tap),
    ]
    assert double_spends(honest) == []


@pytest.mark.parametrize(
    ("codes_shown", "kinds"),
    [
        # (seconds of the phone's clock, counter)
        ([(0, 1), (10, 2), (20, 5)], []),
        ([(0, 1), (10, 2), (20, 1)], [FindingKind.COUNTER_BACKWARDS]),
        ([(0, 1), (10, 2), (20, 2)], [FindingKind.COUNTER_REUSED]),
        ([(0, 5), (0, 6)], []),
        ([(0, 5), (10, 3), (20, 4)], [FindingKind.COUNTER_BACKWARDS]),
    ],
)
def test_counters_give_a_cloned_key_away(
    codes_shown: list[tuple[int, int]], kinds: list[FindingKind]
) -> None:
    records = [
        record(
            city.code_d(GRANTED, made_at_s=NOW_S + second, counter=counter),
            **_at(second + 1, f"bus-{number}"),
        )
        for number, (second, counter) in enumerate(codes_shown)
    ]
    for order in (records, records[::-1]):
        assert [finding.kind for finding in cloned_keys(order)] == kinds


def test_other_evidence_says_nothing_about_clones() -> None:
    text = city.code_d(GRANTED, counter=3)
    other_phone = city.code_d(city.authorisation(), made_at_s=NOW_S + 9, counter=1)
    records = [
        record(text, **_at(1)),
        record(text, **_at(2, "bus-2")),
        record(other_phone, **_at(10)),
        record(city.code_s(), **_at(11)),
        record("M1:GARBAGE", decision=Decision.REFUSED, reason="code_invalid", **_at(12)),
    ]
    assert cloned_keys(records) == []


def _chain(count: int) -> list[ValidatorRecord]:
    records: list[ValidatorRecord] = []
    for number in range(1, count + 1):
        link: dict[str, Any] = {"previous_digest": records[-1].digest} if records else {}
        records.append(record("M1:", **_at(number, sequence_no=number), **link))
    return records


CHAIN = _chain(8)


@given(st.permutations(CHAIN))
def test_a_whole_chain_holds_in_any_order_of_upload(records: Sequence[ValidatorRecord]) -> None:
    assert chain_breaks(records) == []


@given(st.sets(st.integers(0, 6), min_size=1))
def test_every_missing_record_is_counted(missing: set[int]) -> None:
    rest = [made for number, made in enumerate(CHAIN) if number not in missing]
    breaks = chain_breaks(rest)
    assert sum(gap.missing_count for gap in breaks) == len(missing)
    assert all(gap.before is None or gap.before in rest for gap in breaks)


def test_a_chain_goes_on_after_the_last_known_record() -> None:
    assert chain_breaks(CHAIN[4:], last_known=CHAIN[3]) == []
    assert chain_breaks(CHAIN, last_known=CHAIN[3]) == []
    (gap,) = chain_breaks(CHAIN[6:], last_known=CHAIN[3])
    assert (gap.before, gap.after, gap.missing_count) == (CHAIN[3], CHAIN[6], 2)


def test_a_replaced_record_breaks_the_chain() -> None:
    key = make_private_key(Algorithm.ES256)
    other = record("M1:", key=key, **_at(3, sequence_no=3), previous_digest=CHAIN[1].digest)
    broken = [*CHAIN[:2], other, *CHAIN[3:]]
    (gap,) = chain_breaks(broken)
    assert (gap.before, gap.after, gap.missing_count) == (other, CHAIN[3], 0)


def test_a_terminal_that_signs_one_number_twice_is_found() -> None:
    one, two = record("M1:", **_at(1)), record("M1:X", **_at(2))
    (finding,) = forked_terminals([two, one])
    assert finding.kind is FindingKind.TERMINAL_FORKED
    assert (finding.first, finding.second) == (one, two)
    assert forked_terminals([one, one, replace(one, signature=bytes(64))]) == []
    assert forked_terminals(CHAIN) == []


def test_a_terminal_that_was_enrolled_anew_starts_at_one_and_is_no_liar() -> None:
    """Why: a replaced terminal has a new key and no memory of the numbers before."""
    old, new = record(city.code_s(), kid=1), record(city.code_s(), kid=2)
    assert forked_terminals([old, new]) == []
    code = city.code_s()
    twice = [record(code, kid=1), record(code, kid=2)]
    assert [finding.kind for finding in double_spends(twice)] == [FindingKind.DOUBLE_SPEND]
