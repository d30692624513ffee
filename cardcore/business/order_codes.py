"""The codes of a batch of orders: what came of judging them, before the batch is decided.

They were handed in when their orders came (``user/code_desk``), and were judged while those waited.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from cardcore.business.order_batch import Booked, OrderWriter
from cardcore.business.order_facts import PreparedOrder
from cardcore.errors import CardcoreError, CodeRefusedError
from cardcore.ports import ReplayHints, SpentCode
from cardcore.user.presented import PresentedCode

HINT_MARGIN_S: Final = 60


class OrderCodes:
    """Has batches of orders booked whose codes are still being judged.

    Args:
        writer: who books.
        hints: what a cache knows of spent codes.
    """

    def __init__(self, writer: OrderWriter, hints: ReplayHints) -> None:
        self._writer = writer
        self._hints = hints

    async def execute(self, batch: Sequence[PreparedOrder]) -> list[Booked | Exception]:
        """Judge, decide and book a batch; one outcome per order, in order, as ``OrderWriter``."""
        outcomes: dict[int, Booked | Exception] = {}
        judged: dict[int, PreparedOrder] = {}
        for position, one in enumerate(await self.judge(batch)):
            if isinstance(one, PreparedOrder):
                judged[position] = one
            else:
                outcomes[position] = one
        for position in await self._spent_by_others(judged):
            del judged[position]
            outcomes[position] = CodeRefusedError("code_replayed", "this code was used before")
        booked = await self._writer.execute([*judged.values()])
        outcomes |= dict(zip(judged, booked, strict=True))
        await self._remember(judged.values(), booked)
        return [outcomes[position] for position in range(len(batch))]

    async def judge(self, batch: Sequence[PreparedOrder]) -> list[PreparedOrder | Exception]:
        """Each with its code or with why it is refused; an exception is a fault of ours.

        A refusal is not raised: a retry of a request that was booked must get its answer, even
        though its code has expired since.
        """
        return [one if one.judging is None else _judged(one, await one.judging) for one in batch]

    async def _spent_by_others(self, judged: dict[int, PreparedOrder]) -> list[int]:
        """Whose codes the cache knows to have been spent by another request.

        A retry of the spending request, by its key or by the merchant's own number, is let
        through: it is to get the answer it got before.
        """
        asked = [(at, one, one.code.replay_key) for at, one in judged.items() if one.code]
        if not asked:
            return []
        found = await self._hints.spent_by([key for *_, key in asked])
        return [
            at
            for (at, one, _), name in zip(asked, found, strict=True)
            if name is not None and not set(name.split("\n")) & set(_request_name(one).split("\n"))
        ]

    async def _remember(
        self, judged: Iterable[PreparedOrder], outcomes: Iterable[Booked | Exception]
    ) -> None:
        spent = []
        for one, outcome in zip(judged, outcomes, strict=True):
            if one.code is not None and isinstance(outcome, Booked) and not outcome.known:
                lasts = one.code.expires_at - one.received_at
                ttl_s = int(lasts.total_seconds()) + HINT_MARGIN_S
                spent.append(SpentCode(one.code.replay_key, _request_name(one), ttl_s))
        if spent:
            await self._hints.remember(spent)


def _judged(
    prepared: PreparedOrder, answer: PresentedCode | Exception
) -> PreparedOrder | Exception:
    if isinstance(answer, PresentedCode):
        return prepared.judged(code=answer)
    if isinstance(answer, CardcoreError):
        return prepared.judged(refusal=answer)
    return answer


def _request_name(prepared: PreparedOrder) -> str:
    """The two names a request has: its key, and the merchant's own number."""
    business = prepared.request.business
    return (
        f"key {prepared.caller.client_id} {prepared.key}\n"
        f"no {business.merchant_id} {business.out_trade_no}"
    )
