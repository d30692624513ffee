"""Webhook endpoints of merchants: registered, shut, listed with what was sent to them, replayed."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables as core_tables
from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.errors import MerchantUnknownError, NotFoundError
from cardcore.ids import new_id
from cardcore.parts import Parts
from cardcore.platform import tables
from cardcore.platform.cursors import after, read_cursor
from cardcore.platform.errors import WebhookEndpointsFullError
from cardcore.platform.request import NewWebhookEndpoint, Page
from cardcore.platform.views import (
    WebhookAttemptView,
    WebhookDeliveriesView,
    WebhookDeliveryView,
    WebhookEndpointsView,
    WebhookEndpointView,
    WebhookKeysView,
)
from cardcore.platform.webhook_message import public_key_text
from cardcore.platform.webhook_schedule import TRIES_MAX, Network, require_fit_url

SIGNING_KEY: Final = "webhook-signing"
ENDPOINTS_MAX: Final = 10
_LAST: Final = "f" * 32


class Webhooks:
    """What merchants do with their webhooks. Sending is ``deliveries``."""

    def __init__(self, parts: Parts, private: Sequence[Network]) -> None:
        self._parts = parts
        self._private = private

    async def register(self, caller: Caller, request: NewWebhookEndpoint) -> WebhookEndpointView:
        """Register an endpoint; the same again is answered with what is there.

        Raises:
            MerchantUnknownError: no such merchant of this caller.
            WebhookURLRefusedError: the URL is not fit.
            WebhookEndpointsFullError: the merchant has ten.
        """
        _require_own(caller, request.merchant_id)
        require_fit_url(request.url, self._private)
        now = self._parts.clock()
        topics = sorted(set(request.topics))
        endpoint = tables.webhook_endpoint.c
        async with transaction(self._parts.engine) as (connection, _):
            merchant = core_tables.merchant.c.merchant_id
            known = await connection.execute(
                # Locked: two registrations at once must see each other.
                select(merchant).where(merchant == request.merchant_id).with_for_update()
            )
            if known.one_or_none() is None:
                raise MerchantUnknownError(field="merchant_id")
            own = endpoint.merchant_id == request.merchant_id
            there = (
                await connection.execute(
                    select(tables.webhook_endpoint).where(
                        own,
                        endpoint.url == request.url,
                        endpoint.topics == topics,
                        endpoint.status == "active",
                    )
                )
            ).first()
            if there is not None:
                return WebhookEndpointView(**there._mapping)  # noqa: SLF001  (documented name)
            count = await connection.execute(
                select(func.count()).where(own, endpoint.status == "active")
            )
            if count.scalar_one() >= ENDPOINTS_MAX:
                raise WebhookEndpointsFullError(max=ENDPOINTS_MAX)
            endpoint_id = new_id(now, self._parts.random_bytes)
            await connection.execute(
                insert(tables.webhook_endpoint).values(
                    endpoint_id=endpoint_id,
                    merchant_id=request.merchant_id,
                    url=request.url,
                    topics=topics,
                    status="active",
                    recorded_at=now,
                )
            )
            return await _endpoint(connection, caller, endpoint_id)

    async def list(self, caller: Caller, merchant_id: str) -> WebhookEndpointsView:
        """A merchant's endpoints."""
        _require_own(caller, merchant_id)
        endpoint = tables.webhook_endpoint.c
        async with transaction(self._parts.engine) as (connection, _):
            rows = await connection.execute(
                select(tables.webhook_endpoint)
                .where(endpoint.merchant_id == merchant_id)
                .order_by(endpoint.endpoint_id)
            )
            return WebhookEndpointsView(
                endpoints=[WebhookEndpointView(**row._mapping) for row in rows]  # noqa: SLF001  (documented name)
            )

    async def disable(self, caller: Caller, endpoint_id: UUID) -> WebhookEndpointView:
        """Send nothing more there; what waits is cancelled."""
        caller.require(Scope.WEBHOOKS_WRITE)
        async with transaction(self._parts.engine) as (connection, _):
            found = await _endpoint(connection, caller, endpoint_id)
            if found.status == "active":
                await disable_endpoint(connection, endpoint_id, "merchant")
            return await _endpoint(connection, caller, endpoint_id)

    async def deliveries(
        self, caller: Caller, endpoint_id: UUID, page: Page
    ) -> WebhookDeliveriesView:
        """What was and will be sent to an endpoint, newest first."""
        caller.require(Scope.WEBHOOKS_WRITE)
        (before,) = read_cursor(page.cursor, (_LAST,))
        delivery = tables.webhook_delivery.c
        async with transaction(self._parts.engine) as (connection, _):
            await _endpoint(connection, caller, endpoint_id)
            ids = (
                (
                    await connection.execute(
                        select(delivery.delivery_id)
                        .where(
                            delivery.endpoint_id == endpoint_id,
                            delivery.delivery_id < _uuid(str(before)),
                        )
                        .order_by(delivery.delivery_id.desc())
                        .limit(page.limit + 1)
                    )
                )
                .scalars()
                .all()
            )
            shown = ids[: page.limit]
            return WebhookDeliveriesView(
                deliveries=[await _delivery(connection, one) for one in shown],
                next_cursor=after((shown[-1].hex,)) if len(ids) > page.limit else None,
            )

    async def replay(self, caller: Caller, delivery_id: UUID) -> WebhookDeliveryView:
        """Send a message again, under its own id, on a fresh schedule; also one that arrived."""
        caller.require(Scope.WEBHOOKS_WRITE)
        delivery = tables.webhook_delivery.c
        async with transaction(self._parts.engine) as (connection, _):
            endpoint_id = (
                await connection.execute(
                    select(delivery.endpoint_id).where(delivery.delivery_id == delivery_id)
                )
            ).scalar_one_or_none()
            if endpoint_id is None:
                raise NotFoundError(field="delivery_id")
            found = await _endpoint(connection, caller, endpoint_id)
            if found.status != "active":
                raise NotFoundError("the endpoint is disabled", field="delivery_id")
            await connection.execute(
                update(tables.webhook_delivery)
                .where(delivery.delivery_id == delivery_id)
                .values(status="pending", tries_left=TRIES_MAX, next_at=self._parts.clock())
            )
            return await _delivery(connection, delivery_id)

    async def keys(self) -> WebhookKeysView:
        """The public keys messages are signed with. Public."""
        info = await self._parts.hsm.describe(SIGNING_KEY)
        return WebhookKeysView(keys=[public_key_text(info.public_key)])


