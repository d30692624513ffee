"""A counter in a process of its own, which the system kills at one of its steps.

Arguments, as JSON: database_url, hsm_socket, insurer, home, now, user_id, visit_id, kind, at.
"""

import json
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from uuid import UUID

from adapters.infrastructure import Addresses
from adapters.partners.insurance_fund import InsuranceFund
from adapters.settings import Settings
from cardcore.business.request import User
from scenes.hospital.request import ConfirmRequest, PaymentRequest
from tests.scenes.hospital.killing import Fault, Faults, Kind
from tests.scenes.hospital.theatre import DESK, Theatre, open_theatre


class DeadlyFaults(Faults):
    """No exception that somebody might catch: SIGKILL."""

    def due(self, kind: Kind, step: str) -> Fault | None:
        if super().due(kind, step) is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return None


async def pay(theatre: Theatre, user_id: UUID, visit_id: UUID) -> None:
    hospital = theatre.make()
    quoted, _ = await hospital.quote_payment(DESK, visit_id, PaymentRequest(), f"quote-{visit_id}")
    shown = ConfirmRequest(user=User(user_id=user_id))
    await hospital.confirm_payment(DESK, quoted.payment_id, shown, f"confirm-{visit_id}")


def main(asked: dict[str, str]) -> None:
    addresses = Addresses(database_url=asked["database_url"], hsm_socket=Path(asked["hsm_socket"]))
    settings = Settings(home=Path(asked["home"]), pool_connections_max=6)
    faults = DeadlyFaults()
    with open_theatre(
        addresses,
        settings,
        books=InsuranceFund(asked["insurer"], balance_fen=0, deductible_fen=0),
        faults=faults,
        now=datetime.fromisoformat(asked["now"]),
    ) as theatre:
        faults.set(Fault.KILL, int(asked["at"]), Kind(asked["kind"]))
        theatre.run(pay(theatre, UUID(asked["user_id"]), UUID(asked["visit_id"])))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
