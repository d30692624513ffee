"""An extension of ASGI: the server offers to send a whole answer in one step.

An answer in two messages costs a search for bad characters in each name and value of its head; ours
are the same few declarations over and over, looked at once. Where a server does not offer this, an
answer goes out in two messages as ever.
"""

from typing import Final, Protocol

EXTENSION: Final = "cardcore.whole_answer"
"""Its name in ``scope["extensions"]``; what stands there is a ``SendWhole``."""


class SendWhole(Protocol):
    """Answers a request that nothing has been answered yet."""

    async def __call__(self, status: int, head: bytes, content: bytes) -> None:
        r"""Send it, or nothing where the client has left.

        Args:
            status: of the answer, one that has content.
            head: its header lines, each ended by CRLF, ``Content-Length`` among them, nothing
                about the connection; free of other control characters.
            content: all of it.
        """
        ...
