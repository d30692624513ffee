"""What becomes of a person in the register: levels, freezing, merging, closing, erasing.

Every act is answered with the journal's line about it, which never changes.
"""

from collections.abc import Mapping
from typing import Final

from adapters.http.examples import ACT, CLOSE, CONTACT, FUND_ACT, MERGE, SETTLE_CLAIM, UPGRADE
from adapters.http.operation import Answer, Call, Declared, Noun
from cardcore.account.views import ClaimView
from cardcore.business.views import OrdersView
from cardcore.caller import Scope
from cardcore.errors import (
    CardcoreError,
    FundUnknownError,
    LimitExceededError,
    ObligationsOpenError,
    OrderConflictError,
    PersonExistsError,
    PersonStateError,
    UserUnknownError,
)
from cardcore.model import Model
from cardcore.user.people_request import (
    Act,
    CloseRequest,
    ContactRequest,
    FundAct,
    MergeRequest,
    OrdersQuery,
    SettleClaimRequest,
    UpgradeRequest,
)
from cardcore.user.people_views import HistoryView, LifeEventView

LIFECYCLE: Final = Noun("lifecycle", "Levels, freezing, death, merging, closing, erasing.")


def act_of(  # the one form of all acts, here and in ``rights``
    summary: str,
    body: type[Model],
    example: Mapping[str, object],
    *refusals: type[CardcoreError],
    scope: Scope = Scope.USERS_ADMIN,
) -> Declared:
    """Declare an act: keyed, answered with its event."""
    return Declared(
        summary=summary,
        body=body,
        reply=LifeEventView,
        status=201,
        keyed=True,
        scope=scope,
        refusals=(PersonStateError, *refusals),
        examples={"act": example},
    )


def answered(done: tuple[LifeEventView, bool]) -> Answer:
    """The event, marked where it is one of before."""
    event, replayed = done
    return Answer(view=event, replayed=replayed)


@LIFECYCLE.operation(
    "POST",
    "/v1/users/{user_id}/level",
    **act_of(
        "Raise a user's level",
        UpgradeRequest,
        UPGRADE,
        UserUnknownError,
        PersonExistsError,
        scope=Scope.USERS_WRITE,
    ),
)
async def upgrade_user(call: Call[UpgradeRequest]) -> Answer:
    """To `phone` with a number that was verified, to `real_name` with name and identity number."""
    return answered(
        await call.core.upgrade_user(call.caller, call.id("user_id"), call.body, call.key)
    )


@LIFECYCLE.operation(
    "POST",
    "/v1/users/{user_id}/contact",
    **act_of(
        "Change phone number or address",
        ContactRequest,
        CONTACT,
        UserUnknownError,
        PersonExistsError,
        scope=Scope.USERS_WRITE,
    ),
)
async def change_contact(call: Call[ContactRequest]) -> Answer:
    """What is left out stays."""
    return answered(
        await call.core.change_contact(call.caller, call.id("user_id"), call.body, call.key)
    )


@LIFECYCLE.operation(
    "POST", "/v1/users/{user_id}/freeze", **act_of("Freeze a user", Act, ACT, UserUnknownError)
)
async def freeze_user(call: Call[Act]) -> Answer:
    """Nothing of this user works until unfrozen; codes shown before are refused at once."""
    return answered(
        await call.core.freeze_user(call.caller, call.id("user_id"), call.body, call.key)
    )


@LIFECYCLE.operation(
    "POST", "/v1/users/{user_id}/unfreeze", **act_of("Unfreeze a user", Act, ACT, UserUnknownError)
)
async def unfreeze_user(call: Call[Act]) -> Answer:
    """What is frozen by itself stays so."""
    return answered(
        await call.core.unfreeze_user(call.caller, call.id("user_id"), call.body, call.key)
    )


@LIFECYCLE.operation(
    "POST", "/v1/users/{user_id}/death", **act_of("Register a death", Act, ACT, UserUnknownError)
)
async def report_death(call: Call[Act]) -> Answer:
    """Nothing works any more; the heirs close the account and are paid out."""
    return answered(
        await call.core.report_death(call.caller, call.id("user_id"), call.body, call.key)
    )


@LIFECYCLE.operation(
    "POST",
    "/v1/users/{user_id}/death-withdrawal",
    **act_of("Take back the report of a death", Act, ACT, UserUnknownError),
)
async def withdraw_death(call: Call[Act]) -> Answer:
    """The user is frozen until somebody has looked."""
    return answered(
        await call.core.withdraw_death(call.caller, call.id("user_id"), call.body, call.key)
    )


