"""Bills, what the insurer settled, payments and returns, as FHIR resources. Pure.

Money is yuan with exactly two decimals. A payment is a PaymentReconciliation over its invoices; a
return is one of its own, with amounts below zero.
"""

from decimal import Decimal
from typing import Final

from adapters.fhir import names, statuses
from adapters.fhir.care import INSURER
from adapters.fhir.datatypes import (
    concept,
    extension,
    identifier,
    instant,
    meta,
    money,
    reference,
    state,
)
from adapters.fhir.ids import code_id, named_id, numbered_id
from adapters.fhir.json_text import Tree, present
from adapters.fhir.places import HOSPITAL
from scenes.hospital.listed_rows import (
    BillLineSums,
    ListedBill,
    ListedItem,
    ListedMoney,
    ListedSettlement,
)

RETURN: Final = "return"


def charge_item_of(row: ListedItem) -> Tree:
    """One line of a bill; what was given back of it is an extension."""
    assert row.subject is not None
    more = [extension(names.UNIT_PRICE, valueMoney=money(row.price_fen))]
    if row.returned_fen:
        more.append(extension(names.RETURNED, valueMoney=money(row.returned_fen)))
    return present(
        resourceType="ChargeItem",
        id=numbered_id(row.bill_id, row.line_no),
        extension=more,
        status=charge_item_status(row),
        code=concept(names.ITEM, row.item_code, row.name),
        subject=reference("Patient", row.subject),
        context=reference("Encounter", row.visit_id),
        performingOrganization=_hospital(row.merchant_id),
        quantity={"value": Decimal(row.quantity)},
        priceOverride=money(row.amount_fen),
        enteredDate=instant(row.recorded_at),
    )


def charge_item_status(row: ListedItem) -> str:
    """Given back whole it is charged no more."""
    if row.returned_fen == row.amount_fen:
        return "aborted"
    return statuses.CHARGE_ITEM[row.bill_state]


def invoice_of(row: ListedBill) -> Tree:
    """A bill: its lines, what was given back of each, what is left."""
    assert row.subject is not None
    left = money(sum(line.amount_fen - line.returned_fen for line in row.lines))
    visit = reference("Encounter", row.visit_id)
    more = [extension(names.ENCOUNTER, valueReference=visit)]
    if row.payment_id is not None:
        paid_by = reference("PaymentReconciliation", row.payment_id)
        more.append(extension(names.PAYMENT, valueReference=paid_by))
    if row.follows_bill_id is not None:
        before = reference("Invoice", row.follows_bill_id)
        more.append(extension(names.FOLLOWS, valueReference=before))
    return present(
        resourceType="Invoice",
        id=str(row.bill_id),
        extension=more,
        identifier=[identifier(names.BILL_NO, row.out_bill_no)],
        status=statuses.INVOICE[row.state],
        subject=reference("Patient", row.subject),
        date=instant(row.recorded_at),
        issuer=_hospital(row.merchant_id),
        lineItem=[_line_item(row, line) for line in row.lines],
        totalNet=left,
        totalGross=left,
    )


def _line_item(row: ListedBill, line: BillLineSums) -> Tree:
    parts = [{"type": "base", "amount": money(line.amount_fen)}]
    if line.returned_fen:
        parts.append({"type": "deduction", "amount": money(-line.returned_fen)})
    return {
        "sequence": line.line_no,
        "chargeItemReference": reference("ChargeItem", numbered_id(row.bill_id, line.line_no)),
        "priceComponent": parts,
    }


