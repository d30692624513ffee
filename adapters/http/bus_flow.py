"""``/v1/bus/passenger-flow``: what kiosks at stops and the district's platform may show."""

from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from scenes.bus.flow_service import FlowQuery, FlowService, FlowView


def flow_noun(flow: FlowService) -> Noun:
    """The kiosk feed, served by this service."""
    noun = Noun("bus passenger flow", "Counts of passengers, without persons.")

    @noun.operation(
        "GET",
        "/v1/bus/passenger-flow",
        summary="Passengers by vehicle, stop and minute",
        body=FlowQuery,
        reply=FlowView,
        scope=Scope.REPORTS_READ,
    )
    async def passenger_flow(call: Call[FlowQuery]) -> Answer:
        """CloudEvents of the trips that taps have touched since. Ask again with `next_since`.

        A minute that changes is told again, with the higher `sequence`.
        """
        return Answer(view=await flow.passenger_flow(call.caller, call.body))

    return noun
