"""What is answered about invitations to pay for one another."""

from datetime import datetime
from uuid import UUID

from cardcore.model import Model
from cardcore.user.people_views import DelegationView


class InvitationView(Model):
    """The terms of an invitation, and what became of it: open, accepted, withdrawn, expired."""

    invitation_id: UUID
    inviter_pays: bool
    kind: str
    scenes: list[str]
    use: str
    order_fen_max: int
    day_fen_max: int
    month_fen_max: int | None
    valid_to: datetime
    expires_at: datetime
    state: str


class MadeInvitationView(InvitationView):
    """A new invitation; its code is in this one answer and nowhere else."""

    code: str


class ShownInvitationView(InvitationView):
    """An invitation as the invited person sees it before they agree."""

    inviter_name_masked: str | None


class InvitationsView(Model):
    """The invitations of a person, newest first."""

    invitations: list[InvitationView]


class FamilyDelegationView(DelegationView):
    """Who pays for whom; of the other person the name, masked."""

    other_name_masked: str | None


class FamilyView(Model):
    """Delegations to and from a person, oldest first."""

    delegations: list[FamilyDelegationView]
