"""The uniform user-account-business service: the core's one front door.

The same calls are served in-process and over HTTP. Each takes the authenticated caller first,
checks the caller's scope, and answers with a view or refuses with a ``CardcoreError``.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import time
from typing import Any, Final
from uuid import UUID

from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore import tables
from cardcore.account.chart import LEDGER_CNY
from cardcore.account.closing import close_books
from cardcore.account.funds import Funds
from cardcore.account.request import TopUpRequest
from cardcore.account.views import BooksView, TopUpView
from cardcore.books import RawConnection, transaction
from cardcore.business import merchants
from cardcore.business.explain import explain
from cardcore.business.holds import Holds
from cardcore.business.order_batch import Booked, OrderWriter
from cardcore.business.order_facts import PreparedOrder
from cardcore.business.orders import find_order_id, load_order
from cardcore.business.refunds import Refunds
from cardcore.business.request import (
    CaptureRequest,
    Mode,
    OrderRequest,
    QuoteRequest,
    RefundRequest,
    VerifyRequest,
)
from cardcore.business.views import (
    ExplainView,
    LineView,
    OrderView,
    QuoteView,
    RefundView,
    UserView,
    VerifyView,
)
from cardcore.calendar import CUT_OFF_DEFAULT, business_date
from cardcore.caller import Caller, ClientRecord, Scope
from cardcore.errors import (
    CardcoreError,
    CodeRefusedError,
    ForbiddenError,
    NotFoundError,
    UserUnknownError,
)
from cardcore.ids import RandomBytes
from cardcore.once import once
from cardcore.ports import Clock, ScenePricer
from cardcore.user.citizen_codes import CitizenCodes
from cardcore.user.people import People
from cardcore.user.personal_data import PersonalData
from cardcore.user.presented import PresentedCode
from cardcore.user.request import IssueCodeRequest, OpenUserRequest
from cardcore.user.views import IssuedCodeView
from hsm_sim.interface import HSM, HSMError
from ledger import GroupCommit, Ledger, QueryFilter

PSEUDONYM_KEY: Final = "pseudonym"
PAGE_SIZE_MAX: Final = 8189


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the service is built from. Made by the wiring alone.

    ``pool`` serves the hot paths, ``engine`` everything else; both lead to one database.
    """

    engine: AsyncEngine
    pool: AsyncConnectionPool[RawConnection]
    book: Ledger
    hsm: HSM
    codes: CitizenCodes
    pricers: Mapping[str, ScenePricer]
    plans: Mapping[str, Sequence[str]]
    clock: Clock
    random_bytes: RandomBytes
    cut_off: time = CUT_OFF_DEFAULT


