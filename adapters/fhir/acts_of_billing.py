"""Operations of paying: open and close a visit, bill, quote, pay, give back."""

from typing import Final
from uuid import UUID

from adapters.fhir.act import Act, Doing, Done, Taken
from adapters.fhir.acts_of_booking import INSURANCE
from adapters.fhir.desk import PERSON, Desk, request_of, user_of
from adapters.fhir.kinds_of_care import CHARGE_ITEMS, ENCOUNTERS, INVOICES, PAYMENTS
from adapters.fhir.kinds_of_people import ORGANIZATIONS
from cardcore.caller import Scope
from scenes.hospital.request import (
    BillRequest,
    ConfirmRequest,
    PaymentRequest,
    ReturnRequest,
    VisitRequest,
)

KINDS_OF_VISIT: Final = {"AMB": "outpatient", "IMP": "inpatient"}
_SEVERAL: Final = Taken(
    name="invoice",
    words="Which bills; none: all that are open",
    type="Reference",
    max="*",
    target="Invoice",
)
_LINE: Final = (
    Taken(name="item-code", words="Of the national catalogue", type="string", min=1),
    Taken(name="name", words="As printed", type="string", min=1),
    Taken(name="quantity", words="As printed", type="decimal", min=1),
    Taken(name="price", words="Of one", type="Money", min=1),
    Taken(name="amount", words="Of all", type="Money", min=1),
)
_RETURNED: Final = (
    Taken(name="charge-item", words="Which", type="Reference", min=1, target="ChargeItem"),
    Taken(name="amount", words="How much of it", type="Money", min=1),
)


def visit_acts(desk: Desk) -> tuple[Act, ...]:
    """The operations on visits."""

    async def open_visit(doing: Doing) -> Done:
        place = await desk.named(doing.caller, ORGANIZATIONS, doing.values["department"])
        code = doing.values.get("class", "AMB")
        request = request_of(
            VisitRequest,
            user=user_of(doing.values) or {},
            visit_no=doing.values["visit-no"],
            kind=KINDS_OF_VISIT.get(code, code),
            dept_code=place.dept_code,
            psn_no=doing.values.get("psn-no"),
            insutype=doing.values.get("insutype"),
            pay_after=doing.values.get("pay-after", False),
        )
        view, replayed = await desk.hospital.open_visit(
            doing.caller, place.merchant_id, request, doing.key
        )
        told = await desk.told(doing.caller, ENCOUNTERS, view.visit_id)
        return Done(resource=told, replayed=replayed)

    async def add_bill(doing: Doing) -> Done:
        row = await desk.named(doing.caller, ENCOUNTERS, doing.identity)
        lines = [
            {
                "item_code": line["item-code"],
                "name": line["name"],
                "quantity": format(line["quantity"], "f"),
                "price_fen": line["price"],
                "amount_fen": line["amount"],
            }
            for line in doing.values["line"]
        ]
        request = request_of(BillRequest, out_bill_no=doing.values["bill-no"], lines=lines)
        view, replayed = await desk.hospital.add_bill(
            doing.caller, row.visit_id, request, doing.key
        )
        told = await desk.told(doing.caller, INVOICES, view.bill_id)
        return Done(resource=told, replayed=replayed)

    async def quote(doing: Doing) -> Done:
        row = await desk.named(doing.caller, ENCOUNTERS, doing.identity)
        bills = [
            (await desk.named(doing.caller, INVOICES, one)).bill_id
            for one in doing.values.get("invoice", ())
        ]
        return await _quote(desk, doing, row.visit_id, bills)

    async def discharge(doing: Doing) -> Done:
        row = await desk.named(doing.caller, ENCOUNTERS, doing.identity)
        _, replayed = await desk.hospital.discharge(doing.caller, row.visit_id, doing.key)
        told = await desk.told(doing.caller, ENCOUNTERS, row.visit_id)
        return Done(resource=told, replayed=replayed)

    return (
        Act(
            kind="Encounter",
            name="open",
            words="A visit of whoever presents a credential; an inpatient's opens a deposit too.",
            native="POST /v1/hospitals/{merchant_id}/visits",
            scope=Scope.HOSPITAL_WRITE,
            on_one=False,
            run=open_visit,
            gives="Encounter",
            takes=(
                Taken(
                    name="department",
                    words="Where",
                    type="Reference",
                    min=1,
                    target="Organization",
                ),
                *PERSON,
                Taken(name="visit-no", words="The hospital's number", type="string", min=1),
                Taken(name="class", words="AMB (as a rule) or IMP", type="code"),
                *INSURANCE,
                Taken(name="pay-after", words="Under an agreement", type="boolean"),
            ),
        ),
        Act(
            kind="Encounter",
            name="bill",
            words="A bill of a visit; of an inpatient's, a daily bill.",
            native="POST /v1/hospital-visits/{visit_id}/bills",
            scope=Scope.HOSPITAL_WRITE,
            run=add_bill,
            gives="Invoice",
            takes=(
                Taken(name="bill-no", words="The hospital's number", type="string", min=1),
                Taken(name="line", words="One item", min=1, max="*", parts=_LINE),
            ),
        ),
        Act(
            kind="Encounter",
            name="quote",
            words="Who would pay which fen of open bills; nothing is held, nothing settled.",
            native="POST /v1/hospital-visits/{visit_id}/payments",
            scope=Scope.HOSPITAL_WRITE,
            run=quote,
            gives="PaymentReconciliation",
            takes=(_SEVERAL,),
        ),
        Act(
            kind="Encounter",
            name="discharge",
            words="The visit is over, all bills are paid; the rest of a deposit goes back.",
            native="POST /v1/hospital-visits/{visit_id}/discharge",
            scope=Scope.HOSPITAL_WRITE,
            run=discharge,
            gives="Encounter",
        ),
    )


