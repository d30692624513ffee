"""Bringing webhook messages out, without becoming anybody's hand inside our own network.

The name is resolved here, every address it leads to is judged, and the connection goes to the
address that was judged: a name that answers differently a second later changes nothing. No redirect
is followed; 64 KiB of an answer are read and the rest is left; ten seconds are all there is.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Final

import httpx2

from cardcore.platform.deliveries import Sent
from cardcore.platform.webhook_schedule import Address, Network, Outcome, may_reach, outcome_of

TOTAL_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 64 * 1024


class HTTPSender:
    """Implements ``cardcore.platform.deliveries.Sender``.

    Args:
        private: private networks that may be reached, none in production.
        total_s: time for one attempt, from looking up the name to the last byte read.
    """

    def __init__(self, private: Sequence[Network], *, total_s: float = TOTAL_S) -> None:
        self._private = private
        self._total_s = total_s
        self._tls = ssl.create_default_context()

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
        """POST ``body`` to ``url``; see the module's docstring."""
        try:
            async with asyncio.timeout(self._total_s):
                return await self._send(httpx2.URL(url), headers, body)
        except TimeoutError:
            return Sent(outcome=Outcome.TIMED_OUT)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError):
            return Sent(outcome=Outcome.UNREACHABLE)

    async def _send(self, url: httpx2.URL, headers: Mapping[str, str], body: bytes) -> Sent:
        address = await self._address(url)
        if address is None:
            return Sent(outcome=Outcome.ADDRESS_REFUSED)
        async with (
            httpx2.AsyncClient(verify=self._tls, trust_env=False, timeout=self._total_s) as client,
            client.stream(
                "POST",
                url.copy_with(host=str(address)),
                headers={**headers, "host": url.netloc.decode("ascii"), "connection": "close"},
                content=body,
                extensions={"sni_hostname": url.host},
                follow_redirects=False,
            ) as answer,
        ):
            size = 0
            async for chunk in answer.aiter_raw():
                size += len(chunk)
                if size >= ANSWER_BYTES_MAX:
                    break
            return Sent(outcome=outcome_of(answer.status_code), status_code=answer.status_code)

    async def _address(self, url: httpx2.URL) -> Address | None:
        """The address to connect to; None where the name leads to one that may not be reached."""
        port = url.port or (443 if url.scheme == "https" else 80)
        found = await asyncio.get_running_loop().getaddrinfo(
            url.host, port, type=socket.SOCK_STREAM
        )
        addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
        if not addresses or not all(may_reach(one, self._private) for one in addresses):
            return None
        return addresses[0]
