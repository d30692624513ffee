"""Funds beside paying: kinds and limits, funding plans, subsidies, credit lines, counts."""

from typing import Final

from adapters.http.examples import (
    CREDIT_LIMIT,
    CREDIT_REPAYMENT,
    FUNDING_PLAN,
    SUBSIDY_DEPOSIT,
    SUBSIDY_GRANT,
    SUBSIDY_PROGRAMME,
    TALLY,
)
from adapters.http.operation import Answer, Call, Noun
from cardcore.account.request import (
    CreditLimitRequest,
    DepositRequest,
    GrantRequest,
    PlanRequest,
    ProgrammeRequest,
    RepaymentRequest,
    TallyRequest,
)
from cardcore.account.views import (
    CreditLimitView,
    CreditLineView,
    FundKindsView,
    PlansView,
    PlanView,
    ProgrammeStandsView,
    ProgrammeView,
    RepaymentView,
    SubsidyMovementView,
    TalliesView,
    TallyEntryView,
)
from cardcore.caller import Scope
from cardcore.errors import (
    FundUnknownError,
    InsufficientBalanceError,
    LimitExceededError,
    ObligationsOpenError,
    OrderConflictError,
    PersonStateError,
    SceneUnknownError,
    UserFrozenError,
    UserUnknownError,
)

FUNDS: Final = Noun("funds", "Kinds of funds, funding plans, subsidies, credit lines, counts.")


@FUNDS.operation(
    "GET",
    "/v1/fund-kinds",
    summary="Kinds of funds with regime and limits",
    reply=FundKindsView,
    scope=Scope.FUNDS_ADMIN,
)
async def fund_kinds(call: Call[None]) -> Answer:
    """The law or rule each kind stands under, and what it may hold and turn over."""
    return Answer(view=await call.core.fund_kinds(call.caller))


@FUNDS.operation(
    "GET",
    "/v1/funding-plans",
    summary="Which funds each scene draws on",
    reply=PlansView,
    scope=Scope.FUNDS_ADMIN,
)
async def funding_plans(call: Call[None]) -> Answer:
    """First to last; `subsidy` stands for every earmarked subsidy that is good for the purchase."""
    return Answer(view=await call.core.funding_plans(call.caller))


@FUNDS.operation(
    "POST",
    "/v1/funding-plans/{scene}",
    summary="Change the funding plan of a scene",
    body=PlanRequest,
    reply=PlanView,
    status=201,
    keyed=True,
    scope=Scope.FUNDS_ADMIN,
    refusals=(SceneUnknownError, FundUnknownError),
    examples={"school": FUNDING_PLAN},
)
async def set_funding_plan(call: Call[PlanRequest]) -> Answer:
    """It holds from the next order on; orders name the version they were funded by."""
    view, replayed = await call.core.set_funding_plan(
        call.caller, call.path["scene"], call.body, call.key
    )
    return Answer(view=view, replayed=replayed)


@FUNDS.operation(
    "POST",
    "/v1/subsidy-programmes",
    summary="Register or change a subsidy programme",
    body=ProgrammeRequest,
    reply=ProgrammeView,
    status=201,
    keyed=True,
    scope=Scope.FUNDS_ADMIN,
    refusals=(SceneUnknownError, FundUnknownError, OrderConflictError),
    examples={"meals": SUBSIDY_PROGRAMME},
)
async def set_programme(call: Call[ProgrammeRequest]) -> Answer:
    """Where its money may be spent, and until when; what is left then goes back to the payer."""
    view, replayed = await call.core.set_programme(call.caller, call.body, call.key)
    return Answer(view=view, replayed=replayed)


@FUNDS.operation(
    "GET",
    "/v1/subsidy-programmes/{programme}",
    summary="Read a subsidy programme",
    reply=ProgrammeStandsView,
    scope=Scope.FUNDS_ADMIN,
)
async def read_programme(call: Call[None]) -> Answer:
    """As it stands, with what its payer has deposited and not granted."""
    return Answer(view=await call.core.read_programme(call.caller, call.path["programme"]))


@FUNDS.operation(
    "POST",
    "/v1/subsidy-programmes/{programme}/deposits",
    summary="Book what the payer of a programme has paid in",
    body=DepositRequest,
    reply=SubsidyMovementView,
    status=201,
    keyed=True,
    scope=Scope.FUNDS_ADMIN,
    refusals=(OrderConflictError,),
    examples={"bureau": SUBSIDY_DEPOSIT},
)
async def deposit(call: Call[DepositRequest]) -> Answer:
    """Once per `channel_no`, however often it is told."""
    view, replayed = await call.core.deposit(
        call.caller, call.path["programme"], call.body, call.key
    )
    return Answer(view=view, replayed=replayed)


