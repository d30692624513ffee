"""A patient's way through the hospital, spoken in FHIR from end to end."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from tests.adapters.fhir.conftest import (
    INSURED,
    Clinic,
    extension,
    parameters,
    returned,
    two_items,
)


async def register_and_be_called(clinic: Clinic, user_id: UUID) -> str:
    """A place with a fee, paid; the next morning they are there and called. Who they are here."""
    schedule_id = await clinic.plan()
    free = await clinic.found(f"Slot?schedule=Schedule/{schedule_id}&status=free")
    assert len(free) == 4
    appointment = await clinic.book(user_id, schedule_id)
    assert (appointment["status"], extension(appointment, "state")) == ("pending", "held")
    fee_visit = await clinic.done(f"Appointment/{appointment['id']}/$bill")
    (begun,) = await clinic.found(f"Encounter?appointment={appointment['id']}&status=planned")
    assert (begun, begun["status"]) == (fee_visit, "planned")
    quote = await clinic.done(f"Encounter/{fee_visit['id']}/$quote")
    assert (quote["status"], quote["paymentAmount"]["value"]) == ("draft", Decimal("5.00"))
    shown = parameters(credential_valueString=await clinic.shown(user_id))
    paid = await clinic.done(f"PaymentReconciliation/{quote['id']}/$pay", shown)
    assert (paid["status"], paid["outcome"]) == ("active", "complete")
    assert (await clinic.one(f"Appointment/{appointment['id']}"))["status"] == "booked"

    clinic.ward.clock.now = datetime(2026, 6, 2, 0, 0, tzinfo=UTC)
    here = parameters(credential_valueString=await clinic.shown(user_id))
    arrived = await clinic.done(f"Appointment/{appointment['id']}/$check-in", here)
    assert (arrived["status"], extension(arrived, "queue-no")) == ("checked-in", 1)
    called = await clinic.done(f"Schedule/{schedule_id}/$call-next")
    assert (called["id"], called["status"]) == (appointment["id"], "arrived")
    return str(called["participant"][0]["actor"]["reference"])


async def be_treated_and_pay(clinic: Clinic, user_id: UUID, patient: str) -> tuple[str, str]:
    """An insured visit with a bill, paid, of which an item goes back. Ids of visit and payment."""
    (department,) = await clinic.found("Organization?identifier=NK")
    visit = await clinic.done(
        "Encounter/$open",
        parameters(
            department_valueReference={"reference": f"Organization/{department['id']}"},
            credential_valueString=await clinic.shown(user_id),
            visit_no_valueString="MZ0001",
            **INSURED,
        ),
    )
    assert visit["subject"]["reference"] == patient
    (coverage,) = await clinic.found(f"Coverage?beneficiary={visit['subject']['reference']}")
    assert coverage["type"]["coding"][0]["code"] == "310"
    invoice = await clinic.done(f"Encounter/{visit['id']}/$bill", two_items())
    assert invoice["totalNet"] == {"value": Decimal("1000.00"), "currency": "CNY"}

    quote = await clinic.done(f"Invoice/{invoice['id']}/$quote")
    split = extension(quote, "split")
    assert (split["fund"], split["account"], split["cash"]) == (
        Decimal("665.00"),
        Decimal("300.00"),
        Decimal("35.00"),
    )
    shown = parameters(credential_valueString=await clinic.shown(user_id))
    paid = await clinic.done(f"PaymentReconciliation/{quote['id']}/$pay", shown)
    assert paid["outcome"] == "complete"
    (settled,) = await clinic.found(f"ClaimResponse?payment={paid['id']}")
    assert (settled["status"], settled["payment"]["amount"]["value"]) == (
        "active",
        Decimal("965.00"),
    )
    assert (await clinic.one(f"Invoice/{invoice['id']}"))["status"] == "balanced"

    given_back = await clinic.done(
        f"PaymentReconciliation/{paid['id']}/$return",
        parameters(
            return_no_valueString="TF0001",
            reason_valueString="检查取消",
            item_part=[returned(f"{invoice['id']}.2", "400.00")],
        ),
    )
    assert (given_back["outcome"], given_back["paymentAmount"]["value"]) == (
        "complete",
        Decimal("-400.00"),
    )
    split = extension(given_back, "split")
    assert (split["fund"], split["account"], split["cash"]) == (
        Decimal("-280.00"),
        Decimal("-85.00"),
        Decimal("-35.00"),
    )
    both = await clinic.found(f"ClaimResponse?payment={paid['id']}")
    assert sorted(one["status"] for one in both) == ["active", "cancelled"]
    left = await clinic.one(f"Invoice/{invoice['id']}")
    assert left["totalNet"]["value"] == Decimal("600.00")
    assert (await clinic.one(f"ChargeItem/{invoice['id']}.2"))["status"] == "aborted"
    return visit["id"], paid["id"]


async def test_book_check_in_bill_quote_pay_return_and_compare(clinic: Clinic) -> None:
    user_id = await clinic.ward.person()
    patient = await register_and_be_called(clinic, user_id)
    visit, paid = await be_treated_and_pay(clinic, user_id, patient)
    taken = await clinic.done(
        "PaymentReconciliation/$collected",
        parameters(
            date_valueDate="2026-06-02",
            item_part=[
                [
                    {
                        "name": "payment",
                        "valueReference": {"reference": f"PaymentReconciliation/{paid}"},
                    },
                    {"name": "total", "valueMoney": {"value": 1000, "currency": "CNY"}},
                    {"name": "insurer", "valueMoney": {"value": 965, "currency": "CNY"}},
                    {"name": "cash", "valueMoney": {"value": 36, "currency": "CNY"}},
                ]
            ],
        ),
    )
    assert taken["parameter"][1] == {"name": "taken", "valueInteger": 1}
    compared = await clinic.done(
        "PaymentReconciliation/$reconcile", parameters(date_valueDate="2026-06-02")
    )
    counts = {
        one["name"]: one.get("valueInteger", one.get("valueBoolean"))
        for one in compared["parameter"]
    }
    assert (counts["totals-agree"], counts["insurer-items"], counts["differences"]) == (True, 1, 1)
    (difference,) = [one["part"] for one in compared["parameter"] if one["name"] == "difference"]
    assert {"name": "kind", "valueCode": "his_amount"} in difference
    assert {"name": "item", "valueString": paid} in difference

    over = await clinic.done(f"Encounter/{visit}/$discharge")
    assert (over["status"], "end" in over["period"]) == ("finished", True)