class CardCore:
    """The service. Open it with ``serve_core``; all methods may be called concurrently."""

    def __init__(
        self,
        parts: Parts,
        orders: GroupCommit[PreparedOrder, Any],
        writer: OrderWriter,
        pseudonym_key: bytes,
    ) -> None:
        self._parts = parts
        self._orders = orders
        self._writer = writer
        self._pseudonym_key = pseudonym_key
        self._people = People(PersonalData(parts.hsm))
        self._funds = Funds(parts.book, parts.random_bytes)
        self._refunds = Refunds(parts.book, parts.random_bytes)
        self._holds = Holds(parts.book, parts.random_bytes)

    # -- who ---------------------------------------------------------------------------------

    async def verify(self, caller: Caller, request: VerifyRequest) -> VerifyView:
        """Who presents this code, as far as this merchant may know. Spends nothing.

        Raises:
            CodeRefusedError: the code is not accepted here, or was used before.
            UserUnknownError: its alias leads to nobody.
        """
        caller.require(Scope.VERIFY)
        now = self._parts.clock()
        if request.user.credential is None:
            raise ForbiddenError("only a presented credential can be verified", field="user")
        self._require_merchant(caller, request.merchant_id)
        code = self._parts.codes.accept(
            request.user.credential,
            scene=request.scene,
            places=(request.terminal_id,),
            pays=False,
            now=now,
        )
        on = business_date(now, self._parts.cut_off)
        async with transaction(self._parts.engine) as (connection, _):
            token = tables.code_token.c
            row = (
                await connection.execute(
                    select(tables.person.c.user_id, tables.person.c.level, tables.person.c.status)
                    .join(tables.code_token, token.user_id == tables.person.c.user_id)
                    .where(token.token == code.token)
                )
            ).one_or_none()
            if row is None:
                raise UserUnknownError(field="user.credential")
            used = await connection.execute(
                select(tables.used_code.c.order_id).where(
                    tables.used_code.c.replay_key == code.replay_key
                )
            )
            if used.one_or_none() is not None:
                raise CodeRefusedError("code_replayed", "this code was used before")
            concessions = await self._people.concessions(connection, row.user_id, on)
        return VerifyView(
            subject=self._pseudonym(request.merchant_id, row.user_id),
            level=row.level,
            concessions=sorted(concessions),
            restrictions=[] if row.status == "active" else [row.status],
            code_class=code.code_class,
            expires_at=code.expires_at,
        )

    async def open_user(
        self, caller: Caller, request: OpenUserRequest, idempotency_key: str
    ) -> tuple[UserView, bool]:
        """Register a real-name person with funds; the same person again is the existing one."""
        caller.require(Scope.USERS_WRITE)
        now = self._parts.clock()
        today = business_date(now, self._parts.cut_off)

        async def perform(connection: AsyncConnection, raw: RawConnection) -> tuple[UUID, UserView]:
            user_id, _ = await self._people.open(connection, request, now=now, today=today)
            person = await self._people.read(connection, user_id)
            await self._funds.open(
                connection, raw, user_id=user_id, level=person.level, kinds=request.funds, now=now
            )
            return user_id, await self._user_view(connection, raw, user_id)

        return await once(
            self._parts.engine,
            caller=caller,
            key=idempotency_key,
            digest=_digest("open_user", request),
            action="open_user",
            subject="person",
            now=now,
            perform=perform,
            recall=self._user_view,
        )

    async def read_user(self, caller: Caller, user_id: UUID) -> UserView:
        """One user, masked, with balances. For the card centre's own callers."""
        caller.require(Scope.USERS_WRITE)
        async with transaction(self._parts.engine) as (connection, raw):
            return await self._user_view(connection, raw, user_id)

    async def issue_code(
        self, caller: Caller, user_id: UUID, request: IssueCodeRequest
    ) -> IssuedCodeView:
        """A dynamic code for a user's phone."""
        caller.require(Scope.CODES_ISSUE)
        async with transaction(self._parts.engine) as (connection, _):
            person = await self._people.read(connection, user_id)
            if person.status != "active":
                raise NotFoundError(field="user_id")
            return await self._parts.codes.issue(
                connection, user_id, request, now=self._parts.clock()
            )

    async def key_ring(self) -> dict[str, Any]:
        """The public keys every verifier needs. Public."""
        ring: dict[str, Any] = json.loads(self._parts.codes.ring.to_json())
        return ring

    # -- with what ---------------------------------------------------------------------------

    async def top_up(
        self, caller: Caller, user_id: UUID, request: TopUpRequest, idempotency_key: str
    ) -> tuple[TopUpView, bool]:
        """Book money that a payment channel has received for a user's fund."""
        caller.require(Scope.FUNDS_WRITE)
        now = self._parts.clock()
        on = business_date(now, self._parts.cut_off)

        async def perform(
            connection: AsyncConnection, raw: RawConnection
        ) -> tuple[UUID, TopUpView]:
            await self._people.read(connection, user_id)
            return await self._funds.top_up(
                connection, raw, user_id=user_id, request=request, now=now, business_on=on
            )

        async def recall(
            connection: AsyncConnection, _: RawConnection, topup_id: UUID
        ) -> TopUpView:
            return await self._funds.topup_view(connection, topup_id)

        return await once(
            self._parts.engine,
            caller=caller,
            key=idempotency_key,
            digest=_digest(f"topup/{user_id}", request),
            action="topup",
            subject=f"user/{user_id}",
            now=now,
            perform=perform,
            recall=recall,
        )

    async def books(self, caller: Caller) -> BooksView:
        """Trial balance and custody invariant over all accounts, in one snapshot."""
        caller.require(Scope.REPORTS_READ)
        found = []
        async with transaction(self._parts.engine) as (connection, raw):
            # One snapshot: balances read page by page must all be of the same instant.
            await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            since = 0
            while True:
                page = await self._parts.book.query_accounts(
                    QueryFilter(ledger=LEDGER_CNY, timestamp_min=since, limit=PAGE_SIZE_MAX),
                    connection=raw,
                )
                found.extend(page)
                if len(page) < PAGE_SIZE_MAX:
                    return close_books(found)
                since = page[-1].timestamp + 1

    # -- for what ----------------------------------------------------------------------------

    async def quote(self, caller: Caller, request: QuoteRequest) -> QuoteView:
        """What it would cost and who would pay. Books nothing, spends nothing."""
        caller.require(Scope.ORDERS_WRITE)
        order = OrderRequest(user=request.user, account=request.account, business=request.business)
        prepared = self._prepare(caller, order, "")
        quoted = await self._writer.quote(prepared)
        return QuoteView(
            nominal_fen=quoted.nominal_fen,
            citizen_fen=quoted.citizen_fen,
            lines=[
                LineView(
                    line_no=line_no,
                    payer=line.payer.value,
                    fund=None,
                    amount_fen=line.amount_fen,
                    rule_id=line.rule_id,
                    rule_version=line.rule_version,
                    reason_zh=line.reason_zh,
                    reason_en=line.reason_en,
                )
                for line_no, line in enumerate(quoted.lines, start=1)
            ],
        )

    async def order(
        self, caller: Caller, request: OrderRequest, idempotency_key: str
    ) -> tuple[OrderView, bool]:
        """Verify, quote and book in one step: pay, hold, or record.

        Returns when the order is durable. The second value tells whether it was booked before.
        """
        caller.require(Scope.ORDERS_WRITE)
        outcome = await self._orders.submit(self._prepare(caller, request, idempotency_key))
        if isinstance(outcome, CardcoreError):
            raise outcome
        assert isinstance(outcome, Booked)
        return outcome.order.view(as_made=True), outcome.replayed

    async def read_order(self, caller: Caller, order_id: UUID) -> OrderView:
        """One order as it stands."""
        caller.require(Scope.ORDERS_READ)
        async with transaction(self._parts.engine) as (_, raw):
            return (await load_order(raw, caller, order_id)).view()

    async def find_order(self, caller: Caller, merchant_id: str, out_trade_no: str) -> OrderView:
        """The order a merchant's own number names: what to ask after a lost reply."""
        caller.require(Scope.ORDERS_READ)
        async with transaction(self._parts.engine) as (_, raw):
            order_id = await find_order_id(raw, merchant_id, out_trade_no)
            if order_id is None:
                raise NotFoundError(field="out_trade_no")
            return (await load_order(raw, caller, order_id)).view()

    async def capture(
        self, caller: Caller, order_id: UUID, request: CaptureRequest, idempotency_key: str
    ) -> tuple[OrderView, bool]:
        """Take all or part of a held order; the rest is released."""
        return await self._resolve(
            caller, order_id, request.amount_fen, idempotency_key, _digest("capture", request)
        )

    async def void(
        self, caller: Caller, order_id: UUID, idempotency_key: str
    ) -> tuple[OrderView, bool]:
        """Release a held order."""
        return await self._resolve(caller, order_id, 0, idempotency_key, b"void".ljust(32, b"\0"))

    async def refund(
        self, caller: Caller, order_id: UUID, request: RefundRequest, idempotency_key: str
    ) -> tuple[RefundView, bool]:
        """Give back all or part of a captured order to where it came from."""
        caller.require(Scope.REFUNDS_WRITE)
        now = self._parts.clock()
        on = business_date(now, self._parts.cut_off)
        digest = _digest(f"refund/{order_id}", request)

        async def perform(
            connection: AsyncConnection, raw: RawConnection
        ) -> tuple[UUID, RefundView]:
            return await self._refunds.refund(
                connection,
                raw,
                caller=caller,
                order_id=order_id,
                request=request,
                digest=digest,
                now=now,
                business_on=on,
            )

        return await once(
            self._parts.engine,
            caller=caller,
            key=idempotency_key,
            digest=digest,
            action="refund",
            subject=f"order/{order_id}",
            now=now,
            perform=perform,
            recall=self._refunds.view,
        )

    async def explain(self, caller: Caller, order_id: UUID) -> ExplainView:
        """Every fen of an order."""
        caller.require(Scope.ORDERS_READ)
        async with transaction(self._parts.engine) as (connection, raw):
            order = await load_order(raw, caller, order_id)
            return await explain(connection, raw, self._parts.book, order)

    # -- platform ----------------------------------------------------------------------------

    async def client(self, client_id: str) -> ClientRecord | None:
        """A registered client, for the token endpoint."""
        async with transaction(self._parts.engine) as (connection, _):
            return await merchants.find_client(connection, client_id)

    async def ready(self) -> dict[str, str]:
        """Each part the service needs: ``ok``, or why not."""
        parts: dict[str, str] = {}
        try:
            async with transaction(self._parts.engine) as (connection, _):
                await connection.execute(text("SELECT 1"))
            parts["database"] = "ok"
        except CardcoreError as error:
            parts["database"] = error.code
        try:
            await self._parts.hsm.random(1)
            parts["hsm"] = "ok"
        except HSMError as error:
            parts["hsm"] = error.code
        return parts

    # -- within ------------------------------------------------------------------------------

    def _prepare(self, caller: Caller, request: OrderRequest, key: str) -> PreparedOrder:
        """Everything about an order that needs no database."""
        now = self._parts.clock()
        code: PresentedCode | None = None
        refusal: CardcoreError | None = None
        if request.user.credential is None:
            if caller.merchant_id is not None:
                raise ForbiddenError("a merchant names users by credential", field="user.user_id")
        else:
            business = request.business
            line = business.details.get("line")
            try:
                code = self._parts.codes.accept(
                    request.user.credential,
                    scene=business.scene,
                    places=(business.terminal_id, line)
                    if isinstance(line, str)
                    else (business.terminal_id,),
                    pays=request.mode is not Mode.RECORD,
                    now=now,
                )
            except CardcoreError as error:
                # Not raised yet: a retry of a request that was booked must get its answer, even
                # though its code has expired since.
                refusal = error
        return PreparedOrder(
            caller=caller,
            request=request,
            key=key,
            digest=_digest("order", request),
            code=code,
            refusal=refusal,
            received_at=now,
            business_on=business_date(now, self._parts.cut_off),
        )

    async def _resolve(
        self,
        caller: Caller,
        order_id: UUID,
        amount_fen: int | None,
        idempotency_key: str,
        digest: bytes,
    ) -> tuple[OrderView, bool]:
        caller.require(Scope.ORDERS_WRITE)
        now = self._parts.clock()

        async def perform(
            connection: AsyncConnection, raw: RawConnection
        ) -> tuple[UUID, OrderView]:
            return await self._holds.resolve(
                connection,
                raw,
                caller=caller,
                order_id=order_id,
                amount_fen=amount_fen,
                now=now,
            )

        async def recall(_: AsyncConnection, raw: RawConnection, resolved: UUID) -> OrderView:
            return (await load_order(raw, caller, resolved)).view()

        return await once(
            self._parts.engine,
            caller=caller,
            key=idempotency_key,
            digest=hashlib.sha256(order_id.bytes + digest).digest(),
            action="void" if amount_fen == 0 else "capture",
            subject=f"order/{order_id}",
            now=now,
            perform=perform,
            recall=recall,
        )

    async def _user_view(
        self, connection: AsyncConnection, raw: RawConnection, user_id: UUID
    ) -> UserView:
        person = await self._people.read(connection, user_id)
        name, id_no = await self._people.masked(person)
        on = business_date(self._parts.clock(), self._parts.cut_off)
        return UserView(
            user_id=user_id,
            level=person.level,
            status=person.status,
            name_masked=name,
            id_no_masked=id_no,
            concessions=sorted(await self._people.concessions(connection, user_id, on)),
            funds=await self._funds.read(connection, raw, user_id),
        )

    def _pseudonym(self, merchant_id: str, user_id: UUID) -> str:
        """The same person is another subject at every merchant, so two cannot compare notes."""
        digest = hmac.digest(
            self._pseudonym_key, merchant_id.encode() + b"\0" + user_id.bytes, "sha256"
        )
        return base64.b32encode(digest[:15]).decode().lower()

    def _require_merchant(self, caller: Caller, merchant_id: str) -> None:
        if caller.merchant_id not in (None, merchant_id):
            raise NotFoundError(field="merchant_id")


@asynccontextmanager
async def serve_core(parts: Parts) -> AsyncIterator[CardCore]:
    """The service with its order writer running; on leaving, orders under way are finished."""
    writer = OrderWriter(
        pool=parts.pool,
        book=parts.book,
        pricers=parts.pricers,
        plans=parts.plans,
        random_bytes=parts.random_bytes,
    )
    pseudonym_key = await parts.hsm.mac(PSEUDONYM_KEY, b"pairwise subject")
    async with GroupCommit(writer.execute) as orders:
        yield CardCore(parts, orders, writer, pseudonym_key)


def _digest(action: str, request: BaseModel) -> bytes:
    """SHA-256 over what was asked: two requests with the same key must be the same request."""
    return hashlib.sha256(action.encode() + b"\0" + request.model_dump_json().encode()).digest()
