"""What an operation of the API is: one declaration from which the route and its documentation come.

An operation is declared once, with its body, reply, status and refusals; the same declaration
checks the request and fills the OpenAPI document, so the two cannot drift apart. The check runs in
this order: token (401), type and size of the body (415, 413), idempotency key (400), JSON (400),
model (422); then the core is asked, which checks the scope (403). FastAPI's own parameter
resolution costs more than an order's whole HTTP budget (ADR 0050), hence a plain endpoint.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    Literal,
    Protocol,
    Required,
    TypedDict,
    TypeVar,
    Unpack,
)
from uuid import UUID

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

from adapters.http import headers as header
from adapters.http.body import read_body, read_pairs
from adapters.http.load import Load
from adapters.http.record import AnswerWhole, record_of
from adapters.http.routes import TemplateRoute
from adapters.http.settings import HTTPSettings
from adapters.http.strict_json import read_model
from cardcore.caller import Caller
from cardcore.caller import Scope as AccessScope
from cardcore.errors import CardcoreError, NotFoundError
from cardcore.field_faults import FieldFault, FieldsInvalidError, field_faults
from cardcore.known import Known
from cardcore.values import value

if TYPE_CHECKING:
    from cardcore.service import CardCore

BodyT = TypeVar("BodyT")
# Whose function it is: a client's (system or terminal, by token), an operator's or a citizen's
# (each by session); an office's is a client's or an operator's, whoever proves itself.
Access = Literal["client", "operator", "citizen", "office"]

_UUID_SIZE: Final = 36


@value
class Call(Generic[BodyT]):
    """One request, checked: what an operation's function gets.

    ``caller`` is the proven client (of a public operation: nobody), ``body`` the model the
    operation declared, ``key`` its idempotency key where it is keyed, ``headers`` the head as it
    came, ``settings`` those of the face.
    """

    core: "CardCore"
    caller: Caller
    body: BodyT
    key: str
    path: Mapping[str, str]
    headers: header.RawHeaders
    settings: HTTPSettings

    def id(self, name: str) -> UUID:
        """The UUID in the path.

        Raises:
            NotFoundError: not a UUID in canonical form, so nothing is named by it.
        """
        text = self.path[name]
        try:
            identifier = UUID(text)
        except ValueError:
            identifier = None
        if identifier is None or len(text) != _UUID_SIZE:
            raise NotFoundError
        return identifier


@value
class Answer:
    """What an operation answers, as a view or, in the declared media type, as ``content``.

    ``status`` is set where it is not the declared one; ``headers`` are added to the declared.
    """

    view: BaseModel | Mapping[str, object] = field(default_factory=dict)
    replayed: bool = False
    content: bytes | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_numbered(cls, view: BaseModel, known: Known) -> "Answer":
        """What was made now, or is answered again, or is there: 200 where its number named it."""
        status = HTTPStatus.OK if Known.BY_NUMBER in known else None
        return cls(view=view, replayed=Known.BY_KEY in known, status=status)


Run = Callable[[Call[Any]], Awaitable[Answer]]
RunT = TypeVar("RunT", bound=Run)


class Declared(TypedDict, total=False):
    """What may be said of an operation; see ``Operation``."""

    summary: Required[str]
    reply: Required[type[BaseModel] | None]
    status: int
    body: type[BaseModel]
    keyed: bool
    numbered: bool
    public: bool
    access: Access
    media_type: str
    not_modified: bool
    vital: bool
    body_bytes_max: int
    scope: AccessScope
    refusals: tuple[type[CardcoreError], ...]
    examples: Mapping[str, Mapping[str, object]]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path; see the module's docstring.

    ``body`` is read from JSON, or from the query where the method is GET. ``keyed`` operations
    demand an Idempotency-Key; ``numbered`` ones make what the merchant's own number names, and
    answer 200 where it names it already (``Answer.of_numbered``). ``access`` says whose it is,
    unless it is ``public``. ``scope`` is documented here and required by the core. ``media_type``
    is that of the answer; with ``not_modified`` it may be 304 without content instead.
    ``vital`` operations are served under overload too: somebody stands there and waits.
    ``body_bytes_max`` stands where the face's usual bound does not do. ``refusals`` are those of
    its own: what every operation of its form may answer is added to the document.
    """

    noun: str
    method: str
    path: str
    run: Run
    summary: str
    reply: type[BaseModel] | None
    status: int = 200
    body: type[BaseModel] | None = None
    keyed: bool = False
    numbered: bool = False
    public: bool = False
    access: Access = "client"
    media_type: str = "application/json"
    not_modified: bool = False
    vital: bool = False
    body_bytes_max: int | None = None
    scope: AccessScope | None = None
    refusals: tuple[type[CardcoreError], ...] = ()
    examples: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Noun:
    """The operations of one noun of the API, in the order they are declared."""

    name: str
    description: str
    operations: list[Operation] = field(default_factory=list)

    def operation(
        self, method: str, path: str, **declared: Unpack[Declared]
    ) -> Callable[[RunT], RunT]:
        """Declare the decorated function as an operation."""

        def declare(run: RunT) -> RunT:
            self.operations.append(
                Operation(noun=self.name, method=method, path=path, run=run, **declared)
            )
            return run

        return declare


