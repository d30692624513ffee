"""What every part of the front door shares: whose hospital it is, who stands there, once only."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.business.quote import Subject
from cardcore.business.request import User, VerifyRequest
from cardcore.caller import Caller
from cardcore.connections import RawConnection
from cardcore.errors import ForbiddenError
from cardcore.ids import new_id
from cardcore.once import once
from scenes.hospital.errors import HospitalUnknownError, RealNameNeededError
from scenes.hospital.payments import Surroundings
from scenes.hospital.registration_rules import Rules
from scenes.hospital.tables import hospital
from scenes.hospital.uniform_api import SCENE

T = TypeVar("T")
REAL_NAME = "real_name"
CODE = "hospital"


class Counter:
    """Base of the parts of the service."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    async def _hospital(
        self, connection: AsyncConnection, caller: Caller, merchant_id: str
    ) -> Row[Any]:
        """A hospital the caller may speak for. Raises ``HospitalUnknownError``."""
        if caller.merchant_id not in (None, merchant_id):
            raise HospitalUnknownError(field="merchant_id")
        row = (
            await connection.execute(select(hospital).where(hospital.c.merchant_id == merchant_id))
        ).one_or_none()
        if row is None:
            raise HospitalUnknownError(field="merchant_id")
        return row

    async def _patient(
        self, caller: Caller, found: Row[Any], user: User, terminal_id: str | None = None
    ) -> Subject:
        """Who stands there, known by their real name.

        A hospital names people by what they present; ids are for the centre and for citizens in
        their own session.

        Raises:
            ForbiddenError: a hospital named somebody by id.
            RealNameNeededError: not known by their real name.
            CardcoreError: as ``identify``.
        """
        if user.user_id is not None and caller.merchant_id is not None:
            raise ForbiddenError("a merchant names users by credential", field="user.user_id")
        subject = await self._around.api.identify(
            SCENE,
            VerifyRequest(
                user=user,
                scene=CODE,
                merchant_id=found.merchant_id,
                terminal_id=terminal_id or found.terminal_id,
            ),
        )
        if subject.level != REAL_NAME:
            raise RealNameNeededError(field="user")
        return subject

    async def _once(
        self,
        caller: Caller,
        key: str,
        request: BaseModel | str,
        action: str,
        perform: Callable[[AsyncConnection, datetime], Awaitable[tuple[UUID, T]]],
        recall: Callable[[AsyncConnection, UUID], Awaitable[T]],
    ) -> tuple[T, bool]:
        """Do it once per key; ``action`` with its object names what is done.

        Raises as ``cardcore.once.once``.
        """
        now = self._around.clock()
        text = request if isinstance(request, str) else request.model_dump_json()

        async def act(
            connection: AsyncConnection,
            raw: RawConnection,  # noqa: ARG001  (the form of ``Perform``)
        ) -> tuple[UUID, T]:
            return await perform(connection, now)

        async def remember(connection: AsyncConnection, _: RawConnection, effect_id: UUID) -> T:
            return await recall(connection, effect_id)

        kind, _, subject = action.partition("/")
        return await once(
            self._around.engine,
            caller=caller,
            key=key,
            digest=hashlib.sha256(f"hospital.{action}\0{text}".encode()).digest(),
            action=f"hospital.{kind}",
            subject=subject or "hospital",
            now=now,
            perform=act,
            recall=remember,
        )

    def _new_id(self, now: datetime) -> UUID:
        return new_id(now, self._around.random_bytes)


def rules_of(found: Row[Any]) -> Rules:
    """A hospital's rules of registering."""
    return Rules(
        hold_s=found.hold_s,
        cancel_before_s=found.cancel_before_s,
        days_ahead=found.days_ahead,
        per_day_max=found.per_day_max,
        no_show_max=found.no_show_max,
        no_show_days=found.no_show_days,
        blocked_days=found.blocked_days,
    )
