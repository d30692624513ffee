"""The ASGI side of the FHIR face: who asks, what they may hear, and refusals as OperationOutcomes.

Checked in the order of the native operations: token, type and size of the body, idempotency key,
JSON, parameters, then the scope. A fault of ours is a problem document, which the door makes.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from adapters.fhir.act import Act, Doing
from adapters.fhir.desk import Desk
from adapters.fhir.json_text import Tree, json_text
from adapters.fhir.kind import Kind
from adapters.fhir.negotiation import is_lenient, require_json_sent, require_json_wanted
from adapters.fhir.outcomes import outcome_of
from adapters.fhir.parameters_body import read_parameters
from adapters.fhir.search import FORMAT, read_pairs, read_search, run_search
from adapters.http import headers as header
from adapters.http.body import read_body
from adapters.http.operation import CallerGate
from adapters.http.problems import answer_headers, entry_of, problem_of
from adapters.http.record import record_of
from adapters.http.refusals import MethodNotAllowedError, RouteUnknownError
from adapters.http.refuser import Refuser
from adapters.http.settings import HTTPSettings
from cardcore.caller import Caller
from cardcore.caller import Scope as AccessScope
from cardcore.errors import CardcoreError, NotFoundError

MEDIA_TYPE: Final = "application/fhir+json"
_NOBODY: Final = Caller(client_id="", merchant_id=None, scopes=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request whose caller is proven."""

    caller: Caller
    method: str
    path: Mapping[str, str]
    query: bytes
    headers: header.RawHeaders
    receive: Receive


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One answer."""

    resource: Tree
    replayed: bool = False


Serve = Callable[[Asked], Awaitable[Said]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What endpoints work with."""

    gate: CallerGate
    settings: HTTPSettings
    refuser: Refuser
    desk: Desk

    @property
    def base_url(self) -> str:
        """Address of the face."""
        return f"{self.settings.public_url}/fhir"


class Endpoint:
    """The ASGI application behind one route."""

    def __init__(self, serve: Serve, around: Surroundings, *, public: bool = False) -> None:
        self._serve = serve
        self._around = around
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check who asks, serve, answer; a refusal is an answer."""
        headers: header.RawHeaders = scope["headers"]
        status, more = 200, []
        try:
            caller = _NOBODY
            if not self._public:
                caller = await self._around.gate.caller(headers)
                record_of(scope).client_id = caller.client_id
            query = scope["query_string"]
            require_json_wanted(headers, _format_of(query))
            said = await self._serve(
                Asked(
                    caller=caller,
                    method=scope["method"],
                    path=scope["path_params"],
                    query=query,
                    headers=headers,
                    receive=receive,
                )
            )
            resource = said.resource
            if said.replayed:
                more.append(("Idempotent-Replayed", "true"))
        except CardcoreError as refusal:
            status, resource, more = self._refuse(refusal, scope)
        content = json_text(resource)
        more += [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(content)))]
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in more]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": content})

    def _refuse(
        self, refusal: CardcoreError, scope: Scope
    ) -> tuple[int, Tree, list[tuple[str, str]]]:
        record = record_of(scope)
        record.problem = entry_of(refusal).code
        language = self._around.refuser.language(scope)
        problem = problem_of(refusal, language=language, request_id=record.request_id)
        headers = answer_headers(refusal, retry_after_s=self._around.settings.retry_after_s)
        return problem.status, outcome_of(problem, language), headers


def _format_of(query: bytes) -> str | None:
    """``_format``, where it is asked for; whatever else is wrong with the query is found later."""
    for name, value in parse_qsl(query.decode("latin-1")):
        if name == FORMAT:
            return value
    return None


def serve_resource(resource: Tree) -> Serve:
    """Always the same: what the face says of itself."""

    async def serve(_: Asked) -> Said:
        return Said(resource=resource)

    return serve


def serve_one_of(resources: Mapping[str, Tree]) -> Serve:
    """One of a few by its id."""

    async def serve(asked: Asked) -> Said:
        found = resources.get(asked.path["id"])
        if found is None:
            raise NotFoundError
        return Said(resource=found)

    return serve


def serve_read(kind: Kind, around: Surroundings) -> Serve:
    """``GET [type]/[id]``."""
    lists = around.desk.lists

    async def serve(asked: Asked) -> Said:
        asked.caller.require(AccessScope.HOSPITAL_READ)
        condition = kind.identity.matches(asked.path["id"])
        if condition is None:
            raise NotFoundError
        row = await lists.read_row(asked.caller, kind.listing, condition)
        return Said(resource=kind.resource(row))

    return serve


def serve_search(kind: Kind, around: Surroundings) -> Serve:
    """``GET [type]?…`` and ``POST [type]/_search``, whose form says the same."""

    async def serve(asked: Asked) -> Said:
        pairs = read_pairs(asked.query)
        if asked.method == "POST":
            header.require_form(asked.headers)
            form = await read_body(asked.headers, asked.receive, around.settings)
            pairs += read_pairs(form)
        search = read_search(kind, pairs, lenient=is_lenient(asked.headers))
        bundle = await run_search(search, asked.caller, around.desk.lists, base_url=around.base_url)
        return Said(resource=bundle)

    return serve


def serve_act(act: Act, around: Surroundings) -> Serve:
    """``POST [type]/$name`` and ``POST [type]/[id]/$name``."""
    settings = around.settings
    needs_body = any(one.min for one in act.takes)

    async def serve(asked: Asked) -> Said:
        if needs_body:
            require_json_sent(asked.headers)
        raw = await read_body(asked.headers, asked.receive, settings)
        if raw and not needs_body:
            require_json_sent(asked.headers)
        key = header.idempotency_key(asked.headers) if act.keyed else ""
        values = read_parameters(
            raw, act.takes, depth_max=settings.json_depth_max, base_url=around.base_url
        )
        asked.caller.require(act.scope)
        identity = asked.path.get("id", "")
        done = await act.run(Doing(caller=asked.caller, identity=identity, values=values, key=key))
        return Said(resource=done.resource, replayed=done.replayed)

    return serve


def serve_nothing(methods_of: Callable[[str], set[str]]) -> Serve:
    """What no other route serves: another method of one, or nothing at all."""

    async def serve(asked: Asked) -> Said:
        methods = methods_of(asked.path.get("rest", ""))
        if methods:
            raise MethodNotAllowedError(headers=[("Allow", ", ".join(sorted(methods)))])
        raise RouteUnknownError

    return serve