_REPLAYED: Final = (b"idempotent-replayed", b"true")
_WITHOUT_CONTENT: Final = frozenset({204, 304})
_NOBODY: Final = Caller(client_id="", merchant_id=None, scopes=frozenset())


class CallerGate(Protocol):
    """Turns the head of a request into its caller, or refuses."""

    async def caller(self, headers: header.RawHeaders) -> Caller:
        """The proven caller."""
        ...


class OperationEndpoint:
    """The ASGI application behind one operation's route."""

    def __init__(
        self,
        operation: Operation,
        core: "CardCore",
        gate: CallerGate,
        settings: HTTPSettings,
        load: Load,
    ) -> None:
        self._operation = operation
        self._load = load
        self._core = core
        self._gate = gate
        if operation.body_bytes_max is not None:
            settings = replace(settings, body_bytes_max=operation.body_bytes_max)
        self._settings = settings
        declared = {"Content-Type": operation.media_type, **operation.headers}
        self._headers = tuple(_raw_headers(declared))
        self._headers_replayed = (*self._headers, _REPLAYED)

    def route(self) -> TemplateRoute:
        """The route that leads here."""
        operation = self._operation
        return TemplateRoute(
            operation.path, self, methods=[operation.method], name=operation.run.__name__
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request, ask the core, answer."""
        operation = self._operation
        if not operation.vital:
            self._load.require_room()
        headers: header.RawHeaders = scope["headers"]
        caller = _NOBODY
        if not operation.public:
            caller = await self._gate.caller(headers)
            record_of(scope).client_id = caller.client_id
        body: BaseModel | None = None
        key = ""
        if operation.method == "POST":
            raw = await self._json(headers, receive)
            if operation.keyed:
                key = header.idempotency_key(headers)
            body = self._model(raw)
        elif operation.body is not None:
            body = read_query(scope["query_string"], operation.body)
        if scope["query_string"] and (operation.method == "POST" or operation.body is None):
            read_query(scope["query_string"], Nothing)
        answer = await operation.run(
            Call(
                core=self._core,
                caller=caller,
                body=body,
                key=key,
                path=scope["path_params"],
                headers=headers,
                settings=self._settings,
            )
        )
        await self._send(answer, record_of(scope).answer, send)

    async def _json(self, headers: header.RawHeaders, receive: Receive) -> bytes:
        if self._operation.body is None:
            # A void has nothing to say; an empty object says nothing too.
            raw = await read_body(headers, receive, self._settings)
            if raw:
                header.require_json(headers)
            return raw
        header.require_json(headers)
        return await read_body(headers, receive, self._settings)

    def _model(self, raw: bytes) -> BaseModel | None:
        depth_max = self._settings.json_depth_max
        if self._operation.body is not None:
            return read_model(raw, self._operation.body, depth_max=depth_max)
        if raw:
            read_model(raw, Nothing, depth_max=depth_max)
        return None

    async def _send(self, answer: Answer, answer_whole: AnswerWhole | None, send: Send) -> None:
        content = to_json(answer.view) if answer.content is None else answer.content
        status = answer.status or self._operation.status
        declared = self._headers_replayed if answer.replayed else self._headers
        has_content = status not in _WITHOUT_CONTENT
        if answer_whole is not None and has_content and not answer.headers:
            await answer_whole(status, declared, content)
            return
        headers = [*declared, *_raw_headers(answer.headers)]
        if has_content:
            headers.append((b"content-length", b"%d" % len(content)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def _raw_headers(headers: Mapping[str, str]) -> header.RawHeaders:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


class Nothing(BaseModel, extra="forbid"):
    """The body, or the query, of an operation that has none: no field at all."""


def read_query(query: bytes, model: type[BaseModel]) -> BaseModel:
    """The query string as ``model``; every parameter at most once.

    Raises:
        FieldsInvalidError: malformed, unknown, repeated or missing parameters.
    """
    try:
        fields = read_pairs(query)
    except ValueError as error:
        fault = FieldFault(field="", code="wrong_format", reason=str(error))
        raise FieldsInvalidError([fault]) from None
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise FieldsInvalidError(field_faults(error)) from None
