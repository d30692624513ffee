"""What people read: a text in both languages for every reason, and nothing torn."""

import io
import json
from itertools import chain
from uuid import UUID

import pytest

from adapters.terminal.decision import Outcome
from adapters.terminal.display import REASONS, WARNINGS, Display, Words, as_event, as_lines, yuan
from adapters.terminal.fares import PriceRefusedError
from adapters.terminal.journal import JournalError
from codes.acceptance import LIST_IS_STALE
from codes.errors import CodeError
from codes.replay import COUNTER_REGRESSION
from scenes.bus.leg_fares import FareRefusedError
from scenes.community.access import Decision as Access
from tests.adapters.terminal.fake_server import SENIOR

ACCEPTED = Outcome(
    reason=None,
    amount_fen=1205,
    occurred_at_ms=1_790_000_000_123,
    record_id=UUID(int=5),
    sequence_no=17,
    holder=SENIOR,
    companions=2,
    warnings=("list_stale",),
)
REFUSED = Outcome(reason="code_expired", amount_fen=1205, occurred_at_ms=0)


def kin(error: type[Exception]) -> set[type[Exception]]:
    return {error} | set(chain.from_iterable(kin(one) for one in error.__subclasses__()))


@pytest.mark.parametrize("family", [CodeError, FareRefusedError, PriceRefusedError, JournalError])
def test_every_reason_has_a_text_in_both_languages(family: type[Exception]) -> None:
    codes = {one.code for one in kin(family)} - {"journal_format"}  # type: ignore[attr-defined]
    assert codes
    assert codes - REASONS.keys() == set()


def test_every_reason_of_a_door_has_a_text() -> None:
    assert {one.value for one in Access if one is not Access.OPEN} - REASONS.keys() == set()


def test_every_text_is_chinese_and_english() -> None:
    for words in (*REASONS.values(), *WARNINGS.values()):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in words.zh)
        assert words.en.isascii()
        assert words.en
    assert WARNINGS.keys() == {LIST_IS_STALE, COUNTER_REGRESSION}


def test_an_acceptance_shows_amount_holder_and_warnings() -> None:
    text = "\n".join(as_lines(ACCEPTED))
    for piece in ("通过", "ACCEPTED", "12.05 元", "老年卡 · senior", "with 2", "名单已过时"):
        assert piece in text
    assert "元" not in "\n".join(as_lines(Outcome(reason=None, amount_fen=0, occurred_at_ms=0)))


def test_a_refusal_shows_its_reason_and_no_amount() -> None:
    text = "\n".join(as_lines(REFUSED))
    for piece in ("拒绝", "REFUSED", "二维码已过期，请刷新", "refresh", "[code_expired]"):
        assert piece in text
    assert "12.05" not in text
    unknown = "\n".join(as_lines(Outcome(reason="new_one", amount_fen=0, occurred_at_ms=0)))
    assert "无法受理" in unknown
    assert "[new_one]" in unknown


def test_a_decision_as_json_has_everything_a_gate_controller_needs() -> None:
    assert as_event(ACCEPTED) == {
        "event": "decision",
        "result": "accepted",
        "reason": None,
        "zh": "通过",
        "en": "ACCEPTED",
        "amount_fen": 1205,
        "record_id": "00000000-0000-0000-0000-000000000005",
        "sequence_no": 17,
        "occurred_at": "2026-09-21T14:13:20.123Z",
        "holder": {"zh": "老年卡", "en": "senior"},
        "companions": 2,
        "warnings": ["list_stale"],
    }
    refused = as_event(REFUSED)
    assert (refused["result"], refused["amount_fen"], refused["record_id"]) == ("refused", 0, None)


@pytest.mark.parametrize(
    ("bell", "outcome", "count"), [(True, ACCEPTED, 1), (True, REFUSED, 2), (False, REFUSED, 0)]
)
def test_the_bell_rings_once_for_yes_and_twice_for_no(
    bell: bool, outcome: Outcome, count: int
) -> None:
    out = io.StringIO()
    Display(out, bell=bell).show(outcome)
    assert out.getvalue().count("\a") == count


def test_a_notice_is_one_line_in_either_form() -> None:
    words = Words("已恢复联网", "online again")
    out = io.StringIO()
    Display(out).notice("online", words)
    Display(out).notice("online", words, after_s=5)
    Display(out, as_json=True).notice("online", words, after_s=5)
    plain, with_fact, as_json = out.getvalue().splitlines()
    assert plain == "· 已恢复联网 · online again"
    assert with_fact.endswith("(after_s 5)")
    assert json.loads(as_json) == {
        "event": "online",
        "zh": words.zh,
        "en": words.en,
        "after_s": 5,
    }


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (5, "0.05"), (100, "1.00"), (1234, "12.34")]
)
def test_fen_are_shown_as_yuan(fen: int, text: str) -> None:
    assert yuan(fen) == text
