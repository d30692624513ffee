"""The app factory: everything of the HTTP face, put together around one core."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Lifespan

from adapters.http.access import AccessTokens, Gate
from adapters.http.authorisations import AUTHORISATIONS
from adapters.http.books import BOOKS
from adapters.http.codes import CODES
from adapters.http.door import Door
from adapters.http.health import health_routes
from adapters.http.logs import Log
from adapters.http.metrics import HTTPMetrics
from adapters.http.openapi import Document, openapi_document
from adapters.http.operation import Noun, OperationEndpoint
from adapters.http.orders import ORDERS
from adapters.http.pages import page_routes
from adapters.http.refusals import (
    FieldsInvalidError,
    HTTPRefusalError,
    InternalError,
    MethodNotAllowedError,
    RouteUnknownError,
)
from adapters.http.refuser import Refuser
from adapters.http.settings import HTTPSettings
from adapters.http.strict_json import fault_of
from adapters.http.terminals import TERMINALS
from adapters.http.tokens import TokenEndpoint
from adapters.http.used_assertions import UsedAssertions
from adapters.http.users import USERS
from cardcore.errors import CardcoreError
from cardcore.ports import Clock

if TYPE_CHECKING:
    from cardcore.service import CardCore

NOUNS: Final[tuple[Noun, ...]] = (ORDERS, USERS, CODES, AUTHORISATIONS, TERMINALS, BOOKS)


class CardcoreAPI(FastAPI):
    """FastAPI with our own document: the operations know more about themselves than it could."""

    metrics: HTTPMetrics
    document: Document

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return self.document


def create_app(
    core: "CardCore",
    *,
    settings: HTTPSettings,
    access_key: Ed25519PrivateKey,
    used_assertions: UsedAssertions,
    clock: Clock,
    log: Log,
    nouns: Sequence[Noun] = (),
    lifespan: Lifespan[FastAPI] | None = None,
) -> CardcoreAPI:
    """The HTTP face of ``core``.

    Args:
        core: the service.
        settings: bounds and names.
        access_key: signs access tokens; the same in every worker.
        used_assertions: remembers client assertions; shared by all workers.
        clock: what time it is.
        log: where request lines go; see ``logs.make_log``.
        nouns: further operations, those of the scenes; their functions bring their own services.
        lifespan: opened before the first and closed after the last request.
    """
    metrics = HTTPMetrics()
    refuser = Refuser(settings)
    tokens = AccessTokens(access_key, settings, clock)
    gate = Gate(core, tokens, settings, clock)
    app = CardcoreAPI(
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
        # Our own metrics and log say what FastAPI's telemetry would; asking on every request
        # whether anybody listens to it costs a tenth of a bare endpoint.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.metrics = metrics
    app.document = openapi_document([*NOUNS, *nouns], settings)
    routes = app.router.routes
    for noun in (*NOUNS, *nouns):
        for operation in noun.operations:
            routes.append(OperationEndpoint(operation, core, gate, settings).route())
    routes.append(TokenEndpoint(core, tokens, used_assertions, settings, clock).route())
    routes.extend(health_routes(core, metrics))
    routes.extend(page_routes(app.document, refuser))
    _answer_refusals(app, refuser)
    app.add_middleware(
        Door,
        metrics=metrics,
        log=log,
        refuser=refuser,
        tls=settings.public_url.startswith("https://"),
    )
    return app


def _answer_refusals(app: FastAPI, refuser: Refuser) -> None:
    """Give refusals, and the framework's own errors, the form of a problem."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, CardcoreError)
        return refuser.answer(error, request.scope)

    async def fields_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        faults = [fault_of(fault) for fault in error.errors()]
        return refuser.answer(FieldsInvalidError(faults), request.scope)

    async def framework_refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return refuser.answer(_refusal_of(error, request, app.router.routes), request.scope)

    handlers: list[tuple[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]] = [
        (CardcoreError, refused),
        (RequestValidationError, fields_invalid),
        (HTTPException, framework_refused),
    ]
    for kind, handler in handlers:
        app.add_exception_handler(kind, handler)


def _refusal_of(
    error: HTTPException, request: Request, routes: list[BaseRoute]
) -> HTTPRefusalError:
    match error.status_code:
        case 404:
            return RouteUnknownError()
        case 405:
            allowed = ", ".join(sorted(_methods_here(request, routes)))
            return MethodNotAllowedError(headers=[("Allow", allowed)])
        case _:
            return InternalError()


def _methods_here(request: Request, routes: list[BaseRoute]) -> set[str]:
    """Every method of this path: several operations may share it."""
    methods: set[str] = set()
    for route in routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return methods
