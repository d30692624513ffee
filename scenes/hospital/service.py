"""The hospital scene's front door: registering, paying, giving back, looking into it."""

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert

from cardcore.books import transaction
from scenes.hospital.house_rules import HouseRules
from scenes.hospital.payment_service import PaymentService
from scenes.hospital.payments import Surroundings
from scenes.hospital.pricing import HospitalPricer
from scenes.hospital.reconciliation import ReconciliationService
from scenes.hospital.registration_service import RegistrationService
from scenes.hospital.returns import Returns
from scenes.hospital.review_service import ReviewService
from scenes.hospital.tables import hospital
from scenes.hospital.visit_service import VisitService


class Hospital(
    HouseRules,
    RegistrationService,
    VisitService,
    PaymentService,
    ReviewService,
    ReconciliationService,
):
    """The whole service of the scene. All calls may be made concurrently."""

    def __init__(self, around: Surroundings, pricer: HospitalPricer) -> None:
        self.returns = Returns(around)
        RegistrationService.__init__(self, around, self.returns)
        VisitService.__init__(self, around)
        PaymentService.__init__(self, around, self.returns, pricer)
        ReviewService.__init__(self, around, self.saga, self.returns.saga)

    async def add_hospital(
        self,
        *,
        merchant_id: str,
        terminal_id: str,
        fixmedins_code: str | None,
        now: datetime,
    ) -> None:
        """A merchant is a hospital; adding it again changes nothing.

        For the operators' command and the demo city: the merchant and its terminal are the core's.
        """
        async with transaction(self._around.engine) as (connection, _):
            await connection.execute(
                insert(hospital)
                .values(
                    merchant_id=merchant_id,
                    terminal_id=terminal_id,
                    fixmedins_code=fixmedins_code,
                    recorded_at=now,
                )
                .on_conflict_do_nothing()
            )
