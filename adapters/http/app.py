"""The app factory: everything of the HTTP face, put together around one core."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Scope
from typing_extensions import override

from adapters.http.access import AccessTokens, Gate
from adapters.http.access_keys import AccessKeys
from adapters.http.arrears import ARREARS
from adapters.http.authorisations import AUTHORISATIONS
from adapters.http.bills import BILLS
from adapters.http.books import BOOKS
from adapters.http.cards import CARDS
from adapters.http.channels import CHANNELS
from adapters.http.citizen_acts import MY_ACTS
from adapters.http.citizen_views import MINE
from adapters.http.citizens import CITIZENS
from adapters.http.clients import CLIENTS
from adapters.http.codes import CODES
from adapters.http.custody import CUSTODY
from adapters.http.disputes import DISPUTES
from adapters.http.door import Door
from adapters.http.door_limits import DoorLimits
from adapters.http.family import FAMILY
from adapters.http.foreign import FOREIGN
from adapters.http.funds import FUNDS
from adapters.http.health import health_routes
from adapters.http.lifecycle import LIFECYCLE
from adapters.http.limits import LIMITS
from adapters.http.load import Load
from adapters.http.logs import Log
from adapters.http.merchants import MERCHANTS
from adapters.http.metrics import HTTPMetrics
from adapters.http.openapi import openapi_document
from adapters.http.openapi_schemas import Document
from adapters.http.operation import CallerGate, Noun, Operation, OperationEndpoint
from adapters.http.operators import OPERATORS
from adapters.http.orders import ORDERS
from adapters.http.pages import page_routes
from adapters.http.privacy import PRIVACY
from adapters.http.proposals import PROPOSALS
from adapters.http.rate_limits import LimitedGate, RateLimits
from adapters.http.record_gaps import RECORD_GAPS
from adapters.http.records import RECORDS
from adapters.http.refusals import HTTPRefusalError, MethodNotAllowedError, RouteUnknownError
from adapters.http.refuser import Refuser
from adapters.http.reviews import REVIEWS
from adapters.http.rights import RIGHTS
from adapters.http.routes import Shortcuts, TemplateRoute
from adapters.http.scenes import SCENES
from adapters.http.sessions import OfficeGate, SessionGate
from adapters.http.settings import HTTPSettings
from adapters.http.settlement import SETTLEMENT
from adapters.http.settlement_differences import DIFFERENCES
from adapters.http.settlement_files import SETTLEMENT_FILES
from adapters.http.statements import STATEMENTS
from adapters.http.terminals import TERMINALS
from adapters.http.tokens import PATH as TOKEN_PATH
from adapters.http.tokens import TokenEndpoint
from adapters.http.used_assertions import UsedAssertions
from adapters.http.users import USERS
from adapters.http.webhooks import WEBHOOKS
from cardcore.errors import CardcoreError, ServiceUnavailableError
from cardcore.field_faults import FieldsInvalidError, fault_of
from cardcore.ports import Clock

if TYPE_CHECKING:
    from cardcore.service import CardCore

PLATFORM_NOUNS: Final[tuple[Noun, ...]] = (
    OPERATORS,
    PROPOSALS,
    REVIEWS,
    RECORD_GAPS,
    CLIENTS,
    MERCHANTS,
    CITIZENS,
    MINE,
    MY_ACTS,
    FAMILY,
    WEBHOOKS,
    BILLS,
    SETTLEMENT,
    SETTLEMENT_FILES,
    DIFFERENCES,
    DISPUTES,
    SCENES,
    LIMITS,
    FUNDS,
    ARREARS,
    STATEMENTS,
    CUSTODY,
    CHANNELS,
    FOREIGN,
)
NOUNS: Final[tuple[Noun, ...]] = (
    ORDERS,
    USERS,
    LIFECYCLE,
    RIGHTS,
    PRIVACY,
    CARDS,
    CODES,
    AUTHORISATIONS,
    TERMINALS,
    RECORDS,
    BOOKS,
)


class CardcoreAPI(FastAPI):
    """FastAPI with our own document, and with one layer around its routes instead of six.

    ``operations`` are all it serves that was declared, in the order of the document. ``gate`` lets
    clients in and ``refuser`` answers the refused, for routes that are put beside the operations.
    ``away`` is what is raised where a part the core stands on is away and nobody on the way up has
    said so: 503, and the same request later, as for every other outage.
    """

    away: tuple[type[Exception], ...] = ()

    operations: tuple[Operation, ...]
    metrics: HTTPMetrics
    load: Load
    document: Document
    gate: CallerGate
    refuser: Refuser
    door: Callable[[ASGIApp], Door]

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return self.document

    def refusal_of(self, error: Exception, scope: Scope) -> CardcoreError | None:
        """A refusal, an outage, or one of the framework's own errors as a refusal."""
        if isinstance(error, CardcoreError):
            return error
        if isinstance(error, self.away):
            return ServiceUnavailableError()
        if isinstance(error, RequestValidationError):  # of a native route
            return FieldsInvalidError([fault_of(fault) for fault in error.errors()])
        if isinstance(error, HTTPException):
            return _refusal_of_status(error.status_code, scope)
        return None

    @override
    def build_middleware_stack(self) -> ASGIApp:
        """What a request goes through: the door, then the routes.

        The framework's layers answer errors, count bytes and close files of its own kind of
        endpoint; ours has none of those, and the door answers errors. They cost a sixth of an
        order's processor time (ADR 0050). Native routes, where somebody adds some, get the one
        layer they cannot do without.
        """
        if all(type(route) in {Route, TemplateRoute} for route in self.router.routes):
            return self.door(Shortcuts(self.router.routes, self.router))
        return self.door(AsyncExitStackMiddleware(self.router))


