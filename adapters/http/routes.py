"""Routes that make themselves known, so that log and metrics can name them by their template."""

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send


class TemplateRoute(Route):
    """A plain route that notes itself as ``route`` in the scope, as FastAPI's own routes do."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See ``Route.matches``."""
        match, child_scope = super().matches(scope)
        if match is not Match.NONE:
            child_scope["route"] = self
        return match, child_scope


class Shortcuts:
    """Leads a request for a path without parameters straight to its route, others to the router.

    The router tries one route after the other; with two hundred of them that shows in every order.
    """

    def __init__(self, routes: Iterable[BaseRoute], router: ASGIApp) -> None:
        self._router = router
        self._routes = {
            (method, route.path): route
            for route in routes
            if isinstance(route, TemplateRoute) and not route.param_convertors
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what is not HTTP has no method and goes to the router."""
        route = self._routes.get((scope.get("method", ""), scope.get("path", "")))
        if route is None:
            await self._router(scope, receive, send)
            return
        scope["route"] = route
        scope["path_params"] = {}
        await route.app(scope, receive, send)