def claim_response_of(row: ListedSettlement) -> Tree:
    """A settlement the insurer told of: who pays which part; cancelled once it was taken back."""
    assert row.subject is not None
    hospital_fen = row.total_fen - row.fund_fen - row.account_fen - row.cash_fen
    paid_by = reference("PaymentReconciliation", row.payment_id)
    payers = {
        "fund": row.fund_fen,
        "account": row.account_fen,
        "cash": row.cash_fen,
        "hospital": hospital_fen,
    }
    totals = [
        {"category": concept(names.ADJUDICATION, "submitted"), "amount": money(row.total_fen)}
    ]
    totals += [
        {"category": concept(names.PAYER, payer), "amount": money(fen)}
        for payer, fen in payers.items()
    ]
    return present(
        resourceType="ClaimResponse",
        id=named_id(row.payment_id, row.setl_id),
        meta=meta(row.changed_at),
        extension=[extension(names.PAYMENT, valueReference=paid_by)],
        identifier=[identifier(names.SETL_ID, row.setl_id)],
        status="active" if row.cancelled_at is None else "cancelled",
        type=concept(names.CLAIM_TYPE, "institutional"),
        use="claim",
        patient=reference("Patient", row.subject),
        created=instant(row.settled_at),
        insurer={"display": INSURER},
        requestor=_hospital(row.merchant_id),
        outcome="complete",
        total=totals,
        payment={
            "type": concept(names.CLAIM_PAYMENT, "complete"),
            "date": row.settled_on.isoformat(),
            "amount": money(row.fund_fen + row.account_fen),
        },
    )


def payment_of(row: ListedMoney) -> Tree:
    """A payment over its invoices, or a return over the items given back, below zero."""
    given_back = row.kind == RETURN
    status, outcome = (statuses.RETURN if given_back else statuses.PAYMENT)[row.state]
    sign = -1 if given_back else 1
    number = None if row.number is None else [identifier(names.RETURN_NO, row.number)]
    order = None if row.order_id is None else identifier(names.ORDER, str(row.order_id))
    return present(
        resourceType="PaymentReconciliation",
        id=str(row.money_id),
        meta=meta(row.changed_at),
        extension=_more_of(row, sign),
        identifier=number,
        status=status,
        created=instant(row.recorded_at),
        requestor=_hospital(row.merchant_id),
        outcome=outcome,
        disposition=row.reason,
        paymentDate=row.business_on.isoformat(),
        paymentAmount=money(sign * _amount_fen(row)),
        paymentIdentifier=order,
        detail=_details(row, sign),
    )


def _amount_fen(row: ListedMoney) -> int:
    """What it comes to; of a return that gives everything back, that, once it is known."""
    parts = (row.fund_fen, row.account_fen, row.cash_fen)
    known = [fen for fen in parts if fen is not None]
    return sum(known) if row.whole and len(known) == len(parts) else row.total_fen


def _details(row: ListedMoney, sign: int) -> list[Tree]:
    if row.whole:
        whole = reference("PaymentReconciliation", row.payment_id)
        return [_detail("adjustment", whole, sign * _amount_fen(row))]
    details = []
    for line in row.lines:
        asked = reference("Invoice", line.bill_id)
        if line.line_no is not None:
            asked = reference("ChargeItem", numbered_id(line.bill_id, line.line_no))
        kind = "payment" if sign > 0 else "adjustment"
        details.append(_detail(kind, asked, sign * line.amount_fen))
    return details


def _detail(kind: str, asked: Tree, fen: int) -> Tree:
    return {"type": concept(names.PAYMENT_TYPE, kind), "request": asked, "amount": money(fen)}


def _more_of(row: ListedMoney, sign: int) -> list[Tree]:
    more = [state(row.state)]
    payers = {
        "fund": row.fund_fen,
        "account": row.account_fen,
        "cash": row.cash_fen,
        "hospital": row.hospital_fen,
    }
    if row.deposit_fen:
        payers["deposit"] = row.deposit_fen
    if row.kind != RETURN and row.cash_fen is not None:
        payers["due"] = row.cash_fen - row.deposit_fen
    parts = [
        extension(payer, valueMoney=money(sign * fen))
        for payer, fen in payers.items()
        if fen is not None
    ]
    if parts:
        more.append(extension(names.SPLIT, extension=parts))
    if row.kind == RETURN:
        paid = reference("PaymentReconciliation", row.payment_id)
        more.append(extension(names.PAYMENT, valueReference=paid))
    visit = reference("Encounter", row.visit_id)
    more.append(extension(names.ENCOUNTER, valueReference=visit))
    if row.quote_ends_at is not None and row.state == "quoted":
        more.append(extension(names.QUOTE_ENDS_AT, valueInstant=instant(row.quote_ends_at)))
    return more


def _hospital(merchant_id: str) -> Tree:
    return reference("Organization", code_id(HOSPITAL, merchant_id))
