"""When a message is sent, and where it may be sent to. Pure."""

import ipaddress
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from cardcore.platform.errors import WebhookURLRefusedError

# After each failure; about three days together, as Standard Webhooks recommends.
WAITS: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
TRIES_MAX: Final = len(WAITS) + 1
URL_SIZE_MAX: Final = 500
TOPICS: Final = (
    "arrears.paid",
    "bus.passengers",
    "dispute.contested",
    "dispute.for_citizen",
    "dispute.for_merchant",
    "dispute.open",
    "dispute.withdrawn",
    "order.captured",
    "order.expired",
    "order.held",
    "order.part_captured",
    "order.recorded",
    "order.refunded",
    "order.voided",
    "terminal.record_gap",
    "terminal.record_gap_filled",
)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class Outcome(StrEnum):
    """How one attempt ended."""

    DELIVERED = "delivered"
    GONE = "gone"
    REDIRECTED = "redirected"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    ADDRESS_REFUSED = "address_refused"


def outcome_of(status_code: int) -> Outcome:
    """What an answer means: 2xx took it, 410 wants no more, a redirect is not followed."""
    if 200 <= status_code < 300:
        return Outcome.DELIVERED
    if status_code == 410:
        return Outcome.GONE
    return Outcome.REDIRECTED if 300 <= status_code < 400 else Outcome.REFUSED


def wait_after(tries_left: int) -> timedelta:
    """How long to wait when ``tries_left`` (1 or more) are left."""
    return WAITS[max(len(WAITS) - tries_left, 0)]


def may_reach(address: Address, private: Sequence[Network]) -> bool:
    """May a message go to this address?

    Only what the whole internet may reach, and what the installation names in ``private``: a
    merchant's URL must not become our hand inside our own network. An address that carries another
    one inside is judged by that one.
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if address.teredo is not None:
            return False
        if inner is not None:
            return may_reach(inner, private)
    if any(address in network for network in private if network.version == address.version):
        return True
    return address.is_global and not address.is_multicast


def require_fit_url(url: str, private: Sequence[Network]) -> None:
    """Raise ``WebhookURLRefusedError`` unless ``url`` may be registered.

    https with a host and nothing that hides where it leads. Plain http only where the installation
    names private networks (a demo, a test); the address itself is judged at each attempt.
    """

    def refuse(reason: str) -> WebhookURLRefusedError:
        return WebhookURLRefusedError(reason, field="url")

    if len(url) > URL_SIZE_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise refuse("at most 500 visible ASCII characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refuse("not a URL") from None
    if parts.scheme not in (("https", "http") if private else ("https",)):
        raise refuse("https is needed")
    if not parts.hostname or "@" in parts.netloc or parts.fragment or port == 0 or "\\" in url:
        raise refuse("host and path only: no user, no fragment")
    try:
        address = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return
    if not may_reach(address, private):
        raise refuse("not an address the internet can reach")
