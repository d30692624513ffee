"""The verbs about people: who is presenting this, opening a person, their codes and their money."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.account.arrears import Arrears
from cardcore.account.effect import Effect
from cardcore.account.funds import Funds
from cardcore.account.request import TopUpRequest
from cardcore.account.views import TopUpView
from cardcore.books import transaction
from cardcore.business.order_rules import code_scene
from cardcore.business.quote import Subject
from cardcore.business.request import VerifyRequest
from cardcore.business.views import UserView, VerifyView
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.errors import (
    ForbiddenError,
    NotFoundError,
    ServiceUnavailableError,
    UserFrozenError,
)
from cardcore.once import once
from cardcore.parts import Parts, request_digest
from cardcore.user.access_log import Access, Purpose
from cardcore.user.card_taps import CardTaps, TapPlace, find_tap
from cardcore.user.code_desk import CodeDesk
from cardcore.user.code_judging import ShownCode, scene_bit
from cardcore.user.entitlements import concessions_on
from cardcore.user.holders import Asked, Found, Holder
from cardcore.user.people import People
from cardcore.user.personal_data import PersonalData
from cardcore.user.pseudonyms import pairwise
from cardcore.user.request import IssueCodeRequest, OpenUserRequest
from cardcore.user.views import IssuedCodeView
from ledger.errors import QueueFullError, WriterClosedError
from ledger.group_commit import GroupCommit


class PeopleService:
    """Serves ``verify``, users, codes and top-ups."""

    def __init__(
        self,
        parts: Parts,
        pseudonym_key: bytes,
        holders: GroupCommit[Asked, Found],
        desk: CodeDesk,
    ) -> None:
        self._parts = parts
        self._desk = desk
        self._holders = holders
        self._pseudonym_key = pseudonym_key
        self._people = People(PersonalData(parts.hsm))
        self._taps = CardTaps(parts.hsm)
        self._funds = Funds(parts.book, parts.random_bytes)
        self._arrears = Arrears(parts.book, parts.random_bytes)

    async def verify(self, caller: Caller, request: VerifyRequest) -> VerifyView:
        """Who presents this code or card, as far as this merchant may know. Spends nothing.

        Raises:
            CodeRefusedError: the code is not accepted here, or was used before.
            CardTapError, CardLostError, CardInactiveError: the tap or its card is refused.
            UserUnknownError: its alias leads to nobody.
        """
        caller.require(Scope.VERIFY)
        now = self._parts.clock()
        _require_merchant(caller, request.merchant_id)
        on = business_date(now, self._parts.cut_off)
        found, ends_at = await self._presented(request, now, on)
        code, holder = found.code, found.holder
        return VerifyView(
            subject=self._pseudonym(request.merchant_id, holder.user_id),
            level=holder.level,
            concessions=list(holder.concessions),
            restrictions=[] if holder.status == "active" else [holder.status],
            code_class=code.code_class,
            expires_at=ends_at,
        )

    async def identify(self, caller: Caller, request: VerifyRequest) -> Subject:
        """Who that is, by their id: for scenes, which run beside the core and keep that id.

        Spends nothing. A merged id leads to the survivor. Not served over HTTP: a merchant learns
        a pseudonym (``verify``).

        Raises:
            ForbiddenError: the caller speaks for a merchant.
            UserFrozenError: the person is not active.
            CardcoreError: as ``verify``.
        """
        caller.require(Scope.VERIFY)
        if caller.merchant_id is not None:
            raise ForbiddenError("a merchant verifies and learns a pseudonym", field="user")
        now = self._parts.clock()
        on = business_date(now, self._parts.cut_off)
        if request.user.user_id is None:
            found, _ = await self._presented(request, now, on)
            holder = found.holder
        else:
            async with transaction(self._parts.engine) as (connection, _):
                row = await self._people.resolve(connection, request.user.user_id)
                concessions = await concessions_on(connection, row.user_id, on)
            holder = Holder(row.user_id, row.level, row.status, sorted(concessions))
        if holder.status != "active":
            raise UserFrozenError(field="user")
        return Subject(
            user_id=holder.user_id,
            level=holder.level,
            concessions=frozenset(holder.concessions),
            business_on=on,
        )

    def pseudonyms_at(
        self, caller: Caller, merchant_id: str, user_ids: Sequence[UUID]
    ) -> list[str]:
        """People's names with one merchant, as ``verify`` tells them, in the same order.

        For scenes, which keep ids and tell merchants names. Raises ``ForbiddenError``: a merchant.
        """
        caller.require(Scope.VERIFY)
        if caller.merchant_id is not None:
            raise ForbiddenError("a merchant verifies and learns a pseudonym", field="user")
        return [self._pseudonym(merchant_id, user_id) for user_id in user_ids]

    async def _presented(
        self, request: VerifyRequest, now: datetime, on: date
    ) -> tuple[Found, datetime]:
        """What was shown and whose it is, where it was not used before, and when it ends."""
        if request.user.card is not None:
            place = TapPlace(
                scene=request.scene,
                merchant_id=request.merchant_id,
                terminal_id=request.terminal_id,
            )
            async with transaction(self._parts.engine) as (_, raw):
                tapped = await find_tap(raw, request.user.card.tap)
            shown = await self._taps.judge(tapped, place, pays=False, at=now, on=on)
            return await self._found(Asked(shown.code, on)), shown.ends_at
        if request.user.credential is None:
            raise ForbiddenError("only a presented credential can be verified", field="user")
        scene = code_scene(self._parts.rules.current, request.scene)
        scene_bit(scene)
        places = (request.terminal_id, request.merchant_id)
        code = ShownCode(
            request.user.credential, scene, places, pays=False, at_s=int(now.timestamp())
        )
        found = await self._found(Asked(self._desk.begin(code), on))
        return found, found.code.expires_at

    async def _found(self, asked: Asked) -> Found:
        try:
            return await self._holders.submit(asked)
        except QueueFullError as full:
            raise ServiceUnavailableError(
                "too many are asking", retry_after_s=full.retry_after_s
            ) from full
        except WriterClosedError as closed:
            raise ServiceUnavailableError("shutting down") from closed

    async def open_user(
        self, caller: Caller, request: OpenUserRequest, idempotency_key: str
    ) -> tuple[UserView, bool]:
        """Register a real-name person with funds; the same person again is the existing one."""
        caller.require(Scope.USERS_WRITE)
        now = self._parts.clock()
        today = business_date(now, self._parts.cut_off)

        async def perform(connection: AsyncConnection, raw: RawConnection) -> tuple[UUID, UserView]:
            user_id, _ = await self._people.open(
                connection, request, client_id=caller.client_id, now=now, today=today
            )
            person = await self._people.read(connection, user_id)
            await self._funds.open(
                connection, raw, user_id=user_id, level=person.level, kinds=request.funds, now=now
            )
            return user_id, await view(connection, raw, user_id)

        async def view(connection: AsyncConnection, raw: RawConnection, user_id: UUID) -> UserView:
            access = _looking(caller, Purpose.REGISTRATION, now)
            return await self._user_view(connection, raw, user_id, access)

        return await once(
            self._parts.engine,
            caller=caller,
            key=idempotency_key,
            digest=request_digest("open_user", request),
            action="open_user",
            subject="person",
            now=now,
            perform=perform,
            recall=view,
        )

    async def read_user(self, caller: Caller, user_id: UUID) -> UserView:
        """One user, masked, with balances; a merged id leads to the survivor.

        For the card centre's own callers. The look is written into the person's access log.
        """
        caller.require(Scope.USERS_WRITE)
        access = _looking(caller, Purpose.SERVICE, self._parts.clock())
        async with transaction(self._parts.engine) as (connection, raw):
            return await self._user_view(connection, raw, user_id, access)

    async def issue_code(
        self, caller: Caller, user_id: UUID, request: IssueCodeRequest
    ) -> IssuedCodeView:
        """A dynamic code for a user's phone."""
        caller.require(Scope.CODES_ISSUE)
        async with transaction(self._parts.engine) as (connection, raw):
            person = await self._people.resolve(connection, user_id)
            if person.status != "active":
                raise NotFoundError(field="user_id")
            return await self._parts.codes.issue(
                connection,
                person.user_id,
                await self._in_codes(raw, request),
                now=self._parts.clock(),
            )

    async def _in_codes(self, raw: RawConnection, request: IssueCodeRequest) -> IssueCodeRequest:
        """The request with the names codes know: a registered scene's is that of its class."""
        rules = self._parts.rules
        if not self._parts.pricers.keys() >= set(request.scenes):
            await rules.refresh(raw)
        scenes = dict.fromkeys(code_scene(rules.current, scene) for scene in request.scenes)
        return request.model_copy(update={"scenes": list(scenes)})

    async def top_up(
        self, caller: Caller, user_id: UUID, request: TopUpRequest, idempotency_key: str
    ) -> tuple[TopUpView, bool]:
        """Book money that a payment channel has received for a user's fund."""
        caller.require(Scope.FUNDS_WRITE)
        now = self._parts.clock()
        on = business_date(now, self._parts.cut_off)

        async def perform(
            connection: AsyncConnection, raw: RawConnection
        ) -> tuple[UUID, TopUpView]:
            person = await self._people.resolve(connection, user_id)
            made = await self._funds.top_up(
                connection,
                raw,
                user_id=person.user_id,
                request=request,
                now=now,
                business_on=on,
            )
            effect = Effect(
                connection=connection, raw=raw, client_id=caller.client_id, now=now, on=on
            )
            await self._arrears.collect(effect, person.user_id)
            return made

        async def recall(
            connection: AsyncConnection, _: RawConnection, topup_id: UUID
        ) -> TopUpView:
            return await self._funds.topup_view(connection, topup_id)

        return await once(
            self._parts.engine,
            caller=caller,
            key=idempotency_key,
            digest=request_digest(f"topup/{user_id}", request),
            action="topup",
            subject=f"user/{user_id}",
            now=now,
            perform=perform,
            recall=recall,
        )

    async def _user_view(
        self, connection: AsyncConnection, raw: RawConnection, user_id: UUID, access: Access
    ) -> UserView:
        person = await self._people.resolve(connection, user_id)
        shown = await self._people.masked(connection, person, access)
        on = business_date(self._parts.clock(), self._parts.cut_off)
        names = await self._people.names_of(connection, person.user_id)
        return UserView(
            user_id=person.user_id,
            level=person.level,
            status=person.status,
            name_masked=shown.name,
            id_no_masked=shown.id_no,
            phone_masked=shown.phone,
            concessions=sorted(await concessions_on(connection, person.user_id, on)),
            funds=await self._funds.read(connection, raw, person.user_id),
            merged_ids=names[1:],
        )

    def _pseudonym(self, merchant_id: str, user_id: UUID) -> str:
        """The same person is another subject at every merchant, so two cannot compare notes."""
        return pairwise(self._pseudonym_key, merchant_id, user_id)


def _looking(caller: Caller, purpose: Purpose, now: datetime) -> Access:
    return Access(client_id=caller.client_id, purpose=purpose, at=now)


def _require_merchant(caller: Caller, merchant_id: str) -> None:
    if caller.merchant_id not in (None, merchant_id):
        raise NotFoundError(field="merchant_id")
