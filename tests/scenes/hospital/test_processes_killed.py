"""As ``test_kills``, with ``kill -9``: what a process has begun another one brings to its end."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from uuid import UUID

from adapters.infrastructure import Addresses
from adapters.partners.insurance_fund import InsuranceFund
from adapters.settings import Settings
from cardcore.business.request import User
from scenes.hospital.messages import fen_of
from tests.scenes.hospital.conftest import CODE, line
from tests.scenes.hospital.killing import Kind
from tests.scenes.hospital.theatre import DESK, START_FEN, Patient, Theatre, open_theatre

ROOT = Path(__file__).parents[3]
# Where the counter dies, and how its payment ends: the insurer has settled and its answer is not
# written down; the money is held and nothing is settled; it is captured, and that is not written.
DEATHS = [(Kind.MESSAGE, 9), (Kind.CALL, 1), (Kind.CALL, 3)]


def test_a_counter_that_is_killed_leaves_nothing_behind(
    city_addresses: Addresses, city_settings: Settings, tmp_path: Path
) -> None:
    insurer = tmp_path / "insurer.sqlite3"
    books = InsuranceFund(insurer, balance_fen=0, deductible_fen=0)
    with open_theatre(city_addresses, city_settings, books=books) as theatre:
        patients = [theatre.run(theatre.patient()) for _ in DEATHS]
        asked = {
            "database_url": city_addresses.database_url,
            "hsm_socket": str(city_addresses.hsm_socket),
            "insurer": str(insurer),
            "home": str(city_settings.home),
            "now": theatre.ward.clock.now.isoformat(),
        }
        counters = []
        for patient, (kind, at) in zip(patients, DEATHS, strict=True):
            visit_id = theatre.run(billed(theatre, patient))
            what = {"user_id": str(patient.user_id), "visit_id": str(visit_id)}
            told = json.dumps(asked | what | {"kind": kind.value, "at": str(at)})
            counters.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.scenes.hospital.dying_counter", told], cwd=ROOT
                )
            )
        assert [one.wait(timeout=240) for one in counters] == [-signal.SIGKILL] * len(DEATHS)
        for patient in patients:
            theatre.run(patient.settle_down())
            assert theatre.run(theatre.ward.purse_fen(patient.user_id)) < START_FEN
        assert [fen_of(one["medfee_sumamt"]) for one in books.standing(CODE)] == [60_000] * 3
        assert theatre.run(theatre.ward.life.books_are_right())


async def billed(theatre: Theatre, patient: Patient) -> UUID:
    shown = User(user_id=patient.user_id)
    visit = await theatre.ward.visit(patient.user_id, by=DESK, user=shown)
    await theatre.ward.bill(visit, line(60_000))
    return visit.visit_id
