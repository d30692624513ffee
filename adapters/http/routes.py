"""A route that makes itself known, so that log and metrics can name it by its template."""

from starlette.routing import Match, Route
from starlette.types import Scope


class TemplateRoute(Route):
    """A plain route that notes itself as ``route`` in the scope, as FastAPI's own routes do."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See ``Route.matches``."""
        match, child_scope = super().matches(scope)
        if match is not Match.NONE:
            child_scope["route"] = self
        return match, child_scope
