"""What a scene tells of its terminals: parts of their package, and what their records mean.

Implemented by scenes whose terminals need more than keys and parameters; the others share
``PlainTerminals``.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.business.plain_pricing import PlainPricer
from cardcore.connections import RawConnection
from cardcore.ports import ScenePricer

AliasesOf = Callable[[Collection[UUID]], Awaitable[Mapping[UUID, Sequence[bytes]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPlace:
    """Where a record was made, as the terminal named it; "" where it did not."""

    line_id: str = ""
    stop_id: str = ""
    vehicle_id: str = ""
    gate_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedBusiness:
    """A record as a business: its type and details as the scene's pricer reads them.

    ``amount_fen`` is what the terminal took where the merchant names the amount, None where the
    scene prices.
    """

    type: str
    details: dict[str, object] = field(default_factory=dict)
    amount_fen: int | None = None


class TerminalScene(Protocol):
    """What terminals of one scene carry, and what their records say."""

    async def parts(
        self, connection: AsyncConnection, raw: RawConnection, aliases_of: AliasesOf
    ) -> Mapping[str, bytes]:
        """Parts of the package, by name. The same content must be the same bytes.

        Args:
            connection: a transaction to read in; ``raw`` is the same one.
            raw: the driver's connection.
            aliases_of: the aliases of all codes of these people that are checked off-line and
                valid now: a terminal knows nobody by id.
        """
        ...

    def business(self, place: RecordPlace, amount_fen: int) -> RecordedBusiness:
        """What a record made here is about; ``amount_fen`` is what the terminal took."""
        ...

    async def pricer(self, raw: RawConnection, rule_version: int) -> ScenePricer:
        """The scene's rules as they were in this version; 0 or unknown: as they are now."""
        ...


class PlainTerminals:
    """Terminals of a scene without rules of its own. A ``TerminalScene``."""

    async def parts(
        self,
        connection: AsyncConnection,  # noqa: ARG002  (the port's form)
        raw: RawConnection,  # noqa: ARG002
        aliases_of: AliasesOf,  # noqa: ARG002
    ) -> Mapping[str, bytes]:
        """Nothing beside keys, parameters and lists."""
        return {}

    def business(self, place: RecordPlace, amount_fen: int) -> RecordedBusiness:  # noqa: ARG002
        """A sale of what the terminal took; nothing taken is a visit."""
        if amount_fen == 0:
            return RecordedBusiness(type="visit")
        return RecordedBusiness(type="sale", amount_fen=amount_fen)

    async def pricer(self, raw: RawConnection, rule_version: int) -> ScenePricer:  # noqa: ARG002
        """The merchant's amount."""
        return PlainPricer()