def payment_acts(desk: Desk) -> tuple[Act, ...]:
    """The operations on bills and payments."""

    async def quote(doing: Doing) -> Done:
        row = await desk.named(doing.caller, INVOICES, doing.identity)
        return await _quote(desk, doing, row.visit_id, [row.bill_id])

    async def pay(doing: Doing) -> Done:
        row = await desk.named(doing.caller, PAYMENTS, doing.identity)
        request = request_of(
            ConfirmRequest,
            user=user_of(doing.values),
            fund=doing.values.get("fund", "auto"),
            terminal_id=doing.values.get("terminal"),
        )
        _, replayed = await desk.hospital.confirm_payment(
            doing.caller, row.money_id, request, doing.key
        )
        told = await desk.told(doing.caller, PAYMENTS, row.money_id)
        return Done(resource=told, replayed=replayed)

    async def give_back(doing: Doing) -> Done:
        row = await desk.named(doing.caller, PAYMENTS, doing.identity)
        lines = []
        for item in doing.values["item"]:
            known = await desk.named(doing.caller, CHARGE_ITEMS, item["charge-item"])
            lines.append(
                {
                    "bill_id": known.bill_id,
                    "line_no": known.line_no,
                    "amount_fen": item["amount"],
                }
            )
        request = request_of(
            ReturnRequest,
            out_refund_no=doing.values["return-no"],
            reason=doing.values["reason"],
            lines=lines,
        )
        view, replayed = await desk.hospital.return_items(
            doing.caller, row.money_id, request, doing.key
        )
        told = await desk.told(doing.caller, PAYMENTS, view.refund_id)
        return Done(resource=told, replayed=replayed)

    return (
        Act(
            kind="Invoice",
            name="quote",
            words="Who would pay which fen of this bill; nothing is held, nothing settled.",
            native="POST /v1/hospital-visits/{visit_id}/payments",
            scope=Scope.HOSPITAL_WRITE,
            run=quote,
            gives="PaymentReconciliation",
        ),
        Act(
            kind="PaymentReconciliation",
            name="pay",
            words="The citizen agrees to the split that was quoted: hold, settle, capture.",
            native="POST /v1/hospital-payments/{payment_id}/confirmation",
            scope=Scope.HOSPITAL_WRITE,
            run=pay,
            gives="PaymentReconciliation",
            takes=(
                *PERSON,
                Taken(name="fund", words="Which fund; auto: by the plan", type="code"),
                Taken(name="terminal", words="Where the code was shown", type="string"),
            ),
        ),
        Act(
            kind="PaymentReconciliation",
            name="return",
            words="Give items back: the insurer settles the rest anew, money goes as it came.",
            native="POST /v1/hospital-payments/{payment_id}/returns",
            scope=Scope.HOSPITAL_WRITE,
            run=give_back,
            gives="PaymentReconciliation",
            takes=(
                Taken(name="return-no", words="The hospital's number", type="string", min=1),
                Taken(name="reason", words="Why", type="string", min=1),
                Taken(name="item", words="One item", min=1, max="*", parts=_RETURNED),
            ),
        ),
    )


async def _quote(desk: Desk, doing: Doing, visit_id: UUID, bill_ids: list[UUID]) -> Done:
    view, replayed = await desk.hospital.quote_payment(
        doing.caller, visit_id, PaymentRequest(bill_ids=bill_ids), doing.key
    )
    told = await desk.told(doing.caller, PAYMENTS, view.payment_id)
    return Done(resource=told, replayed=replayed)