@LIFECYCLE.operation(
    "POST",
    "/v1/users/{user_id}/fund-freeze",
    **act_of("Freeze one fund", FundAct, FUND_ACT, UserUnknownError, FundUnknownError),
)
async def freeze_fund(call: Call[FundAct]) -> Answer:
    """The user's other funds go on."""
    return answered(
        await call.core.freeze_fund(call.caller, call.id("user_id"), call.body, call.key)
    )


@LIFECYCLE.operation(
    "POST",
    "/v1/users/{user_id}/fund-unfreeze",
    **act_of("Unfreeze one fund", FundAct, FUND_ACT, UserUnknownError, FundUnknownError),
)
async def unfreeze_fund(call: Call[FundAct]) -> Answer:
    """It may be drawn on again."""
    return answered(
        await call.core.unfreeze_fund(call.caller, call.id("user_id"), call.body, call.key)
    )


@LIFECYCLE.operation(
    "POST",
    "/v1/users/{user_id}/merge",
    **act_of(
        "Merge a duplicate into a user",
        MergeRequest,
        MERGE,
        UserUnknownError,
        ObligationsOpenError,
        LimitExceededError,
        FundUnknownError,
    ),
)
async def merge_users(call: Call[MergeRequest]) -> Answer:
    """The user of the path survives; the duplicate's id leads there from now on.

    Money, cards, credentials, concessions and delegations move; orders can be read under both.
    """
    return answered(
        await call.core.merge_users(call.caller, call.id("user_id"), call.body, call.key)
    )


@LIFECYCLE.operation(
    "POST",
    "/v1/users/{user_id}/closure",
    **act_of("Close a user", CloseRequest, CLOSE, UserUnknownError, ObligationsOpenError),
)
async def close_user(call: Call[CloseRequest]) -> Answer:
    """Credentials end; the balance becomes a payout claim, named as the event's `object`.

    What must be settled first is named in `facts.open`.
    """
    return answered(
        await call.core.close_user(call.caller, call.id("user_id"), call.body, call.key)
    )


@LIFECYCLE.operation(
    "POST",
    "/v1/users/{user_id}/erasure",
    **act_of("Erase a closed user", Act, ACT, UserUnknownError, ObligationsOpenError),
)
async def erase_user(call: Call[Act]) -> Answer:
    """The person's key is destroyed: what is personal cannot be read again; the money stays."""
    return answered(
        await call.core.erase_user(call.caller, call.id("user_id"), call.body, call.key)
    )


@LIFECYCLE.operation(
    "GET",
    "/v1/users/{user_id}/history",
    summary="What was done to a user's records",
    reply=HistoryView,
    scope=Scope.USERS_READ,
    refusals=(UserUnknownError,),
)
async def read_history(call: Call[None]) -> Answer:
    """By whom, why and when, oldest first; merged duplicates included."""
    return Answer(view=await call.core.read_history(call.caller, call.id("user_id")))


@LIFECYCLE.operation(
    "GET",
    "/v1/users/{user_id}/orders",
    summary="A user's orders",
    body=OrdersQuery,
    reply=OrdersView,
    scope=Scope.USERS_READ,
    refusals=(UserUnknownError,),
)
async def list_orders(call: Call[OrdersQuery]) -> Answer:
    """Newest first, under all ids of the person. `next_before` of a page leads to the next."""
    return Answer(view=await call.core.list_orders(call.caller, call.id("user_id"), call.body))


@LIFECYCLE.operation(
    "GET",
    "/v1/payout-claims/{claim_id}",
    summary="Read a payout claim",
    reply=ClaimView,
    scope=Scope.FUNDS_WRITE,
)
async def read_claim(call: Call[None]) -> Answer:
    """Money of a closed user that waits to be paid out, or was."""
    return Answer(view=await call.core.read_claim(call.caller, call.id("claim_id")))


@LIFECYCLE.operation(
    "POST",
    "/v1/payout-claims/{claim_id}/settlement",
    **act_of(
        "Book that a claim was paid out",
        SettleClaimRequest,
        SETTLE_CLAIM,
        OrderConflictError,
        scope=Scope.FUNDS_WRITE,
    ),
)
async def settle_claim(call: Call[SettleClaimRequest]) -> Answer:
    """Once per claim, however often the channel says so."""
    return answered(
        await call.core.settle_claim(call.caller, call.id("claim_id"), call.body, call.key)
    )
