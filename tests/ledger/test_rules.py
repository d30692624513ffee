"""The rules of transfers, as tables. Pure: no database.

A ladder is an event that breaks many rules at once; each step repairs one fault, and the result
must be the name of the first fault that is left. So every rule is tested together with all the
rules that come after it.
"""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from ledger import (
    AMOUNT_MAX,
    CREATE_TRANSFER_RESULTS,
    ID_MAX,
    Transfer,
    TransferFlags,
    resolving,
    rules,
)
from ledger.books import AccountState, Books
from ledger.business_day import BusinessDay
from ledger.events import AMOUNT_ALL, NS_PER_S
from ledger.results import CreateTransferResult

F = TransferFlags
LIMIT_DEBITS, LIMIT_CREDITS = 2, 4
NOW = 1_000_000 * NS_PER_S


def state(id_: int, *, ledger: int = 1, flags: int = 0, **counters: int) -> AccountState:
    account = AccountState(id_, id_, 0, 0, 0, 0, id_, False, id_, 0, ledger, 1, flags)  # noqa: FBT003  (columns in order)
    for name, value in counters.items():
        setattr(account, name, value)
    return account


def books(*accounts: AccountState) -> Books:
    return Books(accounts={account.id: account for account in accounts})


def apply(
    events: list[Transfer], of: Books, timestamp: int = NOW
) -> tuple[list[CreateTransferResult], rules.Outcome]:
    outcome = rules.Outcome()
    rules.create_transfers(events, of, timestamp, BusinessDay().number, outcome)
    return outcome.results, outcome


def transfer(**fields: Any) -> Transfer:  # noqa: ANN401  (the fields of a transfer)
    return Transfer(**{"ledger": 1, "code": 1, **fields})


def climb(ladder: list[tuple[dict[str, Any], str]], of: Books) -> None:
    fields: dict[str, Any] = {}
    for repair, expected in ladder:
        fields.update(repair)
        [result], _ = apply([Transfer(**fields)], of)
        assert result == expected, fields
        of.failed.clear()  # each step stands for an attempt of its own


def test_single_phase_rules_in_order() -> None:
    of = books(
        state(1), state(2, ledger=2), state(3),
        state(4, flags=LIMIT_DEBITS, credits_posted=10, debits_pending=3, debits_posted=3),
        state(5, flags=LIMIT_CREDITS, debits_posted=3, credits_pending=1, credits_posted=1),
        state(6, closed=1), state(7, closed=1),
    )  # fmt: skip
    wrong = F.closing_debit | F.closing_credit
    climb(
        [
            ({"timestamp": 1, "flags": F(1 << 15), "id": 0, "debit_account_id": 0,
              "credit_account_id": 0, "pending_id": 9, "timeout": 1, "ledger": 0, "code": 0,
              "amount": 2**128 - 1}, "timestamp_must_be_zero"),
            ({"timestamp": 0}, "reserved_flag"),
            ({"flags": F.imported}, "reserved_flag"),
            ({"flags": wrong}, "id_must_not_be_zero"),
            ({"id": ID_MAX}, "id_must_not_be_int_max"),
            ({"id": 100}, "debit_account_id_must_not_be_zero"),
            ({"debit_account_id": ID_MAX}, "debit_account_id_must_not_be_int_max"),
            ({"debit_account_id": 8}, "credit_account_id_must_not_be_zero"),
            ({"credit_account_id": ID_MAX}, "credit_account_id_must_not_be_int_max"),
            ({"credit_account_id": 8}, "accounts_must_be_different"),
            ({"credit_account_id": 9}, "pending_id_must_be_zero"),
            ({"pending_id": 0}, "timeout_reserved_for_pending_transfer"),
            ({"timeout": 0}, "closing_transfer_must_be_pending"),
            ({"flags": F.closing_credit}, "closing_transfer_must_be_pending"),
            ({"flags": F(0)}, "ledger_must_not_be_zero"),
            ({"ledger": 9}, "code_must_not_be_zero"),
            ({"code": 1}, "debit_account_not_found"),
            ({"debit_account_id": 6}, "credit_account_not_found"),
            ({"credit_account_id": 2}, "accounts_must_have_the_same_ledger"),
            ({"credit_account_id": 7}, "transfer_must_have_the_same_ledger_as_accounts"),
            ({"ledger": 1, "reverses_id": 55}, "reversed_transfer_not_found"),
            ({"reverses_id": 0}, "debit_account_already_closed"),
            ({"debit_account_id": 4}, "credit_account_already_closed"),
            ({"credit_account_id": 5}, "overflows_debits_posted"),
            ({"amount": 8}, "exceeds_credits"),
            ({"amount": 4}, "exceeds_debits"),
            ({"amount": 1}, "created"),
        ],
        of,
    )  # fmt: skip