async def disable_endpoint(connection: AsyncConnection, endpoint_id: UUID, reason: str) -> None:
    """Shut an endpoint; what still waits for it is cancelled."""
    await connection.execute(
        update(tables.webhook_endpoint)
        .where(tables.webhook_endpoint.c.endpoint_id == endpoint_id)
        .values(status="disabled", disabled_reason=reason)
    )
    await connection.execute(
        update(tables.webhook_delivery)
        .where(
            tables.webhook_delivery.c.endpoint_id == endpoint_id,
            tables.webhook_delivery.c.status == "pending",
        )
        .values(status="cancelled")
    )


def _require_own(caller: Caller, merchant_id: str) -> None:
    caller.require(Scope.WEBHOOKS_WRITE)
    if caller.merchant_id not in (None, merchant_id):
        raise MerchantUnknownError(field="merchant_id")


def _uuid(text: str) -> UUID:
    try:
        return UUID(hex=text)
    except ValueError:
        return UUID(int=0)


async def _endpoint(
    connection: AsyncConnection, caller: Caller, endpoint_id: UUID
) -> WebhookEndpointView:
    row = (
        await connection.execute(
            select(tables.webhook_endpoint).where(
                tables.webhook_endpoint.c.endpoint_id == endpoint_id
            )
        )
    ).one_or_none()
    if row is None or caller.merchant_id not in (None, row.merchant_id):
        raise NotFoundError(field="endpoint_id")
    return WebhookEndpointView(**row._mapping)  # noqa: SLF001  (documented name)


async def _delivery(connection: AsyncConnection, delivery_id: UUID) -> WebhookDeliveryView:
    delivery, event = tables.webhook_delivery.c, tables.webhook_event.c
    row = (
        await connection.execute(
            select(tables.webhook_delivery, event.topic, event.subject_id)
            .join(tables.webhook_event, event.event_id == delivery.event_id)
            .where(delivery.delivery_id == delivery_id)
        )
    ).one()
    attempt = tables.webhook_attempt.c
    attempts = await connection.execute(
        select(attempt.attempt_no, attempt.begun_at, attempt.outcome, attempt.status_code)
        .where(attempt.delivery_id == delivery_id)
        .order_by(attempt.attempt_no)
    )
    return WebhookDeliveryView(
        delivery_id=row.delivery_id,
        endpoint_id=row.endpoint_id,
        message_id=f"msg_{row.event_id.hex}",
        topic=row.topic,
        subject_id=row.subject_id,
        status=row.status,
        next_at=row.next_at if row.status == "pending" else None,
        attempts=[WebhookAttemptView(**one._mapping) for one in attempts],  # noqa: SLF001  (documented name)
    )
