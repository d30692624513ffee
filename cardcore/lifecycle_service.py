"""The verbs about a person's life in the register: levels, freezing, merging, closing, erasing."""

from uuid import UUID

from sqlalchemy import select, update

from cardcore import tables
from cardcore.account.claims import Claims
from cardcore.account.effect import Effect
from cardcore.account.fund_life import FundLife, held_orders
from cardcore.account.views import ClaimView
from cardcore.acts import Acting, Acts, Outcome
from cardcore.books import transaction
from cardcore.business.dispute_claims import open_disputes
from cardcore.business.orders import load_orders
from cardcore.business.views import OrdersView
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.errors import ObligationsOpenError, PersonStateError
from cardcore.parts import Parts
from cardcore.user.card_vault import CardVault
from cardcore.user.cards import Cards, Note
from cardcore.user.credentials import close_credentials
from cardcore.user.delegations import revoke_all
from cardcore.user.life import Status, Step, after
from cardcore.user.life_events import read_events
from cardcore.user.merging import check_merge, erase_person, move_person, release_numbers
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
from cardcore.user.personal_data import Field

Done = tuple[LifeEventView, bool]


class LifecycleService:
    """Serves everything that changes a person as a whole."""

    def __init__(self, parts: Parts, acts: Acts) -> None:
        self._parts = parts
        self._acts = acts
        self._fund_life = FundLife(parts.book, parts.random_bytes)
        self._claims = Claims(parts.book, parts.random_bytes)
        self._cards = Cards(CardVault(parts.hsm), parts.random_bytes)

    # -- knowing more of a person ----------------------------------------------------------------

    async def upgrade_user(
        self, caller: Caller, user_id: UUID, request: UpgradeRequest, idempotency_key: str
    ) -> Done:
        """Raise a person's level of registration.

        Raises:
            PersonStateError: not active, or at that level already.
            PersonExistsError: the number is another person's: a case for merging.
        """

        async def work(acting: Acting) -> Outcome:
            now = acting.doing.at
            person = await self._acts.person(acting, user_id)
            await self._acts.people.upgrade(
                acting.connection,
                person.user_id,
                request,
                now=now,
                today=business_date(now, self._parts.cut_off),
            )
            return Outcome(user_id=person.user_id, of=request.level)

        return await self._acts.perform(
            caller,
            Scope.USERS_WRITE,
            kind="upgrade",
            subject=f"user/{user_id}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    async def change_contact(
        self, caller: Caller, user_id: UUID, request: ContactRequest, idempotency_key: str
    ) -> Done:
        """Replace a phone number or an address. Raises as ``upgrade_user`` does."""

        async def work(acting: Acting) -> Outcome:
            person = await self._acts.person(acting, user_id)
            await self._acts.people.change_contact(
                acting.connection, person.user_id, request, now=acting.doing.at
            )
            return Outcome(user_id=person.user_id)

        return await self._acts.perform(
            caller,
            Scope.USERS_WRITE,
            kind="contact",
            subject=f"user/{user_id}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    # -- freezing, death -------------------------------------------------------------------------

    async def freeze_user(
        self, caller: Caller, user_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        """Nothing of this person works any more until they are unfrozen."""
        return await self._step(caller, user_id, request, idempotency_key, Step.FREEZE)

    async def unfreeze_user(
        self, caller: Caller, user_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        """Everything of this person works again that is not frozen by itself."""
        return await self._step(caller, user_id, request, idempotency_key, Step.UNFREEZE)

    async def report_death(
        self, caller: Caller, user_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        """The person has died: nothing works any more; the heirs close and are paid out."""
        return await self._step(caller, user_id, request, idempotency_key, Step.DEATH)

    async def withdraw_death(
        self, caller: Caller, user_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        """The report was wrong; the person is frozen until somebody has looked."""
        return await self._step(caller, user_id, request, idempotency_key, Step.DEATH_WITHDRAWN)

    async def freeze_fund(
        self, caller: Caller, user_id: UUID, request: FundAct, idempotency_key: str
    ) -> Done:
        """Freeze one fund; the others go on. Raises ``FundUnknownError``, ``PersonStateError``."""
        return await self._set_fund(caller, user_id, request, idempotency_key, frozen=True)

    async def unfreeze_fund(
        self, caller: Caller, user_id: UUID, request: FundAct, idempotency_key: str
    ) -> Done:
        """Free one fund. Raises ``FundUnknownError``, ``PersonStateError``."""
        return await self._set_fund(caller, user_id, request, idempotency_key, frozen=False)

    # -- merging ---------------------------------------------------------------------------------

    async def merge_users(
        self, caller: Caller, user_id: UUID, request: MergeRequest, idempotency_key: str
    ) -> Done:
        """Make a duplicate another name of ``user_id``; money, credentials and rights move.

        Raises:
            PersonStateError: one of them is not active, or they may not become one.
            ObligationsOpenError: an order of the duplicate still holds money.
            LimitExceededError: together they hold more than a fund may.
        """

        async def work(acting: Acting) -> Outcome:
            connection, now = acting.connection, acting.doing.at
            # Locked in one order, whichever survives: two merges at once must not wait in a ring.
            for one in sorted((user_id, request.duplicate_id)):
                await self._acts.people.read(connection, one, lock=True)
            survivor = await self._acts.people.resolve(connection, user_id)
            duplicate = await self._acts.people.read(connection, request.duplicate_id)
            check_merge(survivor, duplicate, acting.doing.reason)
            after(duplicate.status, Step.MERGE)
            if survivor.status != Status.ACTIVE:
                raise PersonStateError(field="user_id", status=survivor.status)
            keys = (
                await self._acts.people.key_of(connection, duplicate),
                await self._acts.people.key_of(connection, survivor),
            )
            await move_person(
                connection, duplicate=duplicate, survivor=survivor, keys=keys, now=now
            )
            await self._cards.move(connection, duplicate.user_id, survivor.user_id)
            await self._fund_life.merge(
                connection,
                acting.raw,
                from_id=duplicate.user_id,
                to_id=survivor.user_id,
                level=survivor.level,
                now=now,
            )
            return Outcome(user_id=survivor.user_id, of=str(duplicate.user_id))

        return await self._acts.perform(
            caller,
            Scope.USERS_ADMIN,
            kind="merge",
            subject=f"user/{user_id}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    # -- leaving ---------------------------------------------------------------------------------

    async def close_user(
        self, caller: Caller, user_id: UUID, request: CloseRequest, idempotency_key: str
    ) -> Done:
        """Close a person: credentials end, the balance becomes a claim (the event's ``object``).

        Raises:
            PersonStateError: neither active nor deceased.
            ObligationsOpenError: a hold, a dispute, a debt or a frozen fund stands against it;
                ``facts`` name all.
        """

        async def work(acting: Acting) -> Outcome:
            connection, now = acting.connection, acting.doing.at
            person = await self._acts.person(acting, user_id)
            status = after(person.status, Step.CLOSE)
            key = await self._acts.people.key_of(connection, person)
            names = await self._acts.people.names_of(connection, person.user_id)
            disputes = await open_disputes(connection, names)
            funds = await self._fund_life.ready_to_empty(
                connection,
                acting.raw,
                person.user_id,
                also_open=[f"dispute:{one}" for one in disputes],
            )
            await close_credentials(connection, person.user_id)
            note = Note(client_id=caller.client_id, reason=acting.doing.reason, now=now)
            await self._cards.close_of_user(connection, person.user_id, note)
            await revoke_all(connection, person.user_id, now=now)
            await release_numbers(connection, person, now)
            await self._fund_life.close(connection, funds)
            await _set_status(acting, person.user_id, status)
            claim = None
            effect = Effect(
                connection=connection,
                raw=acting.raw,
                client_id=caller.client_id,
                now=now,
                on=business_date(now, self._parts.cut_off),
            )
            balances = await self._fund_life.give_back(effect, funds)
            if balances:
                payee = request.payee and key.seal(Field.PAYEE, request.payee)
                claim = await self._claims.empty(
                    connection,
                    acting.raw,
                    user_id=person.user_id,
                    balances=balances,
                    reason=acting.doing.reason,
                    payee_sealed=payee or None,
                    now=now,
                )
            return Outcome(user_id=person.user_id, of=None if claim is None else str(claim))

        return await self._acts.perform(
            caller,
            Scope.USERS_ADMIN,
            kind="close",
            subject=f"user/{user_id}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    async def settle_claim(
        self, caller: Caller, claim_id: UUID, request: SettleClaimRequest, idempotency_key: str
    ) -> Done:
        """Book that a channel has paid a claim out.

        Raises:
            NotFoundError: no such claim.
            PersonStateError: it was paid before.
            OrderConflictError: the channel's number names another payment.
        """

        async def work(acting: Acting) -> Outcome:
            whose = await self._claims.settle(
                acting.connection,
                acting.raw,
                claim_id=claim_id,
                channel=request.channel,
                channel_no=request.channel_no,
                now=acting.doing.at,
            )
            return Outcome(user_id=whose, of=str(claim_id))

        return await self._acts.perform(
            caller,
            Scope.FUNDS_WRITE,
            kind="payout",
            subject=f"claim/{claim_id}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    async def erase_user(
        self, caller: Caller, user_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        """Destroy a closed person's key: what is personal becomes unreadable, the money stays.

        Raises:
            PersonStateError: not closed, or erased before.
            ObligationsOpenError: a claim, a balance, a hold or a dispute is open; ``facts`` say.
        """

        async def work(acting: Acting) -> Outcome:
            connection = acting.connection
            person = await self._acts.person(acting, user_id)
            if person.status != Status.CLOSED or person.erased_at is not None:
                raise PersonStateError(
                    field="user_id", status=person.status, erased=person.erased_at is not None
                )
            names = await self._acts.people.names_of(connection, person.user_id)
            claims = await self._claims.open_of(connection, names)
            held = await held_orders(connection, names)
            disputes = await open_disputes(connection, names)
            if claims or held or disputes:
                still_open = [f"claim:{one}" for one in claims]
                still_open += [f"order_held:{one}" for one in held]
                still_open += [f"dispute:{one}" for one in disputes]
                raise ObligationsOpenError(field="user_id", open=still_open)
            await erase_person(connection, names, now=acting.doing.at)
            return Outcome(user_id=person.user_id)

        return await self._acts.perform(
            caller,
            Scope.USERS_ADMIN,
            kind="erase",
            subject=f"user/{user_id}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    # -- reading ---------------------------------------------------------------------------------

    async def read_claim(self, caller: Caller, claim_id: UUID) -> ClaimView:
        """One claim as it stands. Raises ``NotFoundError``."""
        caller.require(Scope.FUNDS_WRITE)
        async with transaction(self._parts.engine) as (connection, _):
            return await self._claims.read(connection, claim_id)

    async def read_history(self, caller: Caller, user_id: UUID) -> HistoryView:
        """What was done to a person's records, under all their ids."""
        caller.require(Scope.USERS_READ)
        async with transaction(self._parts.engine) as (connection, _):
            names = await self._acts.people.names_of(connection, user_id)
            return HistoryView(user_id=names[0], events=await read_events(connection, names))

    async def list_orders(self, caller: Caller, user_id: UUID, query: OrdersQuery) -> OrdersView:
        """A person's orders under all their ids, newest first."""
        caller.require(Scope.USERS_READ)
        o = tables.business_order.c
        async with transaction(self._parts.engine) as (connection, raw):
            names = await self._acts.people.names_of(connection, user_id)
            asked = select(o.order_id).where(o.user_id.in_(names))
            if query.before is not None:
                # Ids sort by the instant they were made at.
                asked = asked.where(o.order_id < query.before)
            found = await connection.execute(asked.order_by(o.order_id.desc()).limit(query.limit))
            order_ids = list(found.scalars())
            orders = await load_orders(raw, order_ids)
        return OrdersView(
            user_id=names[0],
            orders=[orders[order_id].view() for order_id in order_ids],
            next_before=order_ids[-1] if len(order_ids) == query.limit else None,
        )

    # -- parts -----------------------------------------------------------------------------------

    async def _step(
        self, caller: Caller, user_id: UUID, request: Act, key: str, step: Step
    ) -> Done:
        async def work(acting: Acting) -> Outcome:
            person = await self._acts.person(acting, user_id)
            await _set_status(acting, person.user_id, after(person.status, step))
            return Outcome(user_id=person.user_id)

        return await self._acts.perform(
            caller,
            Scope.USERS_ADMIN,
            kind=step.value,
            subject=f"user/{user_id}",
            request=request,
            key=key,
            work=work,
        )

    async def _set_fund(
        self, caller: Caller, user_id: UUID, request: FundAct, key: str, *, frozen: bool
    ) -> Done:
        async def work(acting: Acting) -> Outcome:
            person = await self._acts.person(acting, user_id)
            await self._fund_life.set_frozen(
                acting.connection, person.user_id, request.fund, frozen=frozen
            )
            return Outcome(user_id=person.user_id, of=request.fund)

        return await self._acts.perform(
            caller,
            Scope.USERS_ADMIN,
            kind="fund_freeze" if frozen else "fund_unfreeze",
            subject=f"user/{user_id}",
            request=request,
            key=key,
            work=work,
        )


async def _set_status(acting: Acting, user_id: UUID, status: Status) -> None:
    await acting.connection.execute(
        update(tables.person).where(tables.person.c.user_id == user_id).values(status=status.value)
    )
