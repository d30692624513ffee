"""The uniform user-account-business service: the core's one front door.

The same calls are served in-process and over HTTP. Each takes the authenticated caller first,
checks the caller's scope, and answers with a view or refuses with a ``CardcoreError``.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text

from cardcore.account.chart import LEDGER_CNY
from cardcore.account.closing import close_books
from cardcore.account.custody import custody_alarm, read_custody, with_check
from cardcore.account.request import CustodyQuery
from cardcore.account.views import BooksView, CustodyView
from cardcore.acts import Acts
from cardcore.arrears_service import ArrearsService
from cardcore.authorisation_service import AuthorisationService
from cardcore.books import transaction
from cardcore.business import merchants
from cardcore.business.order_batch import BATCHES_AT_ONCE, Booked, OrderWriter
from cardcore.business.order_codes import OrderCodes
from cardcore.business.order_facts import PreparedOrder
from cardcore.calendar import business_date
from cardcore.caller import Caller, ClientRecord, Scope
from cardcore.card_service import CardService
from cardcore.channel_service import ChannelService
from cardcore.citizen_service import CitizenService
from cardcore.dispute_service import DisputeService
from cardcore.errors import CardcoreError
from cardcore.family_service import FamilyService
from cardcore.foreign_orders import UniformOrderService
from cardcore.foreign_service import ForeignService
from cardcore.fund_service import FundService
from cardcore.lifecycle_service import LifecycleService
from cardcore.order_service import OrderService
from cardcore.parts import Parts
from cardcore.people_service import PeopleService
from cardcore.plate_service import PlateService
from cardcore.platform.service import Platform
from cardcore.rights_service import RightsService
from cardcore.rule_service import RuleService
from cardcore.scene_service import SceneService
from cardcore.sealed_service import SealedService
from cardcore.statement_service import StatementService
from cardcore.terminal_service import TerminalService
from cardcore.user.code_desk import CodeDesk
from cardcore.user.holders import READS_AT_ONCE, Asked, Found, Holders
from cardcore.user.issuer_keys import IssuingKey, read_issuer_keys
from hsm_sim.interface import HSMError
from ledger import QueryFilter
from ledger.group_commit import GroupCommit

PSEUDONYM_KEY: Final = "pseudonym"
PAIRWISE: Final = b"pairwise subject"
PAGE_SIZE_MAX: Final = 8189


class CardCore(
    PeopleService,
    CardService,
    UniformOrderService,
    AuthorisationService,
    TerminalService,
    LifecycleService,
    RightsService,
    SealedService,
    PlateService,
    DisputeService,
    SceneService,
    RuleService,
    FundService,
    ArrearsService,
    StatementService,
    ChannelService,
):
    """The whole service. Open it with ``serve_core``; all calls may be made concurrently."""

    def __init__(
        self,
        parts: Parts,
        orders: GroupCommit[PreparedOrder, Booked],
        writer: OrderWriter,
        codes: OrderCodes,
        desk: CodeDesk,
        holders: GroupCommit[Asked, Found],
        pseudonym_key: bytes,
    ) -> None:
        PeopleService.__init__(self, parts, pseudonym_key, holders, desk)
        CardService.__init__(self, parts)
        OrderService.__init__(self, parts, orders, writer, codes, desk)
        self.platform = Platform(parts)
        self.mine = CitizenService(self, parts)
        AuthorisationService.__init__(self, parts)
        TerminalService.__init__(self, parts)
        acts = Acts(parts)
        self.family = FamilyService(parts, acts)
        LifecycleService.__init__(self, parts, acts)
        RightsService.__init__(self, parts, acts)
        SealedService.__init__(self, parts, acts)
        PlateService.__init__(self, parts, acts)
        DisputeService.__init__(self, parts)
        SceneService.__init__(self, parts)
        RuleService.__init__(self, parts)
        FundService.__init__(self, parts)
        ArrearsService.__init__(self, parts)
        StatementService.__init__(self, parts)
        ChannelService.__init__(self, parts)
        ForeignService.__init__(self, parts)

    async def key_ring(self) -> dict[str, Any]:
        """The public keys every verifier needs. Public."""
        ring: dict[str, Any] = json.loads(self._parts.codes.ring.to_json())
        return ring

    def issuing_keys(self) -> tuple[IssuingKey, ...]:
        """The keys new codes may be signed with, newest last: names, never the keys."""
        return self._parts.codes.issuing

    async def refresh_keys(self) -> bool:
        """Take up issuer keys that were published, begun or ended since; were there any?"""
        parts = self._parts
        async with transaction(parts.engine) as (connection, _):
            keys = await read_issuer_keys(connection, parts.clock())
        signing = parts.package_signing
        in_use = (parts.codes.ring, parts.codes.issuing, signing.packages, signing.lists)
        if in_use == (keys.ring, keys.codes, keys.packages[-1], keys.lists[-1]):
            return False
        parts.codes.change_keys(keys.ring, keys.codes)
        signing.packages, signing.lists = keys.packages[-1], keys.lists[-1]
        return True

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

    async def custody(self, caller: Caller, query: CustodyQuery) -> CustodyView:
        """What the bank holds against what it must cover, at the end of a business date."""
        caller.require(Scope.REPORTS_READ)
        today = business_date(self._parts.clock(), self._parts.cut_off)
        on = query.on or today - timedelta(days=1)
        async with transaction(self._parts.engine) as (connection, raw):
            found = await read_custody(raw, on)
            return await with_check(connection, found)

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
                parts["custody"] = await custody_alarm(connection)
            parts["database"] = "ok"
        except CardcoreError as error:
            parts["database"] = error.code
        try:
            await self._parts.hsm.random(1)
            parts["hsm"] = "ok"
        except HSMError as error:
            parts["hsm"] = error.code
        return parts


@asynccontextmanager
async def serve_core(parts: Parts, kind: type[CardCore] = CardCore) -> AsyncIterator[CardCore]:
    """The service with its queues running; on leaving, what is under way is finished."""
    writer = OrderWriter(
        pool=parts.by_key,
        book=parts.book,
        pricers=parts.pricers,
        plans=parts.plans,
        rules=parts.rules,
        cut_off=parts.cut_off,
        random_bytes=parts.random_bytes,
    )
    pseudonym_key = await parts.hsm.mac(PSEUDONYM_KEY, PAIRWISE)
    desk = CodeDesk(parts.codes, parts.code_judge)
    codes = OrderCodes(writer, parts.hints)
    reader = Holders(parts.by_key)
    async with (
        GroupCommit(codes.execute, linger_max_s=0.0, batches_at_once=BATCHES_AT_ONCE) as orders,
        GroupCommit(reader.read, linger_max_s=0.0, batches_at_once=READS_AT_ONCE) as holders,
    ):
        yield kind(parts, orders, writer, codes, desk, holders, pseudonym_key)
