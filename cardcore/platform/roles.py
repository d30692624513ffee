"""What operators of each role may do, as data. Pure."""

from enum import StrEnum
from typing import Final

from cardcore.caller import Scope


class Role(StrEnum):
    """A role of an operator."""

    AUDITOR = "auditor"
    CLERK = "clerk"
    SUPERVISOR = "supervisor"
    SECURITY = "security"


# Who proposes and who decides may be the same roles: the rule of four eyes is between people.
SCOPES: Final[dict[Role, frozenset[Scope]]] = {
    Role.AUDITOR: frozenset({Scope.AUDIT_READ, Scope.REPORTS_READ, Scope.CLIENTS_READ}),
    Role.CLERK: frozenset(
        {
            Scope.PROPOSALS_WRITE,
            Scope.DISPUTES_READ,
            Scope.REPORTS_READ,
            Scope.MERCHANTS_READ,
            Scope.TERMINALS_READ,
        }
    ),
    Role.SUPERVISOR: frozenset(
        {
            Scope.PROPOSALS_WRITE,
            Scope.PROPOSALS_DECIDE,
            Scope.DISPUTES_READ,
            Scope.REPORTS_READ,
            Scope.AUDIT_READ,
            Scope.MERCHANTS_READ,
            Scope.MERCHANTS_WRITE,
            Scope.TERMINALS_READ,
            Scope.TERMINALS_WRITE,
        }
    ),
    Role.SECURITY: frozenset(
        {
            Scope.CLIENTS_READ,
            Scope.CLIENTS_WRITE,
            Scope.OPERATORS_WRITE,
            Scope.PROPOSALS_WRITE,
            Scope.PROPOSALS_DECIDE,
        }
    ),
}


def scopes_of(roles: list[str]) -> frozenset[str]:
    """All that the roles allow together."""
    return frozenset(scope.value for role in roles for scope in SCOPES[Role(role)])
