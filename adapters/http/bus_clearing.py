"""``/v1/bus/clearing``: ticket statistics as JSON, as files, and as a page with charts."""

from typing import Final

from adapters.http.bus_charts import clearing_page
from adapters.http.operation import Answer, Call, Noun
from adapters.http.pages import PAGE_POLICY, write_page
from cardcore.caller import Scope
from cardcore.errors import MerchantUnknownError, OrderConflictError
from scenes.bus.clearing_files import ClearingView, view_of
from scenes.bus.clearing_models import (
    ClearingQuery,
    ClearingRulesRequest,
    TakenCounts,
    VehicleCounts,
)
from scenes.bus.clearing_service import ClearingService

SUMMARY: Final = "Ticket statistics and clearing of bus rides."
MEDIA: Final = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
COUNTS: Final = {"counts": [{"vehicle": "V0001", "business_on": "2026-06-01", "taps": 1204}]}
RULES: Final = {
    "version": "2026-1",
    "split": "pro_rata",
    "rates": [
        {
            "merchant_id": "shanting-bus",
            "tiers": [
                {"from_fen": 0, "per_million": 6000},
                {"from_fen": 10_000_000, "per_million": 3000},
            ],
            "min_fen": 100,
            "max_fen": 5_000_000,
        }
    ],
}


def clearing_noun(clearing: ClearingService) -> Noun:
    """The operations of clearing, served by this service."""
    noun = Noun("bus-clearing", SUMMARY)

    @noun.operation(
        "GET",
        "/v1/bus/clearing",
        summary="Ticket statistics of business dates",
        body=ClearingQuery,
        reply=ClearingView,
        access="office",
        scope=Scope.REPORTS_READ,
        refusals=(MerchantUnknownError,),
    )
    async def read_clearing(call: Call[ClearingQuery]) -> Answer:
        """By operator, line, vehicle, trip, driver, hour, class, medium and pair of stops."""
        return Answer(view=view_of(await clearing.report(call.caller, call.body)))

    @noun.operation(
        "GET",
        "/v1/bus/clearing.html",
        summary="Ticket statistics as a page with charts",
        body=ClearingQuery,
        reply=None,
        media_type="text/html",
        access="office",
        scope=Scope.REPORTS_READ,
        refusals=(MerchantUnknownError,),
    )
    async def show_clearing(call: Call[ClearingQuery]) -> Answer:
        """Passengers by hour, stop to stop, lines, loads and alarms; no script."""
        report = await clearing.report(call.caller, call.body)
        language = call.body.language
        page = write_page(f"{report.from_on}", clearing_page(report, language), language)
        return Answer(content=page.encode(), headers=PAGE_POLICY)

    for form, media_type in MEDIA.items():
        _declare_file(noun, clearing, form, media_type)

    @noun.operation(
        "POST",
        "/v1/bus/vehicle-counts",
        summary="Tell what vehicles counted",
        body=VehicleCounts,
        reply=TakenCounts,
        status=201,
        scope=Scope.RECORDS_WRITE,
        examples={"one": COUNTS},
    )
    async def tell_counts(call: Call[VehicleCounts]) -> Answer:
        """Reports name the vehicles whose taps do not match."""
        return Answer(view=await clearing.take_counts(call.caller, call.body))

    @noun.operation(
        "POST",
        "/v1/bus/clearing-rules",
        summary="Set how revenue is shared and what clearing costs",
        body=ClearingRulesRequest,
        reply=ClearingRulesRequest,
        status=201,
        scope=Scope.FUNDS_ADMIN,
        refusals=(OrderConflictError,),
        examples={"tiers": RULES},
    )
    async def set_rules(call: Call[ClearingRulesRequest]) -> Answer:
        """As a whole, by version; reports made from now on use them."""
        return Answer(view=await clearing.set_rules(call.caller, call.body))

    return noun


def _declare_file(noun: Noun, clearing: ClearingService, form: str, media_type: str) -> None:
    @noun.operation(
        "GET",
        f"/v1/bus/clearing.{form}",
        summary=f"Ticket statistics as {form.upper()}",
        body=ClearingQuery,
        reply=None,
        media_type=media_type,
        access="office",
        scope=Scope.REPORTS_READ,
        refusals=(MerchantUnknownError,),
    )
    async def clearing_file(call: Call[ClearingQuery]) -> Answer:
        """For spreadsheets, in Chinese or English."""
        content = await clearing.report_file(call.caller, call.body, form)
        name = f'attachment; filename="bus-clearing-{call.body.from_on}.{form}"'
        return Answer(content=content, headers={"Content-Disposition": name})

    clearing_file.__name__ += f"_{form}"
