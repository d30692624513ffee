"""Whatever the rows are, what is made of them is FHIR R4B."""

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.fhir import billing, booking, care, people, places, statuses
from adapters.fhir.datatypes import money
from adapters.fhir.json_text import Tree, json_text
from scenes.hospital import listed_rows as rows
from scenes.hospital.payment_states import PaymentState, RefundState
from scenes.hospital.registration_rules import RegistrationState
from tests.adapters.fhir import rows as any_of
from tests.adapters.fhir.judged import judge, required_codes
from tests.adapters.fhir.rows import any_row

Mapping = Callable[[Any], Tree]
DEPARTMENTS = any_row(rows.ListedPlace, dept_code=any_of.CODES)
CASES: list[tuple[Mapping, st.SearchStrategy[Any]]] = [
    (people.patient_of, any_row(rows.ListedPatient, name=st.none() | any_of.MASKED)),
    (people.practitioner_of, any_row(rows.ListedDoctor)),
    (people.practitioner_role_of, any_row(rows.ListedDoctor)),
    (places.organization_of, any_row(rows.ListedPlace)),
    (places.location_of, DEPARTMENTS),
    (booking.schedule_of, any_row(rows.ListedSchedule, **any_of.SCHEDULE)),
    (booking.slot_of, any_row(rows.ListedSlot, **any_of.SLOT)),
    (booking.appointment_of, any_row(rows.ListedRegistration, **any_of.REGISTRATION)),
    (care.encounter_of, any_row(rows.ListedVisit, **any_of.VISIT)),
    (care.coverage_of, any_row(rows.ListedVisit, **any_of.VISIT, insutype=any_of.CODES)),
    (billing.charge_item_of, any_row(rows.ListedItem)),
    (billing.invoice_of, any_row(rows.ListedBill, **any_of.BILL)),
    (billing.claim_response_of, any_row(rows.ListedSettlement)),
    (billing.payment_of, any_row(rows.ListedMoney, **any_of.PAYMENT)),
    (billing.payment_of, any_row(rows.ListedMoney, **any_of.RETURN)),
]


@pytest.mark.parametrize(("mapping", "any_of_them"), CASES)
@settings(max_examples=30)
@given(data=st.data())
def test_every_row_is_a_resource_of_the_standard(
    mapping: Mapping, any_of_them: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """How: the library reads what is written, byte for byte, and finds nothing it does not know."""
    served = json_text(mapping(data.draw(any_of_them)))
    read = judge(served)
    again = json.loads(read.model_dump_json(), parse_float=Decimal)
    assert numbers_as_decimals(again) == numbers_as_decimals(
        json.loads(served, parse_float=Decimal)
    )


def numbers_as_decimals(value: Any) -> Any:  # noqa: ANN401  (JSON)
    """The library writes 12.30 as 12.3: the same number; and an instant with another zero."""
    match value:
        case dict():
            return {name: numbers_as_decimals(member) for name, member in value.items()}
        case list():
            return [numbers_as_decimals(member) for member in value]
        case int() | Decimal() if not isinstance(value, bool):
            return Decimal(value).normalize()
    return value


@given(any_of.FEN, st.booleans())
def test_money_keeps_its_two_decimals(fen: int, negative: bool) -> None:
    """Why: 12.30 yuan that come as 12.3 are another precision, and a float is another sum."""
    text = json_text(money(-fen if negative else fen)).decode()
    digits = f"{fen // 100}.{fen % 100:02d}"
    sign = "-" if negative and fen else ""
    assert text == f'{{"value":{sign}{digits},"currency":"CNY"}}'


@given(any_row(rows.ListedMoney, **any_of.PAYMENT))
def test_a_payment_comes_to_its_invoices(row: rows.ListedMoney) -> None:
    whole = replace(row, total_fen=sum(line.amount_fen for line in row.lines))
    told = billing.payment_of(whole)
    parts = sum(detail["amount"]["value"] for detail in told["detail"])
    assert parts == told["paymentAmount"]["value"]


@pytest.mark.parametrize(
    ("table", "kind", "element", "value_set"),
    [
        (statuses.SLOT, "Slot", "status", "slotstatus"),
        (statuses.APPOINTMENT, "Appointment", "status", "appointmentstatus"),
        (statuses.ENCOUNTER, "Encounter", "status", "encounter-status"),
        (statuses.CHARGE_ITEM, "ChargeItem", "status", "chargeitem-status"),
        (statuses.INVOICE, "Invoice", "status", "invoice-status"),
    ],
)
def test_states_are_told_in_the_standards_words(
    table: dict[str, str], kind: str, element: str, value_set: str
) -> None:
    standard = required_codes(kind, element)
    # Where the library's list ends with a plus, there are more than it names.
    assert standard - {"+"} <= statuses.VALUE_SETS[value_set]
    assert "+" in standard or standard == statuses.VALUE_SETS[value_set]
    assert set(table.values()) <= statuses.VALUE_SETS[value_set]


@pytest.mark.parametrize("table", [statuses.PAYMENT, statuses.RETURN])
def test_payments_are_told_in_the_standards_words(table: dict[str, tuple[str, str]]) -> None:
    told = statuses.VALUE_SETS["fm-status"], statuses.VALUE_SETS["remittance-outcome"]
    assert required_codes("PaymentReconciliation", "status") == told[0]
    assert required_codes("PaymentReconciliation", "outcome") == told[1]
    assert {status for status, _ in table.values()} <= told[0]
    assert {outcome for _, outcome in table.values()} <= told[1]


def test_every_state_is_told() -> None:
    assert set(statuses.APPOINTMENT) == set(statuses.ENCOUNTER) == {*RegistrationState}
    assert set(statuses.PAYMENT) == {*PaymentState}
    assert set(statuses.RETURN) == {*RefundState}
    closed = {statuses.ENCOUNTER_OPEN, statuses.ENCOUNTER_CLOSED}
    assert closed <= statuses.VALUE_SETS["encounter-status"]
