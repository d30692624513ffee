"""The rules of opening accounts, as a ladder; see ``test_rules``. Pure: no database."""

from typing import Any

import pytest

from ledger import CREATE_ACCOUNT_RESULTS, ID_MAX, Account, AccountFlags
from ledger.account_rules import create_accounts
from ledger.results import CreateAccountResult

F = AccountFlags
BOTH = F.debits_must_not_exceed_credits | F.credits_must_not_exceed_debits
Existing = dict[int, tuple[Account, int]]


def apply(*accounts: Account, existing: Existing | None = None) -> list[CreateAccountResult]:
    return create_accounts(accounts, {} if existing is None else existing, 100).results


def account(id_: int, **fields: Any) -> Account:  # noqa: ANN401  (the fields of an account)
    return Account(id=id_, **{"ledger": 1, "code": 1, **fields})


def test_rules_in_order() -> None:
    existing: Existing = {7: (account(7, flags=F.history, user_data_128=1, user_data_64=1,
                                      user_data_32=1), 5)}  # fmt: skip
    fields: dict[str, Any] = {
        "id": 0, "timestamp": 1, "reserved": 1, "flags": F(1 << 10) | BOTH, "debits_pending": 1,
        "debits_posted": 1, "credits_pending": 1, "credits_posted": 1, "ledger": 0, "code": 0,
        "overdraft_limit": 5,
    }  # fmt: skip
    seen = []
    ladder: list[tuple[dict[str, Any], str]] = [
        ({}, "timestamp_must_be_zero"),
        ({"timestamp": 0}, "reserved_field"),
        ({"reserved": 0}, "reserved_flag"),
        ({"flags": F.imported | BOTH}, "reserved_flag"),
        ({"flags": BOTH}, "id_must_not_be_zero"),
        ({"id": ID_MAX}, "id_must_not_be_int_max"),
        ({"id": 7}, "exists_with_different_flags"),
        ({"flags": F.history}, "exists_with_different_user_data_128"),
        ({"user_data_128": 1}, "exists_with_different_user_data_64"),
        ({"user_data_64": 1}, "exists_with_different_user_data_32"),
        ({"user_data_32": 1}, "exists_with_different_ledger"),
        ({"ledger": 1}, "exists_with_different_code"),
        ({"code": 1}, "exists_with_different_overdraft_limit"),
        ({"overdraft_limit": 0}, "exists"),
        ({"id": 8, "flags": BOTH, "ledger": 0, "code": 0, "overdraft_limit": 5},
         "flags_are_mutually_exclusive"),
        ({"flags": F(0)}, "debits_pending_must_be_zero"),
        ({"debits_pending": 0}, "debits_posted_must_be_zero"),
        ({"debits_posted": 0}, "credits_pending_must_be_zero"),
        ({"credits_pending": 0}, "credits_posted_must_be_zero"),
        ({"credits_posted": 0}, "ledger_must_not_be_zero"),
        ({"ledger": 1}, "code_must_not_be_zero"),
        ({"code": 1}, "overdraft_limit_needs_limit_flag"),
        ({"flags": F.credits_must_not_exceed_debits}, "created"),
    ]  # fmt: skip
    for repair, expected in ladder:
        fields.update(repair)
        [result] = apply(Account(**fields), existing=existing)
        assert result == expected, fields
        assert result.timestamp == (5 if result == "exists" else 100)
        assert result.ok == (result in ("created", "exists"))
        assert result.status == expected
        seen.append(expected)
    chains = {"linked_event_failed", "linked_event_chain_open"}
    assert set(seen) | chains == set(CREATE_ACCOUNT_RESULTS)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ([(1, 1, True), (2, 1, False)], ["created", "created"]),
        ([(1, 1, True), (2, 0, False), (1, 1, False)],
         ["linked_event_failed", "code_must_not_be_zero", "created"]),
        ([(1, 0, True), (2, 1, True), (3, 1, False)],
         ["code_must_not_be_zero", "linked_event_failed", "linked_event_failed"]),
        ([(1, 1, True), (1, 1, True), (2, 1, True)],
         ["linked_event_failed", "exists", "linked_event_chain_open"]),
        ([(1, 1, True)], ["linked_event_chain_open"]),
    ],
)  # fmt: skip
def test_a_chain_succeeds_or_fails_as_a_whole(
    shape: list[tuple[int, int, bool]], expected: list[str]
) -> None:
    existing: Existing = {}
    accounts = [
        account(id_, code=code, flags=F.linked if linked else F(0)) for id_, code, linked in shape
    ]
    assert apply(*accounts, existing=existing) == expected
    assert len(existing) == expected.count("created")
