"""What is done through both faces with one key is done once."""

from typing import Any

from tests.adapters.fhir.conftest import Clinic, parameters, read, returned, two_items

BILL = {
    "out_bill_no": "F0001",
    "lines": [
        {
            "item_code": "XA01AAA001",
            "name": "示例药品",
            "quantity": "2",
            "price_fen": 30000,
            "amount_fen": 60000,
        },
        {
            "item_code": "250101001",
            "name": "检查",
            "quantity": "1",
            "price_fen": 40000,
            "amount_fen": 40000,
        },
    ],
}


async def native(clinic: Clinic, path: str, body: object, key: str) -> tuple[dict[str, Any], bool]:
    """A native request; whether it was answered as one before."""
    headers = {**await clinic.bearer(), "Idempotency-Key": key}
    answer = await clinic.http.post(f"/v1/{path}", json=body, headers=headers)
    assert answer.is_success, answer.text
    return answer.json(), answer.headers.get("idempotent-replayed") == "true"


async def spoken(
    clinic: Clinic, path: str, said: dict[str, Any] | None, key: str
) -> tuple[dict[str, Any], bool]:
    """The same as an operation of FHIR's."""
    answer = await clinic.do(path, said, key=key)
    assert answer.is_success, answer.text
    return read(answer), answer.headers.get("idempotent-replayed") == "true"


async def test_every_step_is_one_whichever_face_it_came_through(clinic: Clinic) -> None:
    """How: each step natively and in FHIR, in turns first and second, with the same key."""
    schedule = await clinic.plan(fee_fen=0)
    user_id = await clinic.ward.person()
    booked = await clinic.book(user_id, schedule, key="book")
    again, replayed = await native(
        clinic,
        "hospitals/shanting-hospital/registrations",
        {
            "user": {"credential": await clinic.shown(user_id)},
            "schedule_id": str(schedule),
        },
        "book",
    )
    assert (again["registration_id"], replayed) == (booked["id"], True)

    visit, _ = await native(
        clinic,
        "hospitals/shanting-hospital/visits",
        {
            "user": {"credential": await clinic.shown(user_id)},
            "visit_no": "MZ1",
            "dept_code": "NK",
            "psn_no": "37000000000000000001",
            "insutype": "310",
        },
        "open",
    )
    (department,) = await clinic.found("Organization?identifier=NK")
    opened, replayed = await spoken(
        clinic,
        "Encounter/$open",
        parameters(
            department_valueReference={"reference": f"Organization/{department['id']}"},
            credential_valueString=await clinic.shown(user_id),
            visit_no_valueString="MZ1",
            psn_no_valueString="37000000000000000001",
            insutype_valueString="310",
        ),
        "open",
    )
    assert (opened["id"], replayed) == (visit["visit_id"], True)

    billed, _ = await spoken(clinic, f"Encounter/{opened['id']}/$bill", two_items(), "bill")
    bill, replayed = await native(clinic, f"hospital-visits/{opened['id']}/bills", BILL, "bill")
    assert (bill["bill_id"], replayed) == (billed["id"], True)

    quoted, _ = await native(
        clinic, f"hospital-visits/{opened['id']}/payments", {"bill_ids": [billed["id"]]}, "quote"
    )
    told, replayed = await spoken(clinic, f"Invoice/{billed['id']}/$quote", None, "quote")
    assert (told["id"], replayed) == (quoted["payment_id"], True)

    shown = parameters(credential_valueString=await clinic.shown(user_id))
    paid, _ = await spoken(clinic, f"PaymentReconciliation/{told['id']}/$pay", shown, "pay")
    again, replayed = await native(
        clinic,
        f"hospital-payments/{told['id']}/confirmation",
        {"user": {"credential": await clinic.shown(user_id)}},
        "pay",
    )
    assert (again["payment_id"], again["state"], replayed) == (paid["id"], "paid", True)

    back, _ = await native(
        clinic,
        f"hospital-payments/{paid['id']}/returns",
        {
            "out_refund_no": "TF1",
            "reason": "退药",
            "lines": [{"bill_id": billed["id"], "line_no": 2, "amount_fen": 40000}],
        },
        "return",
    )
    again, replayed = await spoken(
        clinic,
        f"PaymentReconciliation/{paid['id']}/$return",
        parameters(
            return_no_valueString="TF1",
            reason_valueString="退药",
            item_part=[returned(f"{billed['id']}.2", "400.00")],
        ),
        "return",
    )
    assert (again["id"], replayed) == (back["refund_id"], True)

    # Of 1,000 yuan the insurer pays 965, of what stays 600; nothing of it went twice.
    settled = sum(int(one["medfee_sumamt"].replace(".", "")) for one in standing(clinic))
    assert settled == 60000
    assert await clinic.ward.purse_fen(user_id) == 100_000

    other = await clinic.do(f"Encounter/{opened['id']}/$quote", key="quote")
    assert (other.status_code, read(other)["issue"][0]["details"]["coding"][0]["code"]) == (
        422,
        "idempotency_key_reused",
    )


def standing(clinic: Clinic) -> list[dict[str, Any]]:
    return clinic.ward.books.standing("H37040600001")
