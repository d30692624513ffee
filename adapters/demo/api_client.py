"""A small client of our own HTTP face, for the demo, the command line and the benchmarks."""

import uuid
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.client_assertion import ASSERTION_TYPE, client_assertion


class RefusedError(Exception):
    """The API answered with a problem. ``code`` is its stable code."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", problem.get("error", "unknown")))
        self.problem = problem
        super().__init__(f"{status} {self.code}: {problem.get('detail', '')}")


class APIClient:
    """One client of the API with its token.

    Args:
        base_url: where the API is served.
        client_id: registered name.
        key: private key whose public half is registered.
    """

    def __init__(self, base_url: str, client_id: str, key: Ed25519PrivateKey) -> None:
        self.base_url = base_url
        self.client_id = client_id
        self._key = key
        self._http = httpx2.AsyncClient(base_url=base_url, timeout=30, trust_env=False)
        self._token = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def sign_in(self, now: datetime) -> str:
        """Get an access token, and use it from now on."""
        answer = await self._http.post(
            "/v1/oauth/token",
            data={
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": client_assertion(
                    self.client_id,
                    self._key,
                    audience=f"{self.base_url}/v1/oauth/token",
                    now=now,
                ),
            },
        )
        self._token = str(_checked(answer)["access_token"])
        return self._token

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """GET. Raises ``RefusedError``."""
        answer = await self._http.get(path, params=query, headers=self._headers())
        return _checked(answer)

    async def post(
        self, path: str, body: dict[str, Any] | None = None, *, key: str | None = None
    ) -> dict[str, Any]:
        """POST with an idempotency key, by default a fresh one. Raises ``RefusedError``."""
        headers = self._headers() | {"Idempotency-Key": key or str(uuid.uuid4())}
        return _checked(await self._http.post(path, json=body or {}, headers=headers))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}


def _checked(answer: httpx2.Response) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    if answer.status_code >= httpx2.codes.BAD_REQUEST:
        raise RefusedError(answer.status_code, body)
    return body
