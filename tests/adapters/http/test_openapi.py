"""The document: complete, well-formed, true; and the pages written from it."""

import re
from html import escape
from html.parser import HTMLParser
from typing import Any, ClassVar

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from pydantic_core import to_json
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from adapters.http.app import NOUNS
from adapters.http.operation import Operation
from adapters.http.problems import catalogue
from adapters.http.strict_json import read_model
from tests.adapters.http.conftest import Face, make_face

OPERATIONS = [operation for noun in NOUNS for operation in noun.operations]
FACE = make_face()
# A generated body may pass the bound of size before anything in it is looked at.
REFUSED = [400, 401, 403, 404, 409, 413, 415, 422]
SCHEMA = schemathesis.openapi.from_asgi(
    "/openapi.json",
    FACE.app,
    config=schemathesis.Config.from_dict(
        {"checks": {"negative_data_rejection": {"expected-statuses": REFUSED}}}
    ),
)
TRUTHS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
    missing_required_header,
]


@SCHEMA.parametrize()
@settings(
    max_examples=12,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_generated_requests_meet_no_fault_and_nothing_undocumented(case: Case) -> None:
    """How: schemathesis makes requests from the document, good and bad, with a valid token."""
    case.call_and_validate(headers=FACE.bearer(), checks=TRUTHS)


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        pytest.param(operation, name, id=f"{operation.run.__name__}-{name}")
        for operation in OPERATIONS
        for name in operation.examples
    ],
)
def test_each_example_is_a_request_its_operation_takes(operation: Operation, name: str) -> None:
    assert operation.body is not None
    read_model(to_json(operation.examples[name]), operation.body, depth_max=24)


def test_the_document_knows_every_route(face: Face) -> None:
    """Pages for people and the document itself are not operations."""
    pages = {"/docs", "/docs/page.css", "/problems", "/problems/{code}", "/openapi.json"}
    served = {getattr(route, "path", "") for route in face.app.routes}
    assert set(face.app.document["paths"]) == served - pages


def test_the_document_names_each_operation_once(face: Face) -> None:
    names = [
        operation["operationId"]
        for methods in face.app.document["paths"].values()
        for operation in methods.values()
    ]
    assert len(names) == len(set(names)) == len(OPERATIONS) + 4


def test_an_answer_without_content_is_documented_as_one(face: Face) -> None:
    answers = face.app.document["paths"]["/v1/terminal-package"]["get"]["responses"]
    assert "content" not in answers["304"]
    assert "application/octet-stream" in answers["200"]["content"]


def test_session_cookies_are_documented_by_the_name_they_have_on_the_wire(face: Face) -> None:
    """Why: over https a browser keeps them only with the prefix."""
    schemes = face.app.document["components"]["securitySchemes"]
    assert schemes["operator_session"]["name"] == "__Host-cardcore_operator"
    assert schemes["citizen_session"]["name"] == "__Host-cardcore_citizen"
    plain = make_face(public_url="http://127.0.0.1").app.document["components"]["securitySchemes"]
    assert plain["operator_session"]["name"] == "cardcore_operator"


def test_every_reference_leads_somewhere(face: Face) -> None:
    schemas = face.app.document["components"]["schemas"]
    for name in re.findall(r"#/components/schemas/(\w+)", str(face.app.document)):
        assert name in schemas


async def test_the_document_is_served_as_it_is(face: Face) -> None:
    served = (await face.http.get("/openapi.json")).json()
    assert served == face.app.document
    assert served["openapi"].startswith("3.1")


class _Links(HTMLParser):
    """Collects what a page refers to, and refuses tags left open."""

    VOID: ClassVar = {"meta", "link", "br"}

    def __init__(self) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.anchors: set[str] = set()
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self._open.append(tag)
        for name, value in attrs:
            if name in {"href", "src"} and value:
                self.targets.add(value)
            if name == "id" and value:
                self.anchors.add(value)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def close(self) -> None:
        super().close()
        assert self._open == []


def _links(page: str) -> _Links:
    links = _Links()
    links.feed(page)
    links.close()
    return links


async def test_the_docs_page_is_whole_and_stays_at_home(face: Face) -> None:
    answer = await face.http.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "style-src 'self'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    links = _links(answer.text)
    for target in links.targets:
        assert target.startswith(("/", "#")), target
        if target.startswith("#"):
            assert target[1:] in links.anchors, target
        else:
            assert (await face.http.get(target)).status_code == 200, target
    for operation in OPERATIONS:
        assert operation.run.__name__ in links.anchors
        assert escape(operation.summary) in answer.text


@pytest.mark.parametrize(("language", "title"), [("zh", "错误码目录"), ("en", "Problem catalogue")])
async def test_the_catalogue_page_lists_every_problem_in_both_languages(
    face: Face, language: str, title: str
) -> None:
    answer = await face.http.get("/problems", headers={"Accept-Language": language})
    _links(answer.text)
    assert title in answer.text
    for entry in catalogue():
        assert f'href="/problems/{entry.code}"' in answer.text
        assert entry.title_zh in answer.text


async def test_each_problem_has_a_page_and_others_have_none(face: Face) -> None:
    page = await face.http.get("/problems/code_expired", headers={"Accept-Language": "en"})
    _links(page.text)
    assert "二维码已过期，请刷新" in page.text
    assert "422" in page.text
    assert (await face.http.get("/problems/of_nobody")).status_code == 404


async def test_every_problem_that_is_answered_points_to_its_page(face: Face) -> None:
    problem: dict[str, Any] = (await face.http.get("/nowhere")).json()
    assert (await face.http.get(problem["type"])).status_code == 200
