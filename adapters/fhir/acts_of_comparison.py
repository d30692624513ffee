"""Operations of comparing the books: what the hospital has collected, and the three of a day."""

from typing import Final

from adapters.fhir.act import Act, Doing, Done, Taken
from adapters.fhir.comparison import comparison_of
from adapters.fhir.desk import Desk, request_of
from adapters.fhir.kinds_of_people import ORGANIZATIONS
from cardcore.caller import Scope
from cardcore.field_faults import FieldFault, FieldsInvalidError
from scenes.hospital.request import HISItemsRequest, ReconciliationRequest

_DATE: Final = Taken(name="date", words="The business date", type="date", min=1)
_HOSPITAL: Final = Taken(
    name="hospital",
    words="Whose; left out: the caller's",
    type="Reference",
    target="Organization",
)
_ITEM: Final = (
    Taken(name="payment", words="Which", type="Reference", min=1, target="PaymentReconciliation"),
    Taken(name="total", words="The whole", type="Money", min=1),
    Taken(name="insurer", words="Of fund and account", type="Money", min=1),
    Taken(name="cash", words="Of the citizen", type="Money", min=1),
)


def comparison_acts(desk: Desk) -> tuple[Act, ...]:
    """The operations on the books of a day."""

    async def collected(doing: Doing) -> Done:
        merchant_id = await _merchant_of(desk, doing)
        items = [
            {
                "payment_id": item["payment"],
                "total_fen": item["total"],
                "insurer_fen": item["insurer"],
                "cash_fen": item["cash"],
            }
            for item in doing.values.get("item", ())
        ]
        request = request_of(
            HISItemsRequest,
            business_on=doing.values["date"],
            items=items,
            complete=doing.values.get("complete", False),
        )
        taken = await desk.hospital.take_his_items(doing.caller, merchant_id, request)
        said = [
            {"name": "date", "valueDate": taken.business_on.isoformat()},
            {"name": "taken", "valueInteger": taken.taken},
        ]
        return Done(resource={"resourceType": "Parameters", "parameter": said})

    async def reconcile(doing: Doing) -> Done:
        caller, merchant_id = doing.caller, await _merchant_of(desk, doing)
        on = doing.values["date"]
        request = ReconciliationRequest(business_on=on)
        compared = await desk.hospital.reconcile(caller, merchant_id, request)
        found = await desk.hospital.list_differences(caller, merchant_id)
        standing = [one for one in found.differences if one.business_on == on]
        return Done(resource=comparison_of(compared, standing))

    return (
        Act(
            kind="PaymentReconciliation",
            name="collected",
            words="Tell what the hospital's system has collected on a day, or a part of it.",
            native="POST /v1/hospitals/{merchant_id}/collected-items",
            scope=Scope.HOSPITAL_WRITE,
            on_one=False,
            keyed=False,
            run=collected,
            gives="Parameters",
            takes=(
                _DATE,
                Taken(name="item", words="One payment", max="*", parts=_ITEM),
                Taken(
                    name="complete",
                    words="All of the day is told: what was paid and is missing goes back",
                    type="boolean",
                ),
                _HOSPITAL,
            ),
        ),
        Act(
            kind="PaymentReconciliation",
            name="reconcile",
            words="Compare the three books of a day: hospital, insurer, city.",
            native="POST /v1/hospitals/{merchant_id}/reconciliations",
            scope=Scope.HOSPITAL_REVIEW,
            on_one=False,
            keyed=False,
            run=reconcile,
            gives="Parameters",
            takes=(_DATE, _HOSPITAL),
        ),
    )


async def _merchant_of(desk: Desk, doing: Doing) -> str:
    """Whose books they are. Raises ``FieldsInvalidError``: the centre has named no hospital."""
    place = doing.values.get("hospital")
    if place is not None:
        merchant_id: str = (await desk.named(doing.caller, ORGANIZATIONS, place)).merchant_id
        return merchant_id
    if doing.caller.merchant_id is None:
        fault = FieldFault(field="hospital", code="missing", reason="the centre names one")
        raise FieldsInvalidError([fault])
    return doing.caller.merchant_id