@FUNDS.operation(
    "POST",
    "/v1/subsidy-programmes/{programme}/grants",
    summary="Give a person money of a programme",
    body=GrantRequest,
    reply=SubsidyMovementView,
    status=201,
    keyed=True,
    scope=Scope.FUNDS_ADMIN,
    refusals=(
        UserUnknownError,
        UserFrozenError,
        PersonStateError,
        FundUnknownError,
        LimitExceededError,
        InsufficientBalanceError,
    ),
    examples={"pupil": SUBSIDY_GRANT},
)
async def grant(call: Call[GrantRequest]) -> Answer:
    """Out of the payer's deposit, into the person's earmarked fund."""
    view, replayed = await call.core.grant(call.caller, call.path["programme"], call.body, call.key)
    return Answer(view=view, replayed=replayed)


@FUNDS.operation(
    "POST",
    "/v1/users/{user_id}/credit-lines/{fund}",
    summary="Open a credit line or change its limit",
    body=CreditLimitRequest,
    reply=CreditLimitView,
    status=201,
    keyed=True,
    scope=Scope.FUNDS_ADMIN,
    refusals=(
        UserUnknownError,
        PersonStateError,
        FundUnknownError,
        LimitExceededError,
        ObligationsOpenError,
    ),
    examples={"parking": CREDIT_LIMIT},
)
async def set_credit_limit(call: Call[CreditLimitRequest]) -> Answer:
    """The fund may go below zero as far as the limit; it is paid back by topping it up."""
    view, replayed = await call.core.set_credit_limit(
        call.caller, call.id("user_id"), call.path["fund"], call.body, call.key
    )
    return Answer(view=view, replayed=replayed)


@FUNDS.operation(
    "GET",
    "/v1/users/{user_id}/credit-lines/{fund}",
    summary="Read a credit line",
    reply=CreditLineView,
    scope=Scope.FUNDS_ADMIN,
    refusals=(UserUnknownError, FundUnknownError),
)
async def read_credit_line(call: Call[None]) -> Answer:
    """Its limit, what is owed on it and what is held."""
    return Answer(
        view=await call.core.credit_line(call.caller, call.id("user_id"), call.path["fund"])
    )


@FUNDS.operation(
    "POST",
    "/v1/users/{user_id}/credit-lines/{fund}/repayments",
    summary="Pay a credit line back out of a fund",
    body=RepaymentRequest,
    reply=RepaymentView,
    status=201,
    keyed=True,
    scope=Scope.FUNDS_ADMIN,
    refusals=(
        UserUnknownError,
        PersonStateError,
        UserFrozenError,
        FundUnknownError,
        LimitExceededError,
        InsufficientBalanceError,
    ),
    examples={"all that is owed": CREDIT_REPAYMENT},
)
async def repay_credit(call: Call[RepaymentRequest]) -> Answer:
    """As much as is owed, as far as the fund reaches; or exactly `amount_fen`."""
    view, replayed = await call.core.repay_credit(
        call.caller, call.id("user_id"), call.path["fund"], call.body, call.key
    )
    return Answer(view=view, replayed=replayed)


@FUNDS.operation(
    "GET",
    "/v1/users/{user_id}/tallies",
    summary="Counts of a user",
    reply=TalliesView,
    scope=Scope.USERS_READ,
    refusals=(UserUnknownError,),
)
async def tallies(call: Call[None]) -> Answer:
    """Rides and visits left, and figures that are noted but are not our money."""
    return Answer(view=await call.core.tallies(call.caller, call.id("user_id")))


_TALLY_REFUSALS: Final = (
    UserUnknownError,
    UserFrozenError,
    PersonStateError,
    FundUnknownError,
)


@FUNDS.operation(
    "POST",
    "/v1/users/{user_id}/tallies/{fund}",
    summary="Give a user counts",
    body=TallyRequest,
    reply=TallyEntryView,
    status=201,
    keyed=True,
    scope=Scope.FUNDS_ADMIN,
    refusals=(*_TALLY_REFUSALS, LimitExceededError),
    examples={"rides": TALLY},
)
async def give_tally(call: Call[TallyRequest]) -> Answer:
    """Whole counts, never fen."""
    view, replayed = await call.core.give_tally(
        call.caller, call.id("user_id"), call.path["fund"], call.body, call.key
    )
    return Answer(view=view, replayed=replayed)


@FUNDS.operation(
    "POST",
    "/v1/users/{user_id}/tallies/{fund}/uses",
    summary="Use counts of a user",
    body=TallyRequest,
    reply=TallyEntryView,
    status=201,
    keyed=True,
    scope=Scope.FUNDS_ADMIN,
    refusals=(*_TALLY_REFUSALS, InsufficientBalanceError),
    examples={"ride": TALLY},
)
async def use_tally(call: Call[TallyRequest]) -> Answer:
    """Never more than are left."""
    view, replayed = await call.core.use_tally(
        call.caller, call.id("user_id"), call.path["fund"], call.body, call.key
    )
    return Answer(view=view, replayed=replayed)
