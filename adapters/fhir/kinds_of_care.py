"""Visits, bills, settlements and payments: what is served of them."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import false

from adapters.fhir import names, statuses
from adapters.fhir.billing import charge_item_of, claim_response_of, invoice_of, payment_of
from adapters.fhir.care import coverage_of, encounter_of
from adapters.fhir.ids import ByName, ByNumber, ByUUID
from adapters.fhir.kind import Kind, hospital_of, patients_of, status_of
from adapters.fhir.parameters import Condition, Date, Reference, Status, Token, told_as
from scenes.hospital import listings as of


def _encounter_is(code: str) -> Condition:
    """Rows of visits that stand so; the same as ``care.encounter_status``."""
    closed_at, begun = of.VISITS.column("closed_at"), of.VISITS.column("registration_state")
    known: Condition = begun.in_(statuses.states_of(statuses.ENCOUNTER, code))
    if code == statuses.ENCOUNTER_OPEN:
        known = known | begun.is_(None)
    stands = closed_at.is_(None) & known
    return stands | closed_at.is_not(None) if code == statuses.ENCOUNTER_CLOSED else stands


def _money_is(position: int) -> "Callable[[str], Condition]":
    """Payments and returns whose status or outcome is told as a code."""
    kind, state = of.MONEY.column("kind"), of.MONEY.column("state")

    def condition(code: str) -> Condition:
        payments, returns = (
            [one for one, told in table.items() if told[position] == code]
            for table in (statuses.PAYMENT, statuses.RETURN)
        )
        return ((kind == "payment") & state.in_(payments)) | (
            (kind == "return") & state.in_(returns)
        )

    return condition


def _settlement_is(code: str) -> Condition:
    """Settlements that stand, or that were taken back."""
    cancelled_at = of.SETTLEMENTS.column("cancelled_at")
    match code:
        case "active":
            return cancelled_at.is_(None)
        case "cancelled":
            return cancelled_at.is_not(None)
        case _:
            return false()


ENCOUNTERS: Final = Kind(
    name="Encounter",
    words="Visits",
    listing=of.VISITS,
    identity=ByUUID(of.VISITS.column("visit_id")),
    resource=encounter_of,
    own=(
        Token(
            name="identifier",
            words="The hospital's number of the visit",
            columns={names.VISIT_NO: of.VISITS.column("visit_no")},
        ),
        Date(
            name="date",
            words="From its begin to its end",
            starts_at=of.VISITS.column("recorded_at"),
            ends_at=of.VISITS.column("closed_at"),
        ),
        Status(
            name="status",
            words="Where it stands",
            system="http://hl7.org/fhir/encounter-status",
            codes=statuses.VALUE_SETS["encounter-status"],
            condition=_encounter_is,
        ),
        Status(
            name="class",
            words="Outpatient (AMB) or inpatient (IMP)",
            system=names.ACT_CODE,
            codes=frozenset(statuses.ENCOUNTER_CLASS.values()),
            condition=told_as(of.VISITS.column("kind"), statuses.ENCOUNTER_CLASS),
        ),
        *patients_of(of.VISITS, "patient", "subject"),
        Reference(
            name="appointment",
            words="The registration it began with",
            targets={"Appointment": ByUUID(of.VISITS.column("registration_id"))},
        ),
        Reference(
            name="service-provider",
            words="The hospital",
            targets={"Organization": hospital_of(of.VISITS)},
        ),
    ),
)
CHARGE_ITEMS: Final = Kind(
    name="ChargeItem",
    words="Lines of bills",
    listing=of.ITEMS,
    identity=ByNumber(of.ITEMS.column("bill_id"), of.ITEMS.column("line_no")),
    resource=charge_item_of,
    own=(
        Reference(
            name="context",
            words="The visit",
            targets={"Encounter": ByUUID(of.ITEMS.column("visit_id"))},
        ),
        *patients_of(of.ITEMS, "patient", "subject"),
        Token(
            name="code",
            words="The item's code in the insurer's catalogue",
            columns={names.ITEM: of.ITEMS.column("item_code")},
        ),
        Date(
            name="entered-date",
            words="When it was billed",
            starts_at=of.ITEMS.column("recorded_at"),
        ),
    ),
)
INVOICES: Final = Kind(
    name="Invoice",
    words="Bills",
    listing=of.BILLS,
    identity=ByUUID(of.BILLS.column("bill_id")),
    resource=invoice_of,
    own=(
        Token(
            name="identifier",
            words="The hospital's number of the bill",
            columns={names.BILL_NO: of.BILLS.column("out_bill_no")},
        ),
        Date(name="date", words="When it was made", starts_at=of.BILLS.column("recorded_at")),
        status_of(of.BILLS, "invoice-status", statuses.INVOICE),
        *patients_of(of.BILLS, "patient", "subject"),
        Reference(
            name="issuer",
            words="The hospital",
            targets={"Organization": hospital_of(of.BILLS)},
        ),
        Reference(
            name="encounter",
            words="The visit",
            targets={"Encounter": ByUUID(of.BILLS.column("visit_id"))},
            ours=True,
        ),
    ),
)
COVERAGES: Final = Kind(
    name="Coverage",
    words="Who insures a visit",
    listing=of.INSURED_VISITS,
    identity=ByUUID(of.INSURED_VISITS.column("visit_id")),
    resource=coverage_of,
    own=(
        *patients_of(of.INSURED_VISITS, "patient", "beneficiary"),
        Token(
            name="type",
            words="The kind of insurance (insutype)",
            columns={names.INSUTYPE: of.INSURED_VISITS.column("insutype")},
        ),
    ),
)
CLAIM_RESPONSES: Final = Kind(
    name="ClaimResponse",
    words="Settlements the insurer told of",
    listing=of.SETTLEMENTS,
    identity=ByName(of.SETTLEMENTS.column("payment_id"), of.SETTLEMENTS.column("setl_id")),
    resource=claim_response_of,
    changed=True,
    own=(
        Token(
            name="identifier",
            words="The insurer's number of the settlement (setl_id)",
            columns={names.SETL_ID: of.SETTLEMENTS.column("setl_id")},
        ),
        Date(
            name="created", words="When it was told", starts_at=of.SETTLEMENTS.column("settled_at")
        ),
        *patients_of(of.SETTLEMENTS, "patient"),
        Status(
            name="status",
            words="Standing (active) or taken back (cancelled)",
            system="http://hl7.org/fhir/fm-status",
            codes=statuses.VALUE_SETS["fm-status"],
            condition=_settlement_is,
        ),
        Reference(
            name="payment",
            words="The payment it is of",
            targets={"PaymentReconciliation": ByUUID(of.SETTLEMENTS.column("payment_id"))},
            ours=True,
        ),
    ),
)
PAYMENTS: Final = Kind(
    name="PaymentReconciliation",
    words="Payments over invoices, and what was given back of them, below zero",
    listing=of.MONEY,
    identity=ByUUID(of.MONEY.column("money_id")),
    resource=payment_of,
    changed=True,
    own=(
        Token(
            name="identifier",
            words="The hospital's number of a return",
            columns={names.RETURN_NO: of.MONEY.column("number")},
        ),
        Date(name="created", words="When it began", starts_at=of.MONEY.column("recorded_at")),
        Status(
            name="status",
            words="A quote (draft), under way or done (active), come to nothing (cancelled)",
            system="http://hl7.org/fhir/fm-status",
            codes=statuses.VALUE_SETS["fm-status"],
            condition=_money_is(0),
        ),
        Status(
            name="outcome",
            words="Under way (queued), done (complete), people decide (partial), nothing (error)",
            system="http://hl7.org/fhir/remittance-outcome",
            codes=statuses.VALUE_SETS["remittance-outcome"],
            condition=_money_is(1),
        ),
        Reference(
            name="requestor",
            words="The hospital",
            targets={"Organization": hospital_of(of.MONEY)},
        ),
        Reference(
            name="encounter",
            words="The visit",
            targets={"Encounter": ByUUID(of.MONEY.column("visit_id"))},
            ours=True,
        ),
        Reference(
            name="payment",
            words="A payment, with what was given back of it",
            targets={"PaymentReconciliation": ByUUID(of.MONEY.column("payment_id"))},
            ours=True,
        ),
    ),
)
