"""A patient's way through the hospital, spoken in FHIR from end to end."""

from datetime import UTC, datetime
from decimal import Decimal

from tests.adapters.fhir.conftest import (
    INSURED,
    Clinic,
    extension,
    parameters,
    returned,
    two_items,
)


async def test_book_check_in_bill_quote_pay_return_and_compare(clinic: Clinic) -> None:
    schedule_id = await clinic.plan()
    user_id = await clinic.ward.person()

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
    assert visit["subject"] == arrived["participant"][0]["actor"]
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

    compared = await clinic.done(
        "PaymentReconciliation/$reconcile", parameters(date_valueDate="2026-06-02")
    )
    counts = {
        one["name"]: one.get("valueInteger", one.get("valueBoolean"))
        for one in compared["parameter"]
    }
    assert (counts["totals-agree"], counts["insurer-items"], counts["differences"]) == (True, 1, 0)
