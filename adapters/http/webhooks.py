"""``/v1/webhook-endpoints``: where merchants hear of their orders, and how telling them went."""

from typing import Final

from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.errors import MerchantUnknownError, NotFoundError
from cardcore.platform.errors import WebhookEndpointsFullError, WebhookURLRefusedError
from cardcore.platform.request import MerchantPage, NewWebhookEndpoint, Page
from cardcore.platform.views import (
    WebhookDeliveriesView,
    WebhookDeliveryView,
    WebhookEndpointsView,
    WebhookEndpointView,
    WebhookKeysView,
)

WEBHOOKS: Final = Noun("webhooks", "Endpoints that hear of orders, their deliveries, replay.")


@WEBHOOKS.operation(
    "POST",
    "/v1/webhook-endpoints",
    summary="Register an endpoint",
    body=NewWebhookEndpoint,
    reply=WebhookEndpointView,
    status=201,
    scope=Scope.WEBHOOKS_WRITE,
    refusals=(MerchantUnknownError, WebhookURLRefusedError, WebhookEndpointsFullError),
    examples={
        "orders": {
            "merchant_id": "bus-shanting",
            "url": "https://hooks.example.com/cardcore",
            "topics": ["order.*"],
        }
    },
)
async def register_webhook(call: Call[NewWebhookEndpoint]) -> Answer:
    """Only https, and an address the internet can reach; the same again is the same endpoint."""
    return Answer(view=await call.core.platform.webhooks.register(call.caller, call.body))


@WEBHOOKS.operation(
    "GET",
    "/v1/webhook-endpoints",
    summary="List endpoints",
    body=MerchantPage,
    reply=WebhookEndpointsView,
    scope=Scope.WEBHOOKS_WRITE,
    refusals=(MerchantUnknownError,),
)
async def list_webhooks(call: Call[MerchantPage]) -> Answer:
    """A merchant's endpoints, oldest first."""
    webhooks = call.core.platform.webhooks
    return Answer(view=await webhooks.list(call.caller, call.body.merchant_id))


@WEBHOOKS.operation(
    "POST",
    "/v1/webhook-endpoints/{endpoint_id}/disable",
    summary="Shut an endpoint",
    reply=WebhookEndpointView,
    scope=Scope.WEBHOOKS_WRITE,
    refusals=(NotFoundError,),
)
async def disable_webhook(call: Call[None]) -> Answer:
    """Nothing more is sent there; what waits is cancelled."""
    webhooks = call.core.platform.webhooks
    return Answer(view=await webhooks.disable(call.caller, call.id("endpoint_id")))


@WEBHOOKS.operation(
    "GET",
    "/v1/webhook-endpoints/{endpoint_id}/deliveries",
    summary="List deliveries",
    body=Page,
    reply=WebhookDeliveriesView,
    scope=Scope.WEBHOOKS_WRITE,
    refusals=(NotFoundError,),
)
async def list_deliveries(call: Call[Page]) -> Answer:
    """Newest first, each with all its attempts."""
    webhooks = call.core.platform.webhooks
    view = await webhooks.deliveries(call.caller, call.id("endpoint_id"), call.body)
    return Answer(view=view)


@WEBHOOKS.operation(
    "POST",
    "/v1/webhook-deliveries/{delivery_id}/replay",
    summary="Send a message again",
    reply=WebhookDeliveryView,
    scope=Scope.WEBHOOKS_WRITE,
    refusals=(NotFoundError,),
)
async def replay_delivery(call: Call[None]) -> Answer:
    """Under its own message id, on a fresh schedule; also one that arrived."""
    webhooks = call.core.platform.webhooks
    return Answer(view=await webhooks.replay(call.caller, call.id("delivery_id")))


@WEBHOOKS.operation(
    "GET",
    "/v1/webhook-keys",
    summary="The keys messages are signed with",
    reply=WebhookKeysView,
    public=True,
)
async def webhook_keys(call: Call[None]) -> Answer:
    """Ed25519 public keys in the form of Standard Webhooks (`whpk_…`)."""
    return Answer(view=await call.core.platform.webhooks.keys())
