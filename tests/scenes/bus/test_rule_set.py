"""The city's rules as a document: read as a whole, refused with every fault, kept as versions."""

import json
from datetime import UTC, date, datetime, time

import pytest

from cardcore.business.quote import Payer
from scenes.bus.caps import Cap, Period
from scenes.bus.concessions import DEFAULT_POLICY, HoursWindow
from scenes.bus.feed_store import Connection
from scenes.bus.rule_set import (
    DEFAULT_RULES,
    RuleSet,
    RuleSetInvalidError,
    read_rule_set,
    rule_set_document,
)
from scenes.bus.service import activate_rules, load_rules
from scenes.bus.transfers import CountedFrom, OfferKind, TransferOffer

NOW = datetime(2026, 5, 15, tzinfo=UTC)
DOCUMENT = {
    "version": "2026-1",
    "concessions": [
        {
            "concession": "senior",
            "citizen_per_mille": 500,
            "name_zh": "老年人",
            "name_en": "senior",
            "valid_from": "2026-01-01",
            "workdays_excluded": [{"starts": "07:00:00", "ends": "09:00:00"}],
        }
    ],
    "offers": [
        {
            "name": "hour",
            "kind": "amount_off",
            "window_s": 3600,
            "amount_off_fen": 100,
            "counted_from": "last_alighting",
            "lines": ["K1", "K2"],
        }
    ],
    "caps": [{"name": "day", "period": "day", "cap_fen": 800, "payer": "finance_bureau"}],
}


def test_a_document_is_read_as_its_rules() -> None:
    rules = read_rule_set(json.dumps(DOCUMENT))
    (concession,) = rules.concessions
    assert concession.valid_from == date(2026, 1, 1)
    assert concession.workdays_excluded == (HoursWindow(time(7), time(9)),)
    assert rules.policy.version == "2026-1"
    assert rules.offers == (
        TransferOffer(
            name="hour",
            kind=OfferKind.AMOUNT_OFF,
            window_s=3600,
            amount_off_fen=100,
            counted_from=CountedFrom.LAST_ALIGHTING,
            lines=frozenset({"K1", "K2"}),
        ),
    )
    assert rules.caps == (
        Cap(name="day", period=Period.DAY, cap_fen=800, payer=Payer.FINANCE_BUREAU),
    )


@pytest.mark.parametrize("rules", [DEFAULT_RULES, read_rule_set(json.dumps(DOCUMENT))])
def test_a_rule_set_written_out_reads_back_the_same(rules: RuleSet) -> None:
    assert read_rule_set(json.dumps(rule_set_document(rules))) == rules


def test_the_default_rules_are_the_default_policy() -> None:
    assert DEFAULT_RULES.policy == DEFAULT_POLICY


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        (("version",), 7, "version: "),
        (("concessions", 0, "citizen_per_mille"), "500", "concessions.0.citizen_per_mille: "),
        (("concessions", 0, "citizen_per_mille"), 1001, "concessions.0: Assertion failed"),
        (("concessions", 0, "payer"), "citizen", "concessions.0: Assertion failed"),
        (("concessions", 0, "citizen_permille"), 0, "concessions.0.citizen_permille: no such"),
        (("offers", 0, "window_s"), 0, "offers.0: Assertion failed"),
        (("offers", 0, "kind"), "gift", "offers.0.kind: "),
        (("caps", 0, "cap_fen"), -1, "caps.0: Assertion failed"),
        (("caps", 0, "cap_fen"), 1.5, "caps.0.cap_fen: "),
        (("caps", 1), DOCUMENT["caps"][0], "caps: 'day' stands more than once"),  # type: ignore[index]
        (("surcharges",), [], "surcharges: no such field"),
    ],
)
def test_a_fault_names_its_place(place: tuple[object, ...], value: object, fault: str) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    within = document
    for step in place[:-1]:
        within = within[step]
    if isinstance(within, list):
        within.append(value)
    else:
        within[place[-1]] = value
    with pytest.raises(RuleSetInvalidError) as caught:
        read_rule_set(json.dumps(document))
    assert caught.value.faults[0].startswith(fault)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(RuleSetInvalidError) as caught:
        read_rule_set(b"{")
    assert caught.value.faults[0].startswith("document: Invalid JSON")


async def test_the_latest_rule_set_holds(connection: Connection) -> None:
    assert await load_rules(connection) == DEFAULT_RULES
    for version in ("2026-1", "2026-2", "2026-1"):
        await activate_rules(
            connection,
            document=json.dumps({**DOCUMENT, "version": version}),
            activated_by="op-1",
            at=NOW,
        )
    assert (await load_rules(connection)).version == "2026-2"


async def test_a_version_cannot_name_other_rules(connection: Connection) -> None:
    await activate_rules(connection, document=json.dumps(DOCUMENT), activated_by="op-1", at=NOW)
    with pytest.raises(RuleSetInvalidError, match="names other rules already"):
        await activate_rules(
            connection,
            document=json.dumps({**DOCUMENT, "caps": []}),
            activated_by="op-1",
            at=NOW,
        )
