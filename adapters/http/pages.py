"""Pages for people: the documentation at ``/docs`` and the catalogue at ``/problems``.

Written by the server from the OpenAPI document and the refusals' classes, with no script and
nothing from another origin, so they work in a closed network and under the strictest policy.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from html import escape
from importlib.resources import files
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from adapters.http.problems import CatalogueEntry, catalogue
from adapters.http.refusals import RouteUnknownError
from adapters.http.refuser import Refuser
from adapters.http.routes import TemplateRoute
from adapters.http.settings import Language

Document = Mapping[str, Any]

PAGE_POLICY: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'"
    )
}
STYLE_PATH: Final = "/docs/page.css"


def page_routes(document: Document, refuser: Refuser) -> list[TemplateRoute]:
    """``/docs``, ``/problems``, ``/problems/{code}`` and their style sheet."""
    style = files("adapters.http").joinpath("page.css").read_bytes()
    written = docs_page(document)

    async def show_docs(_: Request) -> Response:
        return _html(written)

    async def show_problems(request: Request) -> Response:
        return _html(problems_page(catalogue(), refuser.language(request.scope)))

    async def show_problem(request: Request) -> Response:
        code = request.path_params["code"]
        for entry in catalogue():
            if entry.code == code:
                return _html(problem_page(entry, refuser.language(request.scope)))
        raise RouteUnknownError("there is no such problem")

    async def show_style(_: Request) -> Response:
        return Response(style, media_type="text/css")

    shown: list[tuple[str, Callable[[Request], Any]]] = [
        ("/docs", show_docs),
        (STYLE_PATH, show_style),
        ("/problems", show_problems),
        ("/problems/{code}", show_problem),
    ]
    return [TemplateRoute(path, show) for path, show in shown]


def problems_page(entries: Iterable[CatalogueEntry], language: Language) -> str:
    """The whole catalogue, both languages side by side, the reader's own as heading."""
    rows = "".join(
        f'<tr><td><a href="/problems/{escape(entry.code)}"><code>{escape(entry.code)}</code></a>'
        f"</td><td>{entry.status}</td><td>{_RETRY[language][entry.retryable]}</td>"
        f'<td lang="zh-CN">{escape(entry.title_zh)}</td>'
        f'<td lang="en">{escape(entry.title_en)}</td></tr>'
        for entry in entries
    )
    heads = "".join(f"<th>{head}</th>" for head in _PROBLEM_HEADS[language])
    title = {"zh": "错误码目录", "en": "Problem catalogue"}[language]
    body = f"<h1>{title}</h1><table><tr>{heads}</tr>{rows}</table>"
    return write_page(title, body, language)


def problem_page(entry: CatalogueEntry, language: Language) -> str:
    """One problem, explained."""
    rows = (
        ("HTTP", str(entry.status)),
        ({"zh": "原样重试", "en": "Retry unchanged"}[language], _RETRY[language][entry.retryable]),
        ("中文", entry.title_zh),
        ("English", entry.title_en),
        ({"zh": "含义", "en": "Meaning"}[language], _prose(entry.meaning)),
    )
    table = "".join(f"<tr><th>{head}</th><td>{value}</td></tr>" for head, value in rows)
    back = {"zh": "全部错误码", "en": "All problems"}[language]
    body = (
        f"<h1><code>{escape(entry.code)}</code> {escape(entry.title(language))}</h1>"
        f'<table>{table}</table><p><a href="/problems">{back}</a></p>'
    )
    return write_page(entry.code, body, language)


def docs_page(document: Document) -> str:
    """The OpenAPI document as one page to read and to search."""
    info = document["info"]
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    sections = []
    for tag in document["tags"]:
        own = [found for found in operations if tag["name"] in found[2]["tags"]]
        shown = "".join(_operation(*found, document["servers"][0]["url"]) for found in own)
        name = escape(tag["name"])
        sections.append(f'<h2 id="{name}">{name}</h2><p>{_prose(tag["description"])}</p>{shown}')
    links = "".join(
        f'<a href="#{escape(tag["name"])}">{escape(tag["name"])}</a>' for tag in document["tags"]
    )
    schemas = "".join(
        _schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())
    )
    body = (
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{_prose(info['description'])}</p>"
        f'<nav>{links}<a href="#schemas">schemas</a><a href="/problems">/problems</a>'
        '<a href="/openapi.json">/openapi.json</a></nav>'
        f"{_CONVENTIONS}{''.join(sections)}"
        f'<h2 id="schemas">schemas</h2>{schemas}'
    )
    return write_page(info["title"], body, "en")


_RETRY: Final[dict[Language, dict[bool, str]]] = {
    "zh": {True: "可以", False: "不可"},
    "en": {True: "yes", False: "no"},
}
_PROBLEM_HEADS: Final[dict[Language, tuple[str, ...]]] = {
    "zh": ("code", "HTTP", "原样重试", "中文", "English"),
    "en": ("code", "HTTP", "retry unchanged", "中文", "English"),
}

