"""What is served of a page: codings, tags, policies; nothing of a folder that was not built."""

import gzip
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

from adapters.http.refusals import RouteUnknownError
from adapters.pages.routes import served_pages

SCRIPT = b"export const answer = 42;\n" * 40


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder as the build leaves it."""
    for name, content in {
        "citizen/index.html": b"<!doctype html>",
        "citizen/worker.js": b"self",
        "gate/index.html": b"<!doctype html>gate",
        "assets/citizen-ABC.js": SCRIPT,
        "assets/reader.wasm": b"\0asm",
        "assets/font.woff2": b"wOF2",
        "assets/notes.unheard": b"?",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "assets/citizen-ABC.js.gz").write_bytes(gzip.compress(SCRIPT))
    (tmp_path / "assets/citizen-ABC.js.br").write_bytes(b"as if by brotli")
    return tmp_path


def browser(built: Path, *frame_ancestors: str) -> httpx2.AsyncClient:
    app = Starlette(routes=list(served_pages(frame_ancestors, built)))
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url="https://card.example"
    )


async def test_an_asset_is_kept_for_ever_and_comes_in_the_smallest_coding(built: Path) -> None:
    http = browser(built)
    forms = {"br": b"as if by brotli", "gzip": gzip.compress(SCRIPT), None: SCRIPT}
    for accepted, coding in (("gzip, deflate, br", "br"), ("gzip;q=0.5", "gzip"), ("", None)):
        headers = {"Accept-Encoding": accepted}
        async with http.stream("GET", "/assets/citizen-ABC.js", headers=headers) as answer:
            content = b"".join([chunk async for chunk in answer.aiter_raw()])
        assert answer.headers.get("content-encoding") == coding
        assert content == forms[coding]
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "Accept-Encoding"


async def test_a_page_is_asked_for_again_by_its_tag(built: Path) -> None:
    http = browser(built)
    first = await http.get("/citizen/")
    assert first.headers["cache-control"] == "no-cache"
    again = await http.get("/citizen/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await http.get("/citizen/", headers={"If-None-Match": '"another"'})
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("citizen-ABC.js", "text/javascript; charset=utf-8"),
        ("reader.wasm", "application/wasm"),
        ("font.woff2", "font/woff2"),
        ("notes.unheard", "application/octet-stream"),
    ],
)
async def test_every_file_says_what_it_is(built: Path, name: str, media_type: str) -> None:
    answer = await browser(built).get(f"/assets/{name}")
    assert answer.headers["content-type"] == media_type


async def test_nothing_runs_in_a_page_but_our_own_files(built: Path) -> None:
    for path in ("/citizen/", "/gate/", "/citizen/worker.js"):
        policy = (await browser(built).get(path)).headers["content-security-policy"]
        directives = dict(one.strip().split(" ", 1) for one in policy.split(";"))
        assert directives["default-src"] == "'none'"
        assert directives["connect-src"] == directives["style-src"] == "'self'"
        assert directives["base-uri"] == directives["form-action"] == "'none'"
        assert "unsafe-inline" not in policy
        assert "http" not in policy
        wasm = " 'wasm-unsafe-eval'" if path.startswith("/gate") else ""
        assert directives["script-src"] == f"'self'{wasm}"


async def test_only_named_origins_may_frame_and_only_the_page_made_for_it(built: Path) -> None:
    named = browser(built, "https://app.example", "https://app2.example")
    for http, path, ancestors in (
        (browser(built), "/citizen/", "'none'"),
        (named, "/citizen/", "https://app.example https://app2.example"),
        (named, "/gate/", "'none'"),
    ):
        policy = (await http.get(path)).headers["content-security-policy"]
        assert policy.endswith(f"frame-ancestors {ancestors}")
    told = await named.get("/citizen/embedding.json")
    assert told.json() == {"hosts": ["https://app.example", "https://app2.example"]}
    with pytest.raises(RouteUnknownError):
        await named.get("/gate/embedding.json")


async def test_the_camera_is_the_gate_s_alone(built: Path) -> None:
    http = browser(built)
    assert "camera=()" in (await http.get("/citizen/")).headers["permissions-policy"]
    assert "camera=(self)" in (await http.get("/gate/")).headers["permissions-policy"]


async def test_no_name_leads_out_of_the_folder(built: Path) -> None:
    (built / "secret.txt").write_text("no")
    for name in ("secret.txt", "citizen-ABC.js.br", "%2e%2e%5csecret.txt"):
        with pytest.raises(RouteUnknownError):
            await browser(built).get(f"/assets/{name}")
    assert (await browser(built).get("/assets/..%2Fsecret.txt")).status_code == 404


def test_without_a_build_there_are_no_pages(tmp_path: Path) -> None:
    assert served_pages(built=tmp_path / "absent") == []
