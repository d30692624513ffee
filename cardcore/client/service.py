"""The uniform API from outside: the calls of ``CardCore`` over HTTP, for systems run by others.

Each call takes and answers the models of the core and refuses with the core's own exceptions, so
that a program may be moved from one side to the other (``cardcore.client.contract``). A call that
got no answer, or one that says "try again", is repeated with the same idempotency key, so that it
takes effect once. The access token is fetched and renewed by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self, TypeVar
from uuid import UUID, uuid4

import httpx2
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel

from cardcore.account.arrears_lists import ArrearsView
from cardcore.account.request import TopUpRequest
from cardcore.account.views import BooksView, TopUpView
from cardcore.business.dispute_request import (
    AnswerDisputeRequest,
    DecideDisputeRequest,
    OpenDisputeRequest,
)
from cardcore.business.dispute_views import DisputeView, EvidenceView
from cardcore.business.limit_rules import LimitsView
from cardcore.business.request import (
    CaptureRequest,
    OrderRequest,
    QuoteRequest,
    RefundRequest,
    VerifyRequest,
)
from cardcore.business.scenes import (
    ChangeSceneRequest,
    RegisterSceneRequest,
    RetireSceneRequest,
    ScenesView,
    SceneView,
)
from cardcore.business.views import (
    ExplainView,
    OrderView,
    QuoteView,
    RefundView,
    UserView,
    VerifyView,
)
from cardcore.client.assertion import ASSERTION_TYPE, client_assertion
from cardcore.client.refusals import refusal_of
from cardcore.errors import CardcoreError, ServiceUnavailableError
from cardcore.known import Known
from cardcore.user.request import IssueCodeRequest, OpenUserRequest
from cardcore.user.views import IssuedCodeView

ViewT = TypeVar("ViewT", bound=BaseModel)
Waits = Sequence[float]

TIMEOUT_S: Final = 15.0
WAITS_S: Final[Waits] = (0.1, 0.4, 1.6, 5.0)
# A token is renewed before it ends, so that none ends on the way.
TOKEN_MARGIN: Final = timedelta(seconds=30)
_TRY_AGAIN: Final = frozenset({408, 425, 429, 502, 503, 504})


class CardcoreClient:
    """The service at ``base_url``, called as one client.

    Args:
        base_url: without a trailing slash.
        client_id: the name that was registered.
        key: private key, Ed25519 or P-256, whose public half was registered.
        clock: what time it is; aware, and in step with the server's.
        transport: another way to the server, for tests.
        waits_s: how long to wait before each repetition; their number bounds the tries.
        sleep: waits; tests give one that does not.
    """

    def __init__(
        self,
        base_url: str,
        client_id: str,
        key: Ed25519PrivateKey | EllipticCurvePrivateKey,
        *,
        clock: Callable[[], datetime],
        transport: httpx2.AsyncBaseTransport | None = None,
        waits_s: Waits = WAITS_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._base_url = base_url
        self._client_id = client_id
        self._key = key
        self._clock = clock
        self._waits_s = waits_s
        self._sleep = sleep
        self._http = httpx2.AsyncClient(
            base_url=base_url, timeout=TIMEOUT_S, trust_env=False, transport=transport
        )
        self._token = ""
        self._token_until: datetime | None = None
        self._signing_in = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    # -- the verbs ----------------------------------------------------------------------------

    async def verify(self, request: VerifyRequest) -> VerifyView:
        """Who presents this code, as far as this merchant may know. Spends nothing."""
        return await self._post("/v1/verify", request, VerifyView)

    async def quote(self, request: QuoteRequest) -> QuoteView:
        """What it would cost and who would pay. Books nothing."""
        return await self._post("/v1/quotes", request, QuoteView)

    async def order(
        self, request: OrderRequest, idempotency_key: str | None = None
    ) -> tuple[OrderView, Known]:
        """Verify, quote and book in one step; the second value tells whether it was there."""
        return await self._numbered("/v1/orders", request, OrderView, idempotency_key)

    async def read_order(self, order_id: UUID) -> OrderView:
        """One order as it stands."""
        return await self._get(f"/v1/orders/{order_id}", OrderView)

    async def find_order(self, merchant_id: str, out_trade_no: str) -> OrderView:
        """The order a merchant's own number names."""
        return await self._get(
            "/v1/orders", OrderView, merchant_id=merchant_id, out_trade_no=out_trade_no
        )

    async def capture(
        self, order_id: UUID, request: CaptureRequest, idempotency_key: str | None = None
    ) -> tuple[OrderView, bool]:
        """Take all or part of a held order."""
        path = f"/v1/orders/{order_id}/capture"
        return await self._keyed(path, request, OrderView, idempotency_key)

    async def void(
        self, order_id: UUID, idempotency_key: str | None = None
    ) -> tuple[OrderView, bool]:
        """Release a held order."""
        return await self._keyed(f"/v1/orders/{order_id}/void", None, OrderView, idempotency_key)

    async def refund(
        self, order_id: UUID, request: RefundRequest, idempotency_key: str | None = None
    ) -> tuple[RefundView, Known]:
        """Give back all or part of a captured order; the second value as with ``order``."""
        path = f"/v1/orders/{order_id}/refunds"
        return await self._numbered(path, request, RefundView, idempotency_key)

    async def explain(self, order_id: UUID) -> ExplainView:
        """Every fen of an order."""
        return await self._get(f"/v1/orders/{order_id}/explain", ExplainView)

    async def open_dispute(
        self, order_id: UUID, request: OpenDisputeRequest, idempotency_key: str | None = None
    ) -> tuple[DisputeView, bool]:
        """Dispute what the citizen paid of an order."""
        path = f"/v1/orders/{order_id}/disputes"
        return await self._keyed(path, request, DisputeView, idempotency_key)

    async def answer_dispute(
        self, dispute_id: UUID, request: AnswerDisputeRequest, idempotency_key: str | None = None
    ) -> tuple[DisputeView, bool]:
        """The merchant accepts or contests."""
        path = f"/v1/disputes/{dispute_id}/answer"
        return await self._keyed(path, request, DisputeView, idempotency_key)

    async def credit_dispute(
        self, dispute_id: UUID, idempotency_key: str | None = None
    ) -> tuple[DisputeView, bool]:
        """Give the citizen the money provisionally."""
        path = f"/v1/disputes/{dispute_id}/credit"
        return await self._keyed(path, None, DisputeView, idempotency_key)

    async def decide_dispute(
        self, dispute_id: UUID, request: DecideDisputeRequest, idempotency_key: str | None = None
    ) -> tuple[DisputeView, bool]:
        """The card centre's decision; final."""
        path = f"/v1/disputes/{dispute_id}/decision"
        return await self._keyed(path, request, DisputeView, idempotency_key)

    async def withdraw_dispute(
        self, dispute_id: UUID, idempotency_key: str | None = None
    ) -> tuple[DisputeView, bool]:
        """The citizen takes it back."""
        path = f"/v1/disputes/{dispute_id}/withdrawal"
        return await self._keyed(path, None, DisputeView, idempotency_key)

    async def read_dispute(self, dispute_id: UUID) -> DisputeView:
        """A dispute as it stands, with its journal."""
        return await self._get(f"/v1/disputes/{dispute_id}", DisputeView)

    async def dispute_evidence(self, dispute_id: UUID) -> EvidenceView:
        """What the books knew when it was opened."""
        return await self._get(f"/v1/disputes/{dispute_id}/evidence", EvidenceView)

    async def register_scene(self, request: RegisterSceneRequest) -> SceneView:
        """Register a scene; its code is the key, a second one is refused."""
        return await self._post("/v1/scenes", request, SceneView)

    async def change_scene(
        self, scene: str, request: ChangeSceneRequest, idempotency_key: str | None = None
    ) -> tuple[SceneView, bool]:
        """Give a registered scene its next version."""
        path = f"/v1/scenes/{scene}/versions"
        return await self._keyed(path, request, SceneView, idempotency_key)

    async def retire_scene(
        self, scene: str, request: RetireSceneRequest, idempotency_key: str | None = None
    ) -> tuple[SceneView, bool]:
        """Let a scene take no more orders."""
        path = f"/v1/scenes/{scene}/retirement"
        return await self._keyed(path, request, SceneView, idempotency_key)

    async def read_scene(self, scene: str) -> SceneView:
        """A registered scene as it is now."""
        return await self._get(f"/v1/scenes/{scene}", SceneView)

    async def scene_versions(self, scene: str) -> ScenesView:
        """Every version of a registered scene, oldest first."""
        return await self._get(f"/v1/scenes/{scene}/versions", ScenesView)

    async def scenes(self) -> ScenesView:
        """All registered scenes as they are now."""
        return await self._get("/v1/scenes", ScenesView)

    async def limits(self) -> LimitsView:
        """The newest version of every limit on orders."""
        return await self._get("/v1/limits", LimitsView)

    async def limit_versions(self, limit_id: str) -> LimitsView:
        """Every version of one limit."""
        return await self._get(f"/v1/limits/{limit_id}", LimitsView)

    async def arrears_of(self, user_id: UUID) -> ArrearsView:
        """What a person owes and owed."""
        return await self._get(f"/v1/users/{user_id}/arrears", ArrearsView)

    async def open_user(
        self, request: OpenUserRequest, idempotency_key: str | None = None
    ) -> tuple[UserView, bool]:
        """Register a person; the same person again is the existing one."""
        return await self._keyed("/v1/users", request, UserView, idempotency_key)

    async def read_user(self, user_id: UUID) -> UserView:
        """One user, masked, with balances."""
        return await self._get(f"/v1/users/{user_id}", UserView)

    async def issue_code(self, user_id: UUID, request: IssueCodeRequest) -> IssuedCodeView:
        """A dynamic code for a user's phone."""
        return await self._post(f"/v1/users/{user_id}/codes", request, IssuedCodeView)

    async def top_up(
        self, user_id: UUID, request: TopUpRequest, idempotency_key: str | None = None
    ) -> tuple[TopUpView, bool]:
        """Book money that a payment channel has received."""
        path = f"/v1/users/{user_id}/topups"
        return await self._keyed(path, request, TopUpView, idempotency_key)

    async def books(self) -> BooksView:
        """Trial balance and custody invariant."""
        return await self._get("/v1/books", BooksView)

    # -- how ----------------------------------------------------------------------------------

    async def _get(self, path: str, view: type[ViewT], **query: str) -> ViewT:
        answer = await self._ask("GET", path, params=query)
        return view.model_validate_json(answer.content)

    async def _post(self, path: str, request: BaseModel, view: type[ViewT]) -> ViewT:
        answer = await self._ask("POST", path, request)
        return view.model_validate_json(answer.content)

    async def _keyed(
        self, path: str, request: BaseModel | None, view: type[ViewT], key: str | None
    ) -> tuple[ViewT, bool]:
        answer = await self._ask_keyed(path, request, key)
        return view.model_validate_json(answer.content), _is_replayed(answer)

    async def _numbered(
        self, path: str, request: BaseModel, view: type[ViewT], key: str | None
    ) -> tuple[ViewT, Known]:
        """As ``_keyed``, where the merchant's own number names what is made: 200 if it did."""
        answer = await self._ask_keyed(path, request, key)
        known = Known.BY_KEY if _is_replayed(answer) else Known.NEW
        if answer.status_code == HTTPStatus.OK:
            known |= Known.BY_NUMBER
        return view.model_validate_json(answer.content), known

    async def _ask_keyed(
        self, path: str, request: BaseModel | None, key: str | None
    ) -> httpx2.Response:
        headers = {"Idempotency-Key": key or uuid4().hex}
        return await self._ask("POST", path, request, headers=headers)

    async def _ask(
        self,
        method: str,
        path: str,
        request: BaseModel | None = None,
        *,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> httpx2.Response:
        """The answer to one request, repeated while that may help.

        Raises:
            CardcoreError: what the server refuses, or that it cannot be reached.
        """
        content = None if request is None else request.model_dump_json().encode()
        own = {**(headers or {}), **({"Content-Type": "application/json"} if content else {})}
        refusal: CardcoreError = ServiceUnavailableError("the service cannot be reached")
        renewed = False
        for least_wait_s in (*self._waits_s, None):
            asked_wait_s = 0.0
            try:
                own["Authorization"] = f"Bearer {await self._access_token()}"
                answer = await self._http.request(
                    method, path, content=content, headers=own, params=params
                )
            except httpx2.TransportError:
                refusal = ServiceUnavailableError("the service cannot be reached")
            else:
                if answer.is_success:
                    return answer
                refusal = refusal_of(answer.status_code, answer.content)
                if answer.status_code == 401 and not renewed:
                    # The key of the tokens has changed, or this one was cut short: once more.
                    renewed, self._token_until = True, None
                    continue
                if not _may_help(answer, refusal):
                    raise refusal
                asked_wait_s = _asked_wait_s(answer)
            if least_wait_s is not None:
                await self._sleep(max(least_wait_s, asked_wait_s))
        raise refusal

    async def _access_token(self) -> str:
        async with self._signing_in:
            now = self._clock()
            if self._token_until is None or now >= self._token_until - TOKEN_MARGIN:
                await self._sign_in(now)
            return self._token

    async def _sign_in(self, now: datetime) -> None:
        audience = f"{self._base_url}/v1/oauth/token"
        proof = client_assertion(self._client_id, self._key, audience=audience, now=now)
        answer = await self._http.post(
            "/v1/oauth/token",
            data={
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": proof,
            },
        )
        if not answer.is_success:
            raise refusal_of(answer.status_code, answer.content)
        granted = answer.json()
        self._token = str(granted["access_token"])
        self._token_until = now + timedelta(seconds=int(granted["expires_in"]))


def _is_replayed(answer: httpx2.Response) -> bool:
    return bool(answer.headers.get("idempotent-replayed") == "true")


def _may_help(answer: httpx2.Response, refusal: CardcoreError) -> bool:
    return answer.status_code in _TRY_AGAIN or (
        refusal.retryable and answer.status_code in (409, 500)
    )


def _asked_wait_s(answer: httpx2.Response) -> float:
    text = answer.headers.get("retry-after", "0")
    return float(text) if text.isdecimal() and len(text) < 5 else 0.0
