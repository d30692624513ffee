"""The simulated insurer as a process of its own: HTTP before its books in a file.

Killed at any instant it has settled what it has settled; started again it knows.
"""

import asyncio
import socket
from pathlib import Path

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.partners.insurance_fund import InsuranceFund
from adapters.partners.insurance_gateway import PATH, SimulatedGateway
from scenes.hospital.gateway import GatewaySilentError, InsuranceGateway
from scenes.hospital.messages import Envelope


def make_app(gateway: InsuranceGateway) -> Starlette:
    """The HTTP face of a simulated insurer: one POST a message."""

    async def message(request: Request) -> Response:
        try:
            envelope = Envelope.model_validate_json(await request.body())
        except ValidationError:
            return Response(status_code=400)
        if envelope.infno.value != request.path_params["infno"]:
            return Response(status_code=400)
        try:
            reply = await gateway.send(envelope)
        except GatewaySilentError:
            # Silence takes its callers' whole patience; an error says as little, and sooner.
            return Response(status_code=504)
        return Response(reply.model_dump_json(), media_type="application/json")

    return Starlette(routes=[Route(f"{PATH}/{{infno}}", message, methods=["POST"])])


def serve_insurer(home: Path, listener: socket.socket) -> None:
    """Serve until told to stop (SIGINT, SIGTERM); the books lie in ``home``."""
    home.mkdir(parents=True, exist_ok=True)
    books = InsuranceFund(home / "insurance.sqlite3")
    try:
        asyncio.run(_serve(SimulatedGateway(books, by_amount=True), listener))
    finally:
        books.close()


async def _serve(gateway: InsuranceGateway, listener: socket.socket) -> None:
    config = uvicorn.Config(make_app(gateway), log_level="warning", lifespan="off")
    await uvicorn.Server(config).serve([listener])