def test_overflow_rules_in_order() -> None:
    """Why: the debit side is judged before the credit side, and parts before sums."""
    debit = state(1, debits_pending=100, debits_posted=200)
    credit = state(3, credits_pending=110, credits_posted=210)
    of = books(debit, credit)
    late = 2**63 - 1 - 2 * NS_PER_S
    for amount, expected in (
        (2**128 - 1, "overflows_debits_pending"),
        (AMOUNT_MAX - 99, "overflows_debits_pending"),
        (AMOUNT_MAX - 109, "overflows_credits_pending"),
        (AMOUNT_MAX - 199, "overflows_debits_posted"),
        (AMOUNT_MAX - 209, "overflows_credits_posted"),
        (AMOUNT_MAX - 299, "overflows_debits"),
        (AMOUNT_MAX - 319, "overflows_credits"),
        (AMOUNT_MAX - 320, "overflows_timeout"),
    ):
        event = transfer(
            id=9, debit_account_id=1, credit_account_id=3, amount=amount, timeout=3, flags=F.pending
        )
        assert apply([event], of, late)[0] == [expected]


def with_hold(**changes: Any) -> Books:  # noqa: ANN401  (the fields of a transfer)
    """Books with hold 10 of 15 from account 1 to 3, made at ``NOW - 5 s``."""
    of = books(state(1), state(3), state(4))
    hold = {"id": 10, "debit_account_id": 1, "credit_account_id": 3, "amount": 15,
            "timeout": 50, "flags": F.pending, "user_data_128": 7, "user_data_64": 8,
            "user_data_32": 9, **changes}  # fmt: skip
    plain = transfer(id=11, debit_account_id=1, credit_account_id=3, amount=1)
    assert apply([plain, transfer(**hold)], of, NOW - 5 * NS_PER_S)[0] == ["created"] * 2
    return of


def test_rules_of_resolving_in_order() -> None:
    of = with_hold()
    climb(
        [
            ({"id": 20, "flags": F.post_pending_transfer | F.void_pending_transfer,
              "debit_account_id": 8, "credit_account_id": 9, "amount": 16, "ledger": 6,
              "code": 7, "timeout": 1, "pending_id": 0, "reverses_id": 5},
             "flags_are_mutually_exclusive"),
            *(({"flags": F.void_pending_transfer | other}, "flags_are_mutually_exclusive")
              for other in (F.pending, F.balancing_debit, F.balancing_credit,
                            F.closing_debit, F.closing_credit)),
            ({"flags": F.void_pending_transfer}, "pending_id_must_not_be_zero"),
            ({"pending_id": ID_MAX}, "pending_id_must_not_be_int_max"),
            ({"pending_id": 20}, "pending_id_must_be_different"),
            ({"pending_id": 99}, "timeout_reserved_for_pending_transfer"),
            ({"timeout": 0}, "reversed_transfer_does_not_match"),
            ({"reverses_id": 0}, "pending_transfer_not_found"),
            ({"pending_id": 11}, "pending_transfer_not_pending"),
            ({"pending_id": 10}, "pending_transfer_has_different_debit_account_id"),
            ({"debit_account_id": 1}, "pending_transfer_has_different_credit_account_id"),
            ({"credit_account_id": 3}, "pending_transfer_has_different_ledger"),
            ({"ledger": 1}, "pending_transfer_has_different_code"),
            ({"code": 1}, "exceeds_pending_transfer_amount"),
            ({"amount": 14}, "pending_transfer_has_different_amount"),
            ({"amount": 15}, "created"),
        ],
        of,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (F.post_pending_transfer, "pending_transfer_already_posted"),
        (F.void_pending_transfer, "pending_transfer_already_voided"),
    ],
)
def test_a_hold_ends_once(first: TransferFlags, second: str) -> None:
    of = with_hold()
    for flags in (F.post_pending_transfer, F.void_pending_transfer):
        of.failed.clear()
        results, _ = apply(
            [
                Transfer(id=20, pending_id=10, amount=15, flags=first),
                Transfer(id=21, pending_id=10, amount=15, flags=flags),
            ],
            of,
        )
        assert results[1] == second
        assert results[0] in ("created", "exists")


