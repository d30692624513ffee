"""The verbs about funds beside paying: policy, subsidies, credit lines, counts."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.credit_lines import CreditLines
from cardcore.account.effect import Effect
from cardcore.account.fund_kinds import read_kinds
from cardcore.account.funding_policy import read_policy, set_plan
from cardcore.account.programmes import programme_of_version, programme_stands, write_programme
from cardcore.account.repayments import Repayments
from cardcore.account.request import (
    CreditLimitRequest,
    DepositRequest,
    GrantRequest,
    PlanRequest,
    ProgrammeRequest,
    RepaymentRequest,
    TallyRequest,
)
from cardcore.account.subsidies import Subsidies
from cardcore.account.tallies import Tallies
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
from cardcore.books import transaction
from cardcore.business.scenes import list_scenes
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.errors import PersonStateError, SceneUnknownError
from cardcore.once import Recall, once
from cardcore.parts import Parts, request_digest
from cardcore.user.people import People
from cardcore.user.personal_data import PersonalData

ViewT = TypeVar("ViewT", bound=BaseModel)


Work = Callable[[Effect], Awaitable[UUID]]


class FundService:
    """Serves funding plans, subsidy programmes, credit lines and tallies."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._people = People(PersonalData(parts.hsm))
        self._subsidies = Subsidies(parts.book, parts.random_bytes)
        self._credit = CreditLines(parts.book, parts.random_bytes)
        self._repayments = Repayments(parts.book, parts.random_bytes)
        self._tallies = Tallies(parts.book, parts.random_bytes)

    # -- policy ----------------------------------------------------------------------------------

    async def fund_kinds(self, caller: Caller) -> FundKindsView:
        """Kinds of funds with regime and limits."""
        caller.require(Scope.FUNDS_ADMIN)
        async with transaction(self._parts.engine) as (connection, _):
            return await read_kinds(connection)

    async def funding_plans(self, caller: Caller) -> PlansView:
        """Which funds each scene draws on."""
        caller.require(Scope.FUNDS_ADMIN)
        async with transaction(self._parts.engine) as (connection, raw):
            policy = await read_policy(raw)
            return PlansView(
                version=policy.version,
                plans=[await _plan(connection, scene) for scene in sorted(policy.plans)],
            )

    async def set_funding_plan(
        self, caller: Caller, scene: str, request: PlanRequest, idempotency_key: str
    ) -> tuple[PlanView, bool]:
        """Give a scene another plan; it holds from the next order on, in every process.

        Raises:
            SceneUnknownError: there is no such scene.
            FundUnknownError: a step that no plan can draw on.
        """

        async def work(effect: Effect) -> UUID:
            await self._require_scenes(effect.connection, {scene}, "scene")
            version = await set_plan(
                effect.connection,
                scene,
                request.steps,
                client_id=effect.client_id,
                reason=request.reason,
                now=effect.now,
            )
            return UUID(int=version)

        async def recall(connection: AsyncConnection, _: RawConnection, named: UUID) -> PlanView:
            return await _plan(connection, scene, version=named.int)

        return await self._effect(
            caller, "funding_plan", f"plan/{scene}", request, idempotency_key, work, recall
        )

    async def set_programme(
        self, caller: Caller, request: ProgrammeRequest, idempotency_key: str
    ) -> tuple[ProgrammeView, bool]:
        """Register a subsidy programme, or change what its money may be spent on.

        Raises:
            SceneUnknownError: one of the scenes is not there.
            FundUnknownError: the name is another kind of fund's.
            OrderConflictError: the programme is another payer's.
        """

        async def work(effect: Effect) -> UUID:
            await self._require_scenes(effect.connection, set(request.scenes), "scenes")
            version = await write_programme(
                effect.connection,
                effect.raw,
                self._parts.book,
                request,
                client_id=effect.client_id,
                now=effect.now,
            )
            return UUID(int=version)

        async def recall(
            connection: AsyncConnection, _: RawConnection, named: UUID
        ) -> ProgrammeView:
            return await programme_of_version(connection, request.programme, named.int)

        subject = f"programme/{request.programme}"
        return await self._effect(
            caller, "subsidy_programme", subject, request, idempotency_key, work, recall
        )

    async def read_programme(self, caller: Caller, programme: str) -> ProgrammeStandsView:
        """A programme with what its payer has deposited. Raises ``NotFoundError``."""
        caller.require(Scope.FUNDS_ADMIN)
        async with transaction(self._parts.engine) as (connection, raw):
            return await programme_stands(connection, raw, self._parts.book, programme)

    # -- money of programmes ---------------------------------------------------------------------

    async def deposit(
        self, caller: Caller, programme: str, request: DepositRequest, idempotency_key: str
    ) -> tuple[SubsidyMovementView, bool]:
        """Book what a programme's payer has paid in. Raises as ``Subsidies.deposit``."""

        async def work(effect: Effect) -> UUID:
            return await self._subsidies.deposit(effect, programme, request)

        subject = f"programme/{programme}"
        return await self._effect(
            caller, "deposit", subject, request, idempotency_key, work, self._movement
        )

    async def grant(
        self, caller: Caller, programme: str, request: GrantRequest, idempotency_key: str
    ) -> tuple[SubsidyMovementView, bool]:
        """Give a person money of a programme. Raises as ``Subsidies.grant``."""

        async def work(effect: Effect) -> UUID:
            person = await self._active_person(effect.connection, request.user_id)
            return await self._subsidies.grant(
                effect,
                programme,
                request.model_copy(update={"user_id": person.user_id}),
                level=person.level,
            )

        subject = f"programme/{programme}"
        return await self._effect(
            caller, "grant", subject, request, idempotency_key, work, self._movement
        )

    # -- credit and counts -----------------------------------------------------------------------

    async def set_credit_limit(
        self,
        caller: Caller,
        user_id: UUID,
        fund: str,
        request: CreditLimitRequest,
        idempotency_key: str,
    ) -> tuple[CreditLimitView, bool]:
        """Open a credit line or change its limit. Raises as ``CreditLines.set_limit``."""

        async def work(effect: Effect) -> UUID:
            person = await self._active_person(effect.connection, user_id)
            return await self._credit.set_limit(
                effect, fund, request, user_id=person.user_id, level=person.level
            )

        async def recall(
            connection: AsyncConnection, _: RawConnection, change_id: UUID
        ) -> CreditLimitView:
            return await self._credit.view(connection, change_id)

        subject = f"user/{user_id}/{fund}"
        return await self._effect(
            caller, "credit_limit", subject, request, idempotency_key, work, recall
        )

    async def credit_line(self, caller: Caller, user_id: UUID, fund: str) -> CreditLineView:
        """A person's credit line as it stands. Raises as ``CreditLines.read``."""
        caller.require(Scope.FUNDS_ADMIN)
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, raw):
            person = await self._people.resolve(connection, user_id)
            effect = Effect(
                connection=connection,
                raw=raw,
                client_id=caller.client_id,
                now=now,
                on=business_date(now, self._parts.cut_off),
            )
            return await self._credit.read(effect, fund, user_id=person.user_id)

    async def repay_credit(
        self,
        caller: Caller,
        user_id: UUID,
        fund: str,
        request: RepaymentRequest,
        idempotency_key: str,
    ) -> tuple[RepaymentView, bool]:
        """Pay a credit line back out of a fund. Raises as ``Repayments.repay``."""

        async def work(effect: Effect) -> UUID:
            person = await self._active_person(effect.connection, user_id)
            return await self._repayments.repay(effect, fund, request, user_id=person.user_id)

        async def recall(
            connection: AsyncConnection, _: RawConnection, repayment_id: UUID
        ) -> RepaymentView:
            return await self._repayments.view(connection, repayment_id)

        subject = f"user/{user_id}/{fund}"
        return await self._effect(
            caller, "credit_repayment", subject, request, idempotency_key, work, recall
        )

    async def give_tally(
        self, caller: Caller, user_id: UUID, fund: str, request: TallyRequest, idempotency_key: str
    ) -> tuple[TallyEntryView, bool]:
        """Give a person counts. Raises as ``Tallies.enter``."""
        return await self._tally(caller, user_id, fund, request, idempotency_key, uses=False)

    async def use_tally(
        self, caller: Caller, user_id: UUID, fund: str, request: TallyRequest, idempotency_key: str
    ) -> tuple[TallyEntryView, bool]:
        """Use counts of a person. Raises as ``Tallies.enter``."""
        return await self._tally(caller, user_id, fund, request, idempotency_key, uses=True)

    async def tallies(self, caller: Caller, user_id: UUID) -> TalliesView:
        """All counts of a person."""
        caller.require(Scope.USERS_READ)
        async with transaction(self._parts.engine) as (connection, raw):
            person = await self._people.resolve(connection, user_id)
            return await self._tallies.read(connection, raw, person.user_id)

    # -- parts -----------------------------------------------------------------------------------

    async def _tally(
        self,
        caller: Caller,
        user_id: UUID,
        fund: str,
        request: TallyRequest,
        key: str,
        *,
        uses: bool,
    ) -> tuple[TallyEntryView, bool]:
        async def work(effect: Effect) -> UUID:
            person = await self._active_person(effect.connection, user_id)
            return await self._tallies.enter(
                effect, fund, request, uses=uses, user_id=person.user_id, level=person.level
            )

        async def recall(
            connection: AsyncConnection, _: RawConnection, entry_id: UUID
        ) -> TallyEntryView:
            return await self._tallies.view(connection, entry_id)

        action = "tally_use" if uses else "tally_give"
        return await self._effect(
            caller, action, f"user/{user_id}/{fund}", request, key, work, recall
        )

    async def _movement(
        self, connection: AsyncConnection, _: RawConnection, movement_id: UUID
    ) -> SubsidyMovementView:
        return await self._subsidies.view(connection, movement_id)

    async def _active_person(self, connection: AsyncConnection, user_id: UUID) -> Row[Any]:
        """Whoever the id means today, locked.

        Raises:
            UserUnknownError: nobody.
            PersonStateError: they are not active.
        """
        meant = await self._people.resolve(connection, user_id)
        person = await self._people.read(connection, meant.user_id, lock=True)
        if person.status != "active":
            raise PersonStateError(field="user_id", status=person.status)
        return person

    async def _require_scenes(
        self, connection: AsyncConnection, scenes: set[str], field: str
    ) -> None:
        """Raise unless each is a scene of the city, or one an operator has registered."""
        others = scenes - self._parts.pricers.keys()
        if others and not others <= {one.scene for one in await list_scenes(connection)}:
            raise SceneUnknownError(field=field)

    async def _effect(
        self,
        caller: Caller,
        action: str,
        subject: str,
        request: BaseModel,
        key: str,
        work: Work,
        recall: Recall[ViewT],
    ) -> tuple[ViewT, bool]:
        """Do ``work`` once per key; what it made is told by ``recall``."""
        caller.require(Scope.FUNDS_ADMIN)
        now = self._parts.clock()

        async def perform(connection: AsyncConnection, raw: RawConnection) -> tuple[UUID, ViewT]:
            effect = Effect(
                connection=connection,
                raw=raw,
                client_id=caller.client_id,
                now=now,
                on=business_date(now, self._parts.cut_off),
            )
            made = await work(effect)
            return made, await recall(connection, raw, made)

        return await once(
            self._parts.engine,
            caller=caller,
            key=key,
            digest=request_digest(f"{action}/{subject}", request),
            action=action,
            subject=subject,
            now=now,
            perform=perform,
            recall=recall,
        )


async def _plan(connection: AsyncConnection, scene: str, *, version: int | None = None) -> PlanView:
    """A scene's plan of one version; by default the one that holds."""
    plan = tables.funding_plan.c
    if version is None:
        newest = await connection.execute(
            select(plan.version).where(plan.scene == scene).order_by(plan.version.desc()).limit(1)
        )
        version = newest.scalar_one()
    steps = await connection.execute(
        select(plan.step)
        .where(plan.scene == scene, plan.version == version)
        .order_by(plan.position)
    )
    return PlanView(scene=scene, version=version, steps=list(steps.scalars()))