_CONVENTIONS: Final = """
<h2 id="access">Access</h2>
<p>Every operation but the key ring needs <code>Authorization: Bearer …</code>. A client signs a
JWT with its own registered key (<code>EdDSA</code> or <code>ES256</code>) and exchanges it at
<code>POST /v1/oauth/token</code>: <code>iss</code> and <code>sub</code> are the client id,
<code>aud</code> this service, <code>exp</code> at most five minutes ahead, <code>jti</code> used
once. An object of another merchant is not found (404); a function beyond the token's scopes is
forbidden (403).</p>
<h2 id="idempotency">Idempotency</h2>
<p>A request that moves money carries an <code>Idempotency-Key</code> of 1 to 255 visible ASCII
characters, chosen by the client and kept across retries. The same key with the same request gives
the same answer, marked <code>Idempotent-Replayed: true</code>; with another request
<code>idempotency_key_reused</code>. After a lost reply repeat the request, or ask by
<code>out_trade_no</code>: it names one order for ever.</p>
<h2 id="problems">Problems</h2>
<p>A refusal is <code>application/problem+json</code> (RFC 9457). Branch on <code>code</code>, show
<code>title</code> (Chinese or English by <code>Accept-Language</code>), log
<code>request_id</code>, and repeat only what is <code>retryable</code>.</p>
"""


def _operation(method: str, path: str, operation: Document, server: str) -> str:
    parts = [
        (
            f'<h3 id="{escape(operation["operationId"])}"><span class="method">{method}</span>'
            f"<code>{escape(path)}</code> {escape(operation['summary'])}</h3>"
        ),
        f"<p>{_prose(operation.get('description', ''))}</p>",
    ]
    parameters = operation.get("parameters", ())
    if parameters:
        rows = "".join(
            f"<tr><td><code>{escape(parameter['name'])}</code></td>"
            f"<td>{escape(parameter['in'])}{', required' if parameter['required'] else ''}</td>"
            f"<td>{_prose(parameter.get('description', _kind(parameter['schema'])))}</td></tr>"
            for parameter in parameters
        )
        parts.append(f"<table>{rows}</table>")
    for content_type, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<p>Body: <code>{content_type}</code> {_kind(content['schema'])}</p>")
        parts.extend(
            _curl(method, server + path, example["value"])
            for example in content.get("examples", {}).values()
        )
    rows = "".join(
        f"<tr><td>{status}</td><td>{_answer(answer)}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    parts.append(f"<table>{rows}</table>")
    return "".join(parts)


def _curl(method: str, url: str, body: object) -> str:
    text = json.dumps(body, ensure_ascii=False, indent=2)
    lines = (
        f"curl -X {method} '{url}' \\\n"
        '  -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: $(uuidgen)" \\\n'
        f"  -H 'Content-Type: application/json' -d '{text}'"
    )
    return f"<pre><code>{escape(lines, quote=False)}</code></pre>"


def _answer(answer: Document) -> str:
    head, _, codes = answer["description"].partition("\n\n")
    kinds = " ".join(_kind(content["schema"]) for content in answer.get("content", {}).values())
    lines = [f"{escape(head)} {kinds}"]
    for line in codes.splitlines():
        code, title = line.removeprefix("- `").split("` ", 1)
        link = f'<a href="/problems/{escape(code)}"><code>{escape(code)}</code></a>'
        lines.append(f"{link} {escape(title)}")
    return "<br>".join(lines)


def _schema(name: str, schema: Document) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{_kind(shape)}"
        f"{', required' if field in required else ''}</td>"
        f"<td>{_prose(shape.get('description', ''))}</td></tr>"
        for field, shape in schema.get("properties", {}).items()
    )
    return (
        f'<h3 id="schema-{escape(name)}"><code>{escape(name)}</code></h3>'
        f"<p>{_prose(schema.get('description', ''))}</p><table>{rows}</table>"
    )


def _kind(schema: Document) -> str:
    """A schema in a few words, with links to the named ones."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    words = [str(schema.get("format") or schema.get("type") or "any value")]
    words.extend(
        f"{label} <code>{escape(str(schema[key]))}</code>"
        for key, label in _BOUNDS.items()
        if key in schema
    )
    return ", ".join(words)


_BOUNDS: Final = {
    "const": "always",
    "enum": "one of",
    "minimum": "from",
    "maximum": "to",
    "minLength": "length from",
    "maxLength": "length to",
    "pattern": "form",
    "default": "default",
}


def _prose(text: str) -> str:
    """Escaped text with `code` marked up."""
    return re.sub(r"`+([^`]+)`+", r"<code>\1</code>", escape(text, quote=False))


def write_page(title: str, body: str, language: Language) -> str:
    """A whole page of ours around its body; ``title`` is escaped here, the body is markup."""
    tag = {"zh": "zh-CN", "en": "en"}[language]
    return (
        f'<!doctype html><html lang="{tag}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="{STYLE_PATH}"></head>'
        f"<body>{body}</body></html>"
    )


def _html(page: str) -> Response:
    return Response(page, headers=PAGE_POLICY, media_type="text/html")
