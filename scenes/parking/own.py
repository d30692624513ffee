"""What a driver reads and does about their own parking, in a session of their own.

A plate hangs in the street: somebody else may have driven with it before it was proven to be
theirs. So the stays they see are those since the proof, and never another's.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.errors import NotFoundError
from cardcore.ports import Clock
from cardcore.service import CardCore
from scenes.parking.charges import PARKING
from scenes.parking.debts import read_driver
from scenes.parking.drivers import Drivers
from scenes.parking.dues_store import due_of_stay
from scenes.parking.request import ClaimAlertRequest
from scenes.parking.tables import stay
from scenes.parking.views import AlertView, ContractView, DriverView, StaysView

STAYS_SHOWN: Final = 50
# What the drivers' desk of the card centre may do; here the citizen does it for themselves alone.
_FOR_THEMSELVES: Final = Caller(
    client_id="scene:parking",
    merchant_id=None,
    scopes=frozenset({Scope.PARKING_READ.value, Scope.PARKING_WRITE.value}),
)


class OwnParking:
    """Serves drivers; every call is about the person whose session it is."""

    def __init__(self, core: CardCore, engine: AsyncEngine, clock: Clock, drivers: Drivers) -> None:
        self._core = core
        self._engine = engine
        self._clock = clock
        self._drivers = drivers

    async def standing(self, user_id: UUID) -> DriverView:
        """Contracts, what is owed, notices, alerts of their plates."""
        async with transaction(self._engine) as (connection, _):
            return await read_driver(connection, user_id)

    async def stays(self, user_id: UUID) -> StaysView:
        """Stays of their proven plates since each was proven, newest first."""
        plates = await self._core.proven_plates(PARKING, user_id)
        if not plates:
            return StaysView(stays=[])
        s, now = stay.c, self._clock()
        theirs = or_(
            *((s.plate_index == one.plate_index) & (s.started_at >= one.since) for one in plates)
        )
        async with transaction(self._engine) as (connection, _):
            rows = await connection.execute(
                select(stay).where(theirs).order_by(s.started_at.desc()).limit(STAYS_SHOWN)
            )
            found = [await due_of_stay(connection, row, now) for row in rows.all()]
        return StaysView(stays=[one.view() for one in found])

    async def pay(self, user_id: UUID) -> DriverView:
        """Pay what is owed out of the purse now, as far as it reaches."""
        return await self._drivers.collect(_FOR_THEMSELVES, user_id)

    async def claim(self, user_id: UUID, alert_id: UUID, request: ClaimAlertRequest) -> AlertView:
        """Say which of two stays was not theirs.

        Raises:
            NotFoundError: no such alert of their plates.
            AlertStateError: it is claimed or closed already.
            CardcoreError: what the core says of the dispute.
        """
        if alert_id not in {one.alert_id for one in (await self.standing(user_id)).alerts}:
            raise NotFoundError(field="alert_id")
        return await self._drivers.claim_alert(_FOR_THEMSELVES, alert_id, request)

    async def end_contract(self, user_id: UUID, contract_id: UUID) -> ContractView:
        """Their plate pays first from now on; what is owed stays owed.

        Raises:
            NotFoundError: no such contract of theirs.
        """
        if contract_id not in {one.contract_id for one in (await self.standing(user_id)).contracts}:
            raise NotFoundError(field="contract_id")
        return await self._drivers.end_contract(_FOR_THEMSELVES, contract_id)
