"""The routes of the FHIR face, made of its declarations."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from starlette.routing import Match

from adapters.fhir.acts import acts_of
from adapters.fhir.capability import capability_statement, operation_definition
from adapters.fhir.endpoints import (
    Endpoint,
    Surroundings,
    serve_act,
    serve_nothing,
    serve_one_of,
    serve_read,
    serve_resource,
    serve_search,
)
from adapters.fhir.kinds import KINDS
from adapters.http.routes import TemplateRoute

PREFIX: Final = "/fhir"
_EVERY_METHOD: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def fhir_routes(around: Surroundings, *, since: datetime) -> list[TemplateRoute]:
    """Every route of the face; ``since``: when it was put together."""
    served = [*_described(around, since), *_searched_and_read(around), *_done(around)]
    return [*served, *_nothing_else(around, served)]


def _described(around: Surroundings, since: datetime) -> list[TemplateRoute]:
    """What the face says of itself: for everybody."""
    base_url, version = around.base_url, around.settings.version
    acts = acts_of(around.desk)
    statement = capability_statement(KINDS, acts, base_url=base_url, version=version, since=since)
    definitions = {
        act.definition_id: operation_definition(act, base_url=base_url, version=version)
        for act in acts
    }
    said = {
        "metadata": serve_resource(statement),
        "OperationDefinition/{id}": serve_one_of(definitions),
    }
    return [
        _route(f"/{path}", Endpoint(serve, around, public=True), "GET", f"describe {path}")
        for path, serve in said.items()
    ]


def _searched_and_read(around: Surroundings) -> list[TemplateRoute]:
    routes = []
    for kind in KINDS:
        search = Endpoint(serve_search(kind, around), around)
        read = Endpoint(serve_read(kind, around), around)
        path, name = f"/{kind.name}", kind.name
        routes += [
            _route(path, search, "GET", f"search {name}"),
            _route(f"{path}/_search", search, "POST", f"search {name} by form"),
            _route(f"{path}/{{id}}", read, "GET", f"read {name}"),
        ]
    return routes


def _done(around: Surroundings) -> list[TemplateRoute]:
    return [
        _route(act.path, Endpoint(serve_act(act, around), around), "POST", act.definition_id)
        for act in acts_of(around.desk)
    ]


def _nothing_else(around: Surroundings, served: Sequence[TemplateRoute]) -> list[TemplateRoute]:
    """Whatever else is asked under the face's address is refused in its own words."""

    def methods_of(rest: str) -> set[str]:
        methods: set[str] = set()
        for route in served:
            scope = {"type": "http", "method": "", "path": f"{PREFIX}/{rest}"}
            if route.matches(scope)[0] is not Match.NONE:
                methods |= route.methods or set()
        return methods

    endpoint = Endpoint(serve_nothing(methods_of), around, public=True)
    return [
        TemplateRoute(path, endpoint, methods=list(_EVERY_METHOD), name="fhir nothing")
        for path in (PREFIX, f"{PREFIX}/{{rest:path}}")
    ]


def _route(path: str, endpoint: Endpoint, method: str, name: str) -> TemplateRoute:
    return TemplateRoute(f"{PREFIX}{path}", endpoint, methods=[method], name=name)
