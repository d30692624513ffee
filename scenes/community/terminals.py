"""What a community's gates carry and what their records mean. Implements ``TerminalScene``."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.connections import RawConnection
from cardcore.ports import ScenePricer
from cardcore.terminals.scene import AliasesOf, RecordedBusiness, RecordPlace
from scenes.community.access_part import ACCESS_PART, write_access_part
from scenes.community.pricing import PASSAGE, GatePricer
from scenes.community.service import load_access_book


class GateTerminals:
    """Doors and grants, people known by the aliases of their codes."""

    async def parts(
        self,
        connection: AsyncConnection,
        raw: RawConnection,  # noqa: ARG002  (the port's form)
        aliases_of: AliasesOf,
    ) -> Mapping[str, bytes]:
        """The access book, where doors are kept here."""
        book = await load_access_book(connection)
        if book is None:
            return {}
        aliases = await aliases_of(book.grants_of_user.keys())
        return {ACCESS_PART: write_access_part(book, aliases)}

    def business(self, place: RecordPlace, amount_fen: int) -> RecordedBusiness:  # noqa: ARG002
        """A passage: a gate reads codes of those who come in."""
        details: dict[str, object] = {"direction": "in"}
        if place.gate_id:
            details["door"] = place.gate_id
        return RecordedBusiness(type=PASSAGE, details=details)

    async def pricer(self, raw: RawConnection, rule_version: int) -> ScenePricer:  # noqa: ARG002
        """The gate has decided: the passage is recorded as it happened."""
        return GatePricer()
