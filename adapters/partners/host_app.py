"""A simulator of the app that embeds the citizen's page: its web page, and the server behind it.

The page (``adapters/pages/web/src/host``) shows a phone whose web view is a frame with our page,
and answers its questions as ``docs/embedding.md`` says. The server half signs people in to the app,
which is the app's own business, and asks the card centre for one-time codes with the app's own key
(``private_key_jwt``). It stands on an origin of its own and knows of the core its URL alone.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.demo.api_client import APIClient
from adapters.pages.build import BUILT
from adapters.pages.routes import File, read_files
from cardcore.ports import Clock

COOKIE: Final = "host_app"
_TOKEN_TTL: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAccount:
    """Somebody with an account in the app, and the user whom the card centre knows them as."""

    name: str
    user_id: UUID

    @property
    def reference(self) -> str:
        """What the page is told of the account: stable, opaque, nothing personal."""
        return hashlib.sha256(b"host account" + self.user_id.bytes).hexdigest()[:16]


class HostApp:
    """The simulated app. ``client`` is its own client of the card centre."""

    def __init__(
        self,
        client: APIClient,
        accounts: Sequence[HostAccount],
        *,
        clock: Clock,
        built: Path = BUILT,
    ) -> None:
        self._client = client
        self._accounts = {account.reference: account for account in accounts}
        self._clock = clock
        self._signed_in: dict[str, HostAccount] = {}
        self._token_until: datetime | None = None
        self._pages = read_files(built / "host")
        self._assets = read_files(built / "assets")

    def app(self) -> Starlette:
        """The app's web server."""
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/assets/{name}", self._asset),
                Route("/api/setting", self._setting),
                Route("/api/session", self._sign_in, methods=["POST"]),
                Route("/api/host-code", self._host_code, methods=["POST"]),
            ]
        )

    async def host_code(self, account: HostAccount, *, proved: bool = False) -> str:
        """A one-time code of the card centre for one of the app's people.

        Args:
            account: who is signed in to the app.
            proved: has the app just seen their PIN, fingerprint or face?
        """
        now = self._clock()
        if self._token_until is None or now >= self._token_until:
            await self._client.sign_in(now)
            self._token_until = now + _TOKEN_TTL
        asked = {"user_id": str(account.user_id)}
        if proved:
            asked["authenticated_at"] = now.isoformat()
        made = await self._client.post("/v1/host-codes", asked)
        return str(made["host_code"])

    async def _page(self, request: Request) -> Response:
        return self._file(self._pages, "index.html", request)

    async def _asset(self, request: Request) -> Response:
        return self._file(self._assets, request.path_params["name"], request)

    def _file(self, files: Mapping[str, File], name: str, request: Request) -> Response:
        found = files.get(name)
        if found is None:
            return Response(status_code=404)
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            f"frame-src {self._client.base_url}; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
        return found.answer(request, headers, cache="no-cache")

    async def _setting(self, request: Request) -> Response:
        """Where the card is, who has an account, and who is signed in."""
        here = self._signed_in.get(request.cookies.get(COOKIE, ""))
        return JSONResponse(
            {
                "card_url": self._client.base_url,
                "client_id": self._client.client_id,
                "accounts": [
                    {"account": one.reference, "name": one.name} for one in self._accounts.values()
                ],
                "signed_in": None if here is None else here.reference,
            },
            headers={"Cache-Control": "no-store"},
        )

    async def _sign_in(self, request: Request) -> Response:
        """The app's own sign-in; a simulator asks for no password."""
        account = self._accounts.get(str((await request.json()).get("account")))
        if account is None:
            return Response(status_code=404)
        session = secrets.token_urlsafe(32)
        self._signed_in.pop(request.cookies.get(COOKIE, ""), None)
        self._signed_in[session] = account
        answer = JSONResponse({"account": account.reference})
        answer.set_cookie(COOKIE, session, httponly=True, samesite="strict", path="/")
        return answer

    async def _host_code(self, request: Request) -> Response:
        """What the app's page asks its own server for when the card's page asks it."""
        account = self._signed_in.get(request.cookies.get(COOKIE, ""))
        if account is None:
            return Response(status_code=401)
        headers = {"Cache-Control": "no-store"}
        proved = (await request.json()).get("fresh") is True
        code = await self.host_code(account, proved=proved)
        return JSONResponse({"host_code": code}, headers=headers)