def test_a_hold_cannot_be_resolved_at_its_expiry() -> None:
    post = Transfer(id=20, pending_id=10, amount=15, flags=F.post_pending_transfer)
    made_at = with_hold().transfers[10].timestamp
    at_expiry = made_at + 50 * NS_PER_S
    assert apply([post], with_hold(), at_expiry)[0] == ["pending_transfer_expired"]
    assert apply([post], with_hold(), at_expiry - 1)[0] == ["created"]
    of = with_hold()
    resolving.expire(of.transfers[10], of, at_expiry)
    assert apply([post], of, at_expiry)[0] == ["pending_transfer_expired"]
    assert of.accounts[1].debits_pending == of.accounts[3].credits_pending == 0


@pytest.mark.parametrize("amount", sorted(AMOUNT_ALL))
def test_the_maximum_posts_everything_held(amount: int) -> None:
    of = with_hold()
    post = Transfer(id=20, pending_id=10, amount=amount, flags=F.post_pending_transfer)
    assert apply([post], of)[0] == ["created"]
    assert of.accounts[1].debits_posted == 16
    assert apply([post], of)[0] == ["exists"]


def test_resolving_takes_over_what_it_leaves_out() -> None:
    of = with_hold()
    apply([Transfer(id=20, pending_id=10, flags=F.void_pending_transfer)], of)
    void = of.transfers[20]
    assert (void.debit_account_id, void.credit_account_id, void.amount) == (1, 3, 15)
    assert (void.user_data_128, void.user_data_64, void.user_data_32) == (7, 8, 9)
    assert (void.ledger, void.code) == (1, 1)


def test_a_closed_account_lets_holds_be_voided_but_not_posted() -> None:
    for closed, result in ((1, "debit_account_already_closed"),
                           (3, "credit_account_already_closed")):  # fmt: skip
        of = with_hold()
        of.accounts[closed].closed = True
        post = Transfer(id=20, pending_id=10, amount=1, flags=F.post_pending_transfer)
        void = Transfer(id=21, pending_id=10, flags=F.void_pending_transfer)
        assert apply([post, void], of)[0] == [result, "created"]


def test_closing_is_undone_by_voiding_and_by_expiry() -> None:
    for expires in (False, True):
        of = with_hold(flags=F.pending | F.closing_debit | F.closing_credit, amount=0)
        assert [of.accounts[n].closed for n in (1, 3)] == [True, True]
        if expires:
            resolving.expire(of.transfers[10], of, NOW + 60 * NS_PER_S)
        else:
            apply([Transfer(id=20, pending_id=10, flags=F.void_pending_transfer)], of)
        assert [of.accounts[n].closed for n in (1, 3)] == [False, False]


# -- the same id again ------------------------------------------------------------------------

FIRST = {"id": 30, "debit_account_id": 1, "credit_account_id": 3, "amount": 5, "timeout": 1,
         "flags": F.pending, "user_data_128": 1, "user_data_64": 1, "user_data_32": 1}  # fmt: skip


