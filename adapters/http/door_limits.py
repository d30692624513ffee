"""How often one source may knock at the doors where nobody is known yet.

Signing in, exchanging a one-time code, enrolling and asking for a token cost a password hash or a
signature before anything is proven, so they are bounded by where a request comes from. The names a
request gives are not counted: whoever could make another's name wait could lock them out. What
stands beside this: the growing patience per operator, and codes that burn.

A source is an IPv4 address or the /64 of an IPv6 one. Behind a reverse proxy it is the address the
proxy tells of, where the installation has named the proxy; nobody else's word is taken.
"""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.http import headers as header
from adapters.http.rate_limits import Rate, RateLimits, SharedBuckets

Networks = Sequence[IPv4Network | IPv6Network]

# A whole depot behind one address comes back after a power cut: bursts are generous, the long run
# is not.
DOORS: Final[Mapping[str, Rate]] = {
    "/v1/oauth/token": Rate(per_s=20, burst=400),
    "/v1/operators/session": Rate(per_s=1, burst=30),
    "/v1/citizen-session": Rate(per_s=10, burst=200),
    "/v1/host-codes": Rate(per_s=50, burst=500),
    "/v1/enrolments": Rate(per_s=2, burst=100),
}
# How often a proven client may ask for a token: one lasts ten minutes.
TOKENS: Final = Rate(per_s=1, burst=60)
_HOPS_MAX: Final = 16


class DoorLimits:
    """The limits of all doors, as one worker keeps them.

    Args:
        monotonic: seconds.
        shared: buckets all workers share, where there is a cache.
        trusted: networks of reverse proxies whose ``X-Forwarded-For`` is believed.
        doors: rates by path.
        tokens: rate of a proven client at the token endpoint.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        shared: SharedBuckets | None = None,
        *,
        trusted: Networks = (),
        doors: Mapping[str, Rate] = DOORS,
        tokens: Rate = TOKENS,
    ) -> None:
        self._trusted = trusted
        self._doors = {
            path: RateLimits(rate, monotonic, shared, prefix=f"door:{path}:")
            for path, rate in doors.items()
        }
        self.tokens = RateLimits(tokens, monotonic, shared, prefix="token:")

    def around(self, path: str, app: ASGIApp) -> ASGIApp:
        """The app behind a path's door; itself where the path has none."""
        limits = self._doors.get(path)
        if limits is None:
            return app

        async def limited(scope: Scope, receive: Receive, send: Send) -> None:
            # Only what does something counts: looking whether one is signed in is not knocking.
            if scope["method"] == "POST":
                await limits.take(source_of(scope, self._trusted))
            await app(scope, receive, send)

        return limited


def source_of(scope: Scope, trusted: Networks) -> str:
    """Where a request comes from, as it is counted; ``unknown`` where it cannot be told."""
    peer = scope.get("client")
    found = "" if peer is None else str(peer[0])
    if not _is_trusted(found, trusted):
        return _counted(found)
    told = header.single(scope["headers"], b"x-forwarded-for")
    hops = [] if told is None else told.decode("latin-1").split(",")[-_HOPS_MAX:]
    while hops and _is_trusted(found, trusted):
        found = hops.pop().strip()
    return _counted(found)


def _is_trusted(text: str, trusted: Networks) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in trusted)


def _counted(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        # One customer of a provider has a whole /64 and may use another address each time.
        return str(ip_network((address, 64), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)
