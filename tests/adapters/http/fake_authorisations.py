"""The authorisations of the fake core: there is nobody to give one to."""

from uuid import UUID

from cardcore.caller import Caller, Scope
from cardcore.errors import UserUnknownError
from cardcore.user.authorisation_request import AuthoriseRequest, PrintCodeRequest
from cardcore.user.authorisation_views import AuthorisationView, PrintedCodeView


class FakeAuthorisations:
    """Same calls as ``AuthorisationService``."""

    async def authorise(
        self, caller: Caller, user_id: UUID, request: AuthoriseRequest
    ) -> AuthorisationView:
        caller.require(Scope.CODES_ISSUE)
        raise UserUnknownError(field="user_id")

    async def print_code(
        self, caller: Caller, user_id: UUID, request: PrintCodeRequest
    ) -> PrintedCodeView:
        caller.require(Scope.CODES_ISSUE)
        raise UserUnknownError(field="user_id")
