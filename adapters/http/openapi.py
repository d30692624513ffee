"""The OpenAPI 3.1 document, made from the operations' own declarations.

Every status an operation can answer with is there, with the codes that come under it. Source:
OpenAPI Specification 3.1.
"""

from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Final

from adapters.http.door_limits import DOORS
from adapters.http.headers import IDEMPOTENCY_KEY_PATTERN
from adapters.http.openapi_schemas import Document, Schemas, schemas_of, whole
from adapters.http.operation import Noun, Operation
from adapters.http.problems import PROBLEM_TYPE, CatalogueEntry, Problem, entries_of
from adapters.http.refusals import (
    BodyTimeoutError,
    BodyTooLargeError,
    ContentTypeError,
    HeaderInvalidError,
    IdempotencyKeyInvalidError,
    IdempotencyKeyMissingError,
    InternalError,
    JSONInvalidError,
    OAuthClientError,
    OAuthGrantTypeError,
    OAuthRequestError,
    OAuthScopeError,
    RateLimitedError,
    TokenInvalidError,
    TokenMissingError,
)
from adapters.http.scopes import SCOPE_WORDS
from adapters.http.session_cookies import CITIZEN_COOKIE, OPERATOR_COOKIE, cookie_name
from adapters.http.settings import HTTPSettings
from adapters.http.tokens import PATH as TOKEN_PATH
from adapters.http.tokens import OAuthProblem, TokenReply, TokenRequest
from cardcore.caller import Scope
from cardcore.errors import (
    CardcoreError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    NotFoundError,
    RequestInFlightError,
    RequestInvalidError,
    ServiceUnavailableError,
)

Kinds = tuple[type[CardcoreError], ...]

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"

_ALWAYS: Final[Kinds] = (ServiceUnavailableError, InternalError)
_WITH_TOKEN: Final[Kinds] = (
    TokenMissingError,
    TokenInvalidError,
    HeaderInvalidError,
    ForbiddenError,
    RateLimitedError,
)
_WITH_BODY: Final[Kinds] = (
    JSONInvalidError,
    HeaderInvalidError,
    BodyTimeoutError,
    BodyTooLargeError,
    ContentTypeError,
    RequestInvalidError,
)
_KEYED: Final[Kinds] = (
    IdempotencyKeyMissingError,
    IdempotencyKeyInvalidError,
    IdempotencyKeyReusedError,
    RequestInFlightError,
)
_REFUSALS_OF_TOKEN: Final[Kinds] = (
    OAuthRequestError,
    OAuthGrantTypeError,
    OAuthScopeError,
    OAuthClientError,
    HeaderInvalidError,
    BodyTimeoutError,
    BodyTooLargeError,
    ContentTypeError,
    RateLimitedError,
    *_ALWAYS,
)


_NOT_MODIFIED: Final[Document] = {
    "304": {
        "description": "What `If-None-Match` names is still in force.",
        "headers": {
            "Request-Id": {"description": "The id of this request.", "schema": {"type": "string"}},
            "ETag": {"description": "Its version.", "schema": {"type": "string"}},
        },
    }
}

# What is in a path is a UUID, but for these.
_PRINTED: Final[Document] = {"type": "string", "pattern": r"^[0-9A-Za-z_.:\-]{1,64}$"}
_PATH_SCHEMAS: Final[dict[str, Document]] = {
    "terminal_id": _PRINTED,
    "merchant_id": _PRINTED,
    "client_id": _PRINTED,
    "operator_id": _PRINTED,
    "business_on": {"type": "string", "format": "date"},
}


def openapi_document(nouns: Sequence[Noun], settings: HTTPSettings) -> Document:
    """The whole document; JSON-ready."""
    operations = [operation for noun in nouns for operation in noun.operations]
    schemas = schemas_of(operations)
    secure = settings.public_url.startswith("https://")
    paths: Document = {}
    for operation in operations:
        described = _operation(operation, schemas)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    paths[TOKEN_PATH] = {"post": _token_operation(schemas)}
    paths.update(_health_paths(schemas))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Citizen-card core 市民卡核心",
            "version": settings.version,
            "summary": "Who presents this, with what do they pay, for what.",
            "description": (
                "One user-account-business API for every scene of the city. Amounts are JSON "
                "integers of fen, instants RFC 3339 with an offset. Refusals are RFC 9457 "
                "problems with a stable `code`; the catalogue is at `/problems`."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": settings.public_url}],
        "tags": [
            *({"name": noun.name, "description": noun.description} for noun in nouns),
            {"name": "access", "description": "Access tokens for systems and terminals."},
            {"name": "health", "description": "For load balancers and monitoring."},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "securitySchemes": {
                "oauth2": _security_scheme(settings),
                "operator_session": _session_scheme(
                    "An operator's session", cookie_name(OPERATOR_COOKIE, secure=secure)
                ),
                "citizen_session": _session_scheme(
                    "A citizen's session", cookie_name(CITIZEN_COOKIE, secure=secure)
                ),
            },
        },
    }