def test_a_repeated_id_names_the_first_field_that_differs() -> None:
    of = books(state(1), state(3), state(4))
    assert apply([transfer(**FIRST)], of)[0] == ["created"]
    fields: dict[str, Any] = {
        "id": 30, "flags": F(0), "pending_id": 9, "timeout": 2, "debit_account_id": 4,
        "credit_account_id": 4, "amount": 6, "ledger": 9, "code": 9,
    }  # fmt: skip
    repairs: list[tuple[dict[str, Any], str]] = [
        ({}, "flags"),
        ({"flags": F.pending}, "pending_id"),
        ({"pending_id": 0}, "timeout"),
        ({"timeout": 1}, "debit_account_id"),
        ({"debit_account_id": 1}, "credit_account_id"),
        ({"credit_account_id": 3}, "amount"),
        ({"amount": 5}, "user_data_128"),
        ({"user_data_128": 1}, "user_data_64"),
        ({"user_data_64": 1}, "user_data_32"),
        ({"user_data_32": 1}, "ledger"),
        ({"ledger": 1}, "code"),
        ({"code": 1, "effective_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, "effective_at"),
        ({"effective_at": None, "reverses_id": 4}, "reverses_id"),
    ]
    for repair, field in repairs:
        fields.update(repair)
        assert apply([Transfer(**fields)], of)[0] == [f"exists_with_different_{field}"]
    fields["reverses_id"] = 0
    [result], _ = apply([Transfer(**fields)], of, NOW + 99)
    assert result == "exists"
    assert result.ok
    assert result.status == "exists"
    assert result.timestamp == of.transfers[30].timestamp == NOW
    assert result.debit_account_balances is not None
    assert result.debit_account_balances.debits_pending == 5


def test_a_repeated_post_names_the_first_field_that_differs() -> None:
    of = with_hold()
    first = Transfer(
        id=20, pending_id=10, amount=3, user_data_128=1, user_data_64=1, user_data_32=1,
        flags=F.post_pending_transfer,
    )  # fmt: skip
    assert apply([first], of)[0] == ["created"]
    fields: dict[str, Any] = {
        "id": 20, "pending_id": 10, "flags": F.post_pending_transfer, "debit_account_id": 4,
        "credit_account_id": 4, "amount": 4, "ledger": 9, "code": 9,
    }  # fmt: skip
    repairs: list[tuple[dict[str, Any], str]] = [
        ({}, "debit_account_id"),
        ({"debit_account_id": 0}, "credit_account_id"),
        ({"credit_account_id": 3}, "amount"),
        ({"amount": AMOUNT_MAX}, "amount"),
        ({"amount": 3}, "user_data_128"),
        ({"user_data_128": 1}, "user_data_64"),
        ({"user_data_64": 1}, "user_data_32"),
        ({"user_data_32": 1}, "ledger"),
        ({"ledger": 0}, "code"),
    ]
    for repair, field in repairs:
        fields.update(repair)
        assert apply([Transfer(**fields)], of)[0] == [f"exists_with_different_{field}"]
    assert apply([Transfer(**{**fields, "code": 1})], of)[0] == ["exists"]


@pytest.mark.parametrize("flag", [F.balancing_debit, F.balancing_credit])
def test_a_balancing_retry_may_ask_for_more_than_was_moved(flag: TransferFlags) -> None:
    of = books(state(1, credits_posted=10), state(3, debits_posted=10))
    ask = {"id": 1, "debit_account_id": 1, "credit_account_id": 3, "flags": flag}
    assert apply([transfer(**ask, amount=12)], of)[0] == ["created"]
    assert of.transfers[1].amount == 10
    results, _ = apply([transfer(**ask, amount=n) for n in (9, 10, 12, 99)], of)
    assert results == ["exists_with_different_amount", "exists", "exists", "exists"]


def test_balancing_never_goes_below_zero_and_ignores_the_overdraft() -> None:
    debit = state(1, flags=LIMIT_DEBITS, debits_posted=3, credits_posted=2, overdraft_limit=50)
    of = books(debit, state(3))
    ask = transfer(id=1, debit_account_id=1, credit_account_id=3, amount=9, flags=F.balancing_debit)
    assert apply([ask], of)[0] == ["created"]
    assert of.transfers[1].amount == 0


# -- transient failures -----------------------------------------------------------------------


def test_the_id_of_a_transient_failure_is_spent_and_that_of_a_malformed_event_is_not() -> None:
    of = books(state(1), state(3))
    missing = transfer(id=1, debit_account_id=8, credit_account_id=3, amount=1)
    sound = transfer(id=1, debit_account_id=1, credit_account_id=3, amount=1)
    malformed = transfer(id=2, debit_account_id=1, credit_account_id=3, amount=1, code=0)
    assert apply([missing, sound], of)[0] == ["debit_account_not_found", "id_already_failed"]
    assert apply([malformed, transfer(id=2, debit_account_id=1, credit_account_id=3)], of)[0] == [
        "code_must_not_be_zero", "created",
    ]  # fmt: skip


# -- chains -----------------------------------------------------------------------------------


def chain(*shape: tuple[int, str | None, bool]) -> list[Transfer]:
    """Moves of 1 from account 1 to 3: id, fault, linked."""
    faults: dict[str | None, dict[str, Any]] = {None: {}, "code": {"code": 0}, "void": {
        "debit_account_id": 0, "credit_account_id": 0, "pending_id": 10,
        "flags": F.void_pending_transfer}, "missing": {"debit_account_id": 8},
        "reverse": {"debit_account_id": 3, "credit_account_id": 1, "reverses_id": 11}}  # fmt: skip
    events = []
    for id_, fault, linked in shape:
        fields = {"id": id_, "debit_account_id": 1, "credit_account_id": 3, "amount": 1,
                  **faults[fault]}  # fmt: skip
        if fault == "void":
            fields["amount"] = 0
        flags = fields.pop("flags", F(0)) | (F.linked if linked else F(0))
        events.append(transfer(**fields, flags=flags))
    return events


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ([(1, None, True), (2, None, False)], ["created", "created"]),
        ([(1, None, True), (2, "code", False), (3, None, False)],
         ["linked_event_failed", "code_must_not_be_zero", "created"]),
        ([(1, "code", True), (2, None, True), (3, None, False)],
         ["code_must_not_be_zero", "linked_event_failed", "linked_event_failed"]),
        ([(1, None, True)], ["linked_event_chain_open"]),
        ([(1, None, True), (2, None, True)], ["linked_event_failed", "linked_event_chain_open"]),
        ([(1, None, True), (2, "code", True), (3, None, True)],
         ["linked_event_failed", "code_must_not_be_zero", "linked_event_chain_open"]),
        ([(1, None, True), (1, None, True), (2, None, False)],
         ["linked_event_failed", "exists", "linked_event_failed"]),
        ([(1, None, True), (2, "missing", False), (1, None, False), (2, None, False)],
         ["linked_event_failed", "debit_account_not_found", "created", "id_already_failed"]),
        ([(1, "void", True), (2, "reverse", True), (3, "code", False), (4, "void", False),
          (5, "reverse", False)],
         ["linked_event_failed", "linked_event_failed", "code_must_not_be_zero", "created",
          "created"]),
    ],
)  # fmt: skip
def test_a_chain_succeeds_or_fails_as_a_whole(
    shape: list[tuple[int, str | None, bool]], expected: list[str]
) -> None:
    of = with_hold()
    before = {id_: account.changing() for id_, account in of.accounts.items()}
    results, outcome = apply(chain(*shape), of)
    assert results == expected
    assert len(outcome.created) == expected.count("created")
    stamps = [result.timestamp for result in results if result != "exists"]
    assert stamps == sorted(stamps)
    if "created" not in expected:
        assert {id_: account.changing() for id_, account in of.accounts.items()} == before


