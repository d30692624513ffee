"""Is it alive, is it ready, how does it do: for load balancers and monitoring."""

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.http.load import Load
from adapters.http.metrics import CONTENT_TYPE, HTTPMetrics
from adapters.http.routes import TemplateRoute

if TYPE_CHECKING:
    from cardcore.service import CardCore


def health_routes(core: "CardCore", metrics: HTTPMetrics, load: Load) -> list[TemplateRoute]:
    """``/healthz``, ``/readyz`` and ``/metrics``. None asks for a token; none tells of people."""

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        parts = await core.ready()
        # Books that do not agree are for people to look at; citizens may go on paying.
        is_ready = all(state == "ok" or state.startswith("alarm") for state in parts.values())
        if load.leaving:
            # Said while requests are still served, so that a balancer sends no more of them.
            parts["worker"] = "leaving"
            is_ready = False
        return JSONResponse(
            {"status": "ready" if is_ready else "not_ready", "parts": parts},
            status_code=200 if is_ready else 503,
        )

    async def measured(_: Request) -> Response:
        metrics.tell_parts(await core.ready())
        return Response(metrics.page(), headers={"Content-Type": CONTENT_TYPE})

    return [
        TemplateRoute("/healthz", alive, name="healthz"),
        TemplateRoute("/readyz", ready, name="readyz"),
        TemplateRoute("/metrics", measured, name="metrics"),
    ]