def create_app(
    core: "CardCore",
    *,
    settings: HTTPSettings,
    access_keys: AccessKeys,
    used_assertions: UsedAssertions,
    clock: Clock,
    log: Log,
    nouns: Sequence[Noun] = (),
    limits: RateLimits | None = None,
    doors: DoorLimits | None = None,
) -> CardcoreAPI:
    """The HTTP face of ``core``.

    Args:
        core: the service.
        settings: bounds and names.
        access_keys: sign access tokens; the same in every worker.
        used_assertions: remembers client assertions; shared by all workers.
        clock: what time it is.
        log: where request lines go; see ``logs.Log``.
        nouns: further operations, those of the scenes; their functions bring their own services.
        limits: how often each client may ask; None: as often as it likes.
        doors: how often one source may knock where nobody is known yet; None: likewise.
    """
    metrics = HTTPMetrics()
    refuser = Refuser(settings)
    tokens = AccessTokens(access_keys, settings, clock)
    gate: CallerGate = Gate(core, tokens, settings, clock)
    if limits is not None:
        gate = LimitedGate(gate, limits)
    app = CardcoreAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
        # Our own metrics and log say what FastAPI's telemetry would; asking on every request
        # whether anybody listens to it costs a tenth of a bare endpoint.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.metrics = metrics
    app.load = Load(settings.in_flight_high, settings.retry_after_s)
    log.count_lost(metrics.log_lines_lost)
    app.gate, app.refuser = gate, refuser
    app.document = openapi_document([*NOUNS, *nouns], settings)
    app.operations = tuple(one for noun in (*NOUNS, *nouns) for one in noun.operations)
    routes = app.router.routes
    for operation in app.operations:
        own_gate = _gate_of(operation, gate, core, settings)
        route = OperationEndpoint(operation, core, own_gate, settings, app.load).route()
        routes.append(_behind_its_door(route, doors))
    asks = None if doors is None else doors.tokens
    endpoint = TokenEndpoint(core, tokens, used_assertions, settings, clock, asks)
    route = TemplateRoute(TOKEN_PATH, endpoint, methods=["POST"], name="token")
    routes.append(_behind_its_door(route, doors))
    routes.extend(health_routes(core, metrics, app.load))
    routes.extend(page_routes(app.document, refuser))
    app.door = partial(
        Door,
        metrics=metrics,
        load=app.load,
        log=log,
        refuser=refuser,
        refusal_of=app.refusal_of,
        tls=settings.public_url.startswith("https://"),
    )
    return app


def _behind_its_door(route: TemplateRoute, doors: DoorLimits | None) -> TemplateRoute:
    if doors is not None:
        route.app = doors.around(route.path, route.app)
    return route


def _gate_of(
    operation: Operation, clients: CallerGate, core: "CardCore", settings: HTTPSettings
) -> CallerGate:
    """Who may knock at an operation's door."""
    changes = operation.method != "GET"
    match operation.access:
        case "client":
            return clients
        case "office":
            operators = SessionGate(core, settings, who="operator", changes=changes)
            return OfficeGate(clients, operators, settings)
        case "operator" | "citizen" as who:
            return SessionGate(core, settings, who=who, changes=changes)


def _refusal_of_status(status: int, scope: Scope) -> HTTPRefusalError | None:
    match status:
        case 404:
            return RouteUnknownError()
        case 405:
            allowed = ", ".join(sorted(_methods_here(scope)))
            return MethodNotAllowedError(headers=[("Allow", allowed)])
        case _:
            return None


def _methods_here(scope: Scope) -> set[str]:
    """Every method of this path: several operations may share it."""
    methods: set[str] = set()
    for route in scope["router"].routes:
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return methods
