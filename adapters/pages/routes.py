"""The routes of the pages: ``/<page>/``, what lies beside it, and ``/assets/…``.

Everything is read once, at start, from the folder the build has made, each file in three codings.
Assets carry the digest of their content in their names, so a browser may keep them for ever; a
page itself is asked for again each time by its entity tag. Nothing but our own files runs, styles
or is asked (Content-Security-Policy); who may put a page into a frame is a setting.
"""

import hashlib
import json
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from adapters.http import headers as header
from adapters.http.refusals import RouteUnknownError
from adapters.http.routes import TemplateRoute
from adapters.pages.build import BUILT

_NEVER_CHANGES: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
# What a page must know of the hosts that may embed it, to answer nobody else.
_EMBEDDING: Final = "embedding.json"
_CODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePolicy:
    """What one page may do beyond the least.

    ``framed``: may the origins of the setting put it into a frame? ``wasm``: may it compile
    WebAssembly? ``camera``: may it ask for the camera?
    """

    framed: bool = False
    wasm: bool = False
    camera: bool = False

    def headers(self, frame_ancestors: Sequence[str]) -> dict[str, str]:
        """The headers that hold the page to it. Frame ancestors here outrank X-Frame-Options."""
        ancestors = " ".join(frame_ancestors) if self.framed and frame_ancestors else "'none'"
        script = "'self' 'wasm-unsafe-eval'" if self.wasm else "'self'"
        camera = "(self)" if self.camera else "()"
        headers = {
            "Content-Security-Policy": (
                f"default-src 'none'; script-src {script}; style-src 'self'; "
                "img-src 'self' blob: data:; connect-src 'self'; media-src 'self' blob:; "
                "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
                f"frame-ancestors {ancestors}"
            ),
            "Permissions-Policy": (
                f"camera={camera}, microphone=(), geolocation=(), screen-wake-lock=(self)"
            ),
        }
        if not self.framed:  # a window that a host has opened must still reach its host
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return headers


PAGES: Final[Mapping[str, PagePolicy]] = {
    "citizen": PagePolicy(framed=True),
    "gate": PagePolicy(wasm=True, camera=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of the build: ``forms`` has its bytes by content coding, "" for as it is."""

    media_type: str
    etag: str
    forms: Mapping[str, bytes]

    def answer(self, request: Request, headers: Mapping[str, str], *, cache: str) -> Response:
        """This file, in the smallest coding the browser reads; 304 where it has it already."""
        sent = {**headers, "Cache-Control": cache, "ETag": f'"{self.etag}"'}
        if self.etag in header.etags(request.scope["headers"], b"if-none-match"):
            return Response(status_code=304, headers=sent)
        accepted = {
            part.partition(";")[0].strip()
            for part in request.headers.get("accept-encoding", "").split(",")
        }
        coding = next((name for name, _ in _CODINGS if name in accepted & self.forms.keys()), "")
        sent["Vary"] = "Accept-Encoding"
        if coding:
            sent["Content-Encoding"] = coding
        return Response(self.forms[coding], media_type=self.media_type, headers=sent)


def served_pages(frame_ancestors: Sequence[str] = (), built: Path = BUILT) -> list[TemplateRoute]:
    """Routes of every page that has been built; none where nothing has.

    Args:
        frame_ancestors: origins that may embed the pages made for it, such as
            ``https://app.example``.
        built: the folder the build has made.
    """
    routes = []
    assets = read_files(built / "assets")
    if assets:
        routes.append(_route("/assets/{name}", assets, {}, cache=_NEVER_CHANGES))
    for page, policy in PAGES.items():
        files = read_files(built / page)
        if files:
            if policy.framed:
                files[_EMBEDDING] = _json({"hosts": list(frame_ancestors)})
            headers = policy.headers(frame_ancestors)
            routes.append(_route(f"/{page}/", files, headers, cache=_ASK_AGAIN))
            routes.append(_route(f"/{page}/{{name}}", files, headers, cache=_ASK_AGAIN))
    return routes


def _route(
    path: str, files: Mapping[str, File], headers: Mapping[str, str], *, cache: str
) -> TemplateRoute:
    async def show(request: Request) -> Response:
        found = files.get(request.path_params.get("name", "index.html"))
        if found is None:
            raise RouteUnknownError
        return found.answer(request, headers, cache=cache)

    return TemplateRoute(path, show)


def _json(content: object) -> File:
    """A file of ours that no build has made."""
    text = json.dumps(content).encode()
    etag = hashlib.sha256(text).hexdigest()[:32]
    return File(media_type="application/json", etag=etag, forms={"": text})


def read_files(folder: Path) -> dict[str, File]:
    """Every file of a folder by its name, its compressed forms with it."""
    found: dict[str, File] = {}
    if not folder.is_dir():
        return found
    for path in folder.iterdir():
        if path.suffix in {".br", ".gz"}:
            continue
        content = path.read_bytes()
        forms = {"": content}
        for coding, suffix in _CODINGS:
            compressed = path.with_name(path.name + suffix)
            if compressed.exists():
                forms[coding] = compressed.read_bytes()
        found[path.name] = File(
            media_type=_TYPES.get(path.suffix)
            or mimetypes.guess_type(path.name)[0]
            or "application/octet-stream",
            etag=hashlib.sha256(content).hexdigest()[:32],
            forms=forms,
        )
    return found