def refusals_of(operation: Operation) -> Iterator[CatalogueEntry]:
    """Everything an operation may be refused as: its own and what its form brings along."""
    kinds: list[type[CardcoreError]] = [*operation.refusals, *_ALWAYS]
    if not operation.public and operation.access in ("client", "office"):
        # An operator's session may stand in a token's place; how it refuses the operation declares.
        kinds.extend(_WITH_TOKEN)
    elif not operation.public:
        # Which sessions refuse, and how, the operation itself declares.
        kinds.extend((HeaderInvalidError, ForbiddenError))
    if operation.path in DOORS and operation.method == "POST":
        kinds.append(RateLimitedError)
    if operation.method == "POST":
        kinds.extend(_WITH_BODY)
    else:
        kinds.append(RequestInvalidError)
    if operation.keyed:
        kinds.extend(_KEYED)
    if "{" in operation.path:
        kinds.append(NotFoundError)
    yield from _entries(kinds)


def _entries(kinds: Iterable[type[CardcoreError]]) -> Iterator[CatalogueEntry]:
    for kind in dict.fromkeys(kinds):
        yield from entries_of(kind)


def _operation(operation: Operation, schemas: Schemas) -> Document:
    document: Document = {
        "tags": [operation.noun],
        "operationId": operation.run.__name__,
        "summary": operation.summary,
        "description": _description(operation),
        "parameters": list(_parameters(operation)),
        "responses": {
            str(operation.status): _success(operation, schemas),
            **(_found(operation, schemas) if operation.numbered else {}),
            **(_NOT_MODIFIED if operation.not_modified else {}),
            **_refusal_responses(refusals_of(operation), schemas.reply(Problem), PROBLEM_TYPE),
        },
        "security": _security(operation),
    }
    if operation.method == "POST" and operation.body is not None:
        examples = {name: {"value": value} for name, value in operation.examples.items()}
        content = {"schema": schemas.request(operation.body), "examples": examples}
        document["requestBody"] = {"required": True, "content": {_JSON: content}}
    return document


def _description(operation: Operation) -> str:
    text = " ".join((operation.run.__doc__ or "").split())
    return f"{text} Scope: `{operation.scope.value}`." if operation.scope else text


def _security(operation: Operation) -> list[Document]:
    if operation.public:
        return []
    token: Document = {"oauth2": [operation.scope.value] if operation.scope else []}
    if operation.access == "client":
        return [token]
    if operation.access == "office":
        return [token, {"operator_session": []}]
    return [{f"{operation.access}_session": []}]


def _parameters(operation: Operation) -> Iterator[Document]:
    for part in operation.path.split("/"):
        if part.startswith("{"):
            yield {
                "name": part.strip("{}"),
                "in": "path",
                "required": True,
                "schema": _PATH_SCHEMAS.get(part.strip("{}"), {"type": "string", "format": "uuid"}),
            }
    if operation.method == "GET" and operation.body is not None:
        schema = operation.body.model_json_schema()
        for name, field in schema["properties"].items():
            yield {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "schema": whole(field, schema.get("$defs", {})),
            }
    if operation.keyed:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": True,
            "description": "Chosen by the client, kept across retries of one request.",
            "schema": {"type": "string", "pattern": IDEMPOTENCY_KEY_PATTERN},
        }
    yield {
        "name": "Request-Id",
        "in": "header",
        "required": False,
        "description": (
            "Echoed in the answer and in our log where it is 1 to 64 of `0-9 A-Z a-z . _ -`; "
            "made anew where it is not."
        ),
        "schema": {"type": "string"},
    }


def _success(operation: Operation, schemas: Schemas) -> Document:
    schema: Document = (
        {"type": "object"} if operation.reply is None else schemas.reply(operation.reply)
    )
    if operation.media_type != _JSON:
        schema = {"type": "string"}
    headers = {"Request-Id": _header("The id of this request.")}
    if operation.keyed:
        headers["Idempotent-Replayed"] = _header(
            "`true` where this is the answer of an earlier request with the same key."
        )
    return {
        "description": operation.summary,
        "headers": headers,
        "content": {operation.media_type: {"schema": schema}},
    }