def test_a_reversal_must_mirror_its_original() -> None:
    of = with_hold()
    wanted = {"debit_account_id": 3, "credit_account_id": 1, "amount": 1, "reverses_id": 11}
    for change in (
        {"debit_account_id": 4}, {"credit_account_id": 4}, {"amount": 2},
        {"flags": F.pending}, {"flags": F.balancing_debit}, {"reverses_id": 10, "amount": 15},
    ):  # fmt: skip
        event = transfer(**{"id": 40, **wanted, **change})
        assert apply([event], of)[0] == ["reversed_transfer_does_not_match"]
    assert apply([transfer(id=41, **wanted), transfer(id=42, **wanted)], of)[0] == [
        "created", "reversed_transfer_already_reversed",
    ]  # fmt: skip


def test_every_result_that_is_given_has_its_place_in_the_order() -> None:
    folder = Path(rules.__file__).parent
    source = "".join(
        (folder / f"{module}.py").read_text(encoding="utf-8")
        for module in ("rules", "moves", "resolving", "repeats")
    )
    fields = ("flags", "pending_id", "timeout", "debit_account_id", "credit_account_id", "amount",
              "user_data_128", "user_data_64", "user_data_32", "ledger", "code", "effective_at",
              "reverses_id")  # fmt: skip
    differing = {f"exists_with_different_{field}" for field in fields}
    for name in CREATE_TRANSFER_RESULTS:
        assert f'"{name}"' in source or name in differing
    assert len(set(CREATE_TRANSFER_RESULTS)) == len(CREATE_TRANSFER_RESULTS)
