"""Reading the rules orders are held to."""

from cardcore.books import transaction
from cardcore.business.limit_rules import LimitsView, limit_versions, list_limits
from cardcore.caller import Caller, Scope
from cardcore.parts import Parts


class RuleService:
    """Serves limits. They are set by four eyes, see ``cardcore.platform.proposal_effects``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def limits(self, caller: Caller) -> LimitsView:
        """The newest version of every limit on orders."""
        caller.require(Scope.SCENES_READ)
        async with transaction(self._parts.engine) as (connection, _):
            return await list_limits(connection)

    async def limit_versions(self, caller: Caller, limit_id: str) -> LimitsView:
        """Every version of one limit. Raises ``NotFoundError``."""
        caller.require(Scope.SCENES_READ)
        async with transaction(self._parts.engine) as (connection, _):
            return await limit_versions(connection, limit_id)