def _found(operation: Operation, schemas: Schemas) -> Document:
    """The answer to a number that names something already, under a key of its own."""
    found = _success(operation, schemas)
    return {"200": found | {"description": "There already: what this request's number names."}}


def _refusal_responses(
    entries: Iterable[CatalogueEntry], schema: Document, content_type: str
) -> Document:
    by_status: dict[int, dict[str, CatalogueEntry]] = {}
    for entry in entries:
        by_status.setdefault(entry.status, {})[entry.code] = entry
    return {
        str(status): _refusal_response(status, found.values(), schema, content_type)
        for status, found in sorted(by_status.items())
    }


def _refusal_response(
    status: int, entries: Iterable[CatalogueEntry], schema: Document, content_type: str
) -> Document:
    lines = [f"- `{entry.code}` {entry.title_en} {entry.title_zh}" for entry in entries]
    headers = {"Request-Id": _header("The id of this request.")}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = _header("How to prove yourself (RFC 6750).")
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers["Retry-After"] = _header("Seconds to wait before the same request is repeated.")
    return {
        "description": "\n".join([HTTPStatus(status).phrase, "", *lines]),
        "headers": headers,
        "content": {content_type: {"schema": schema}},
    }


def _token_operation(schemas: Schemas) -> Document:
    entries = list(_entries(_REFUSALS_OF_TOKEN))
    own = {kind.code for kind in _REFUSALS_OF_TOKEN if kind.__name__.startswith("OAuth")}
    responses = _refusal_responses(
        (entry for entry in entries if entry.code not in own), schemas.reply(Problem), PROBLEM_TYPE
    )
    oauth_responses = _refusal_responses(
        (entry for entry in entries if entry.code in own), schemas.reply(OAuthProblem), _JSON
    )
    for status, response in oauth_responses.items():
        other = responses.get(status)
        if other is not None:
            response["description"] += "\n" + other["description"].partition("\n\n")[2]
            response["content"].update(other["content"])
        responses[status] = response
    reply = {
        "description": "A token",
        "headers": {"Request-Id": _header("The id of this request.")},
        "content": {_JSON: {"schema": schemas.reply(TokenReply)}},
    }
    return {
        "tags": ["access"],
        "operationId": "token",
        "summary": "Get an access token",
        "description": "OAuth 2 client credentials with `private_key_jwt` (RFC 7523).",
        "requestBody": {
            "required": True,
            "content": {_FORM: {"schema": schemas.request(TokenRequest)}},
        },
        "responses": {"200": reply, **responses},
        "security": [],
    }


def _health_paths(schemas: Schemas) -> Document:
    state: Document = {"type": "object", "properties": {"status": {"type": "string"}}}

    def get(operation_id: str, summary: str, answers: dict[str, str], kind: str) -> Document:
        schema = state if kind == _JSON else {"type": "string"}
        failed = _refusal_responses(_entries([InternalError]), schemas.reply(Problem), PROBLEM_TYPE)
        return {
            "get": {
                "tags": ["health"],
                "operationId": operation_id,
                "summary": summary,
                "responses": {
                    **{
                        status: {"description": text, "content": {kind: {"schema": schema}}}
                        for status, text in answers.items()
                    },
                    **failed,
                },
                "security": [],
            }
        }

    return {
        "/healthz": get("healthz", "Is the process alive", {"200": "Alive"}, _JSON),
        "/readyz": get(
            "readyz", "Can it serve", {"200": "Ready", "503": "A part does not answer"}, _JSON
        ),
        "/metrics": get("metrics", "Prometheus metrics", {"200": "Metrics"}, "text/plain"),
    }


def _security_scheme(settings: HTTPSettings) -> Document:
    return {
        "type": "oauth2",
        "description": "Client credentials proved by `private_key_jwt`.",
        "flows": {
            "clientCredentials": {
                "tokenUrl": settings.token_url,
                "scopes": {scope.value: SCOPE_WORDS[scope].en for scope in Scope},
            }
        },
    }


def _session_scheme(what: str, cookie: str) -> Document:
    return {"type": "apiKey", "in": "cookie", "name": cookie, "description": f"{what}."}


def _header(text: str) -> Document:
    return {"description": text, "schema": {"type": "string"}}
