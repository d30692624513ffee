"""The simulated city of ``cardcore bench bus``: its people, its vehicles and a day's taps."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from adapters.wiring import City, utc_now
from cardcore.account.chart import CUSTODY, LEDGER_CNY, AccountCode, TransferCode
from cardcore.books import account, transaction
from cardcore.bulk import BulkTable, copy_rows
from cardcore.business.merchants import register_merchant, register_terminal
from ledger import Transfer
from scenes.bus.tap_intake import TapReport
from scenes.bus.taps import Tap, TapKind

UPLOAD_TAPS: Final = 5_000
TAPS_PER_PERSON: Final = 4
OPERATORS: Final = ("bus-north", "bus-south", "bus-east")
VEHICLES_PER_OPERATOR: Final = 40
LATE_SHARE: Final = 0.20
TWICE_SHARE: Final = 0.05
WRONG_CLOCK_SHARE: Final = 0.02
_BATCH: Final = 8_000
_PERSON: Final = BulkTable.of(
    "cardcore.person", "user_id:uuid level:text status:text recorded_at:timestamptz"
)
_FUND: Final = BulkTable.of(
    "cardcore.fund", "fund_id:uuid user_id:uuid kind:text status:text recorded_at:timestamptz"
)
_ENTITLEMENT: Final = BulkTable.of(
    "cardcore.entitlement",
    "entitlement_id:uuid user_id:uuid class:text valid_from:date valid_to:date"
    " recorded_at:timestamptz",
)
_STOPS: Final = ("SC01", "SN01", "CT01", "FM01", "DZ01")

_Fields = tuple[UUID, TapKind, str, str, str, datetime]


def vehicles() -> dict[str, str]:
    """Each terminal's operator."""
    return {
        f"{operator}-{number}": operator
        for operator in OPERATORS
        for number in range(VEHICLES_PER_OPERATOR)
    }


def people(count: int) -> list[UUID]:
    """The same people in every process."""
    chance = random.Random(1)  # noqa: S311  (a simulation, the same in every run)
    return [UUID(int=chance.getrandbits(128)) for _ in range(count)]


async def open_purses(city: City, count: int) -> None:
    """People with a funded purse each, made in bulk: opening them is not what is measured."""
    chance = random.Random(4)  # noqa: S311  (a simulation)
    everybody = people(count)
    funds = [UUID(int=chance.getrandbits(128)) for _ in range(count)]
    now = utc_now()
    async with transaction(city.engine) as (_, raw):
        await copy_rows(raw, _PERSON, ((person, "phone", "active", now) for person in everybody))
        await copy_rows(
            raw,
            _FUND,
            (
                (fund, person, "transit", "active", now)
                for fund, person in zip(funds, everybody, strict=True)
            ),
        )
        await copy_rows(
            raw,
            _ENTITLEMENT,
            (
                (
                    UUID(int=chance.getrandbits(128)),
                    person,
                    "student",
                    now.date().replace(day=1),
                    now.date() + timedelta(days=90),
                    now,
                )
                for person in everybody[::5]
            ),
        )
    for start in range(0, count, _BATCH):
        part = funds[start : start + _BATCH]
        await city.book.create_accounts([account(one, AccountCode.CITIZEN_FUND) for one in part])
        results = await city.book.create_transfers(
            [
                Transfer(
                    id=chance.getrandbits(127),
                    debit_account_id=CUSTODY.int,
                    credit_account_id=one.int,
                    amount=5_000,
                    ledger=LEDGER_CNY,
                    code=TransferCode.TOP_UP,
                )
                for one in part
            ]
        )
        assert set(results) == {"created"}, results[0]


async def register_vehicles(city: City) -> None:
    """The operators and their vehicles' terminals."""
    async with transaction(city.engine) as (connection, raw):
        for operator in OPERATORS:
            await register_merchant(
                connection,
                raw,
                city.book,
                merchant_id=operator,
                name_zh=operator,
                name_en=operator,
                now=utc_now(),
            )
        for terminal_id, operator in vehicles().items():
            await register_terminal(
                connection,
                terminal_id=terminal_id,
                merchant_id=operator,
                scene="bus",
                place={"vehicle": terminal_id},
                now=utc_now(),
            )


class SimulatedDay:
    """Taps of a day: each person rides there and back, by two taps and by one."""

    def __init__(self, taps: int, begins: datetime) -> None:
        self._taps = taps
        self._people = people(-(-taps // TAPS_PER_PERSON))
        self._terminals = sorted(vehicles())
        self._begins = begins

    def uploads(
        self, *, late: bool, received_at: datetime, share: tuple[int, int] = (0, 1)
    ) -> Iterator[list[TapReport]]:
        """The taps of one wave, in uploads, repeats among them.

        Args:
            late: the wave of those that come late, or of the others.
            received_at: when they come.
            share: ``(0, 2)`` is the first of two workers' uploads.
        """
        chance = random.Random(2)  # noqa: S311  (a simulation)
        repeats = random.Random(3)  # noqa: S311
        mine, workers = share
        upload_no, size = 0, 0
        upload: list[TapReport] = []
        for number, fields in enumerate(self._day(chance)):
            is_late = chance.random() < LATE_SHARE
            wrong_s = 900 if chance.random() < WRONG_CLOCK_SHARE else 0
            if is_late is not late:
                continue
            twice = repeats.random() < TWICE_SHARE
            size += 1 + twice
            if upload_no % workers == mine:
                upload += [_report(number, fields, received_at, wrong_s)] * (1 + twice)
            if size >= UPLOAD_TAPS:
                if upload:
                    yield upload
                upload_no, size, upload = upload_no + 1, 0, []
        if upload:
            yield upload

    def _day(self, chance: random.Random) -> Iterator[_Fields]:
        made = 0
        for person in self._people:
            vehicle = chance.choice(self._terminals)
            morning = self._begins + timedelta(seconds=chance.randrange(2 * 3600, 5 * 3600))
            on, off = chance.sample(_STOPS, 2)
            ride = timedelta(seconds=chance.randrange(600, 3000))
            evening = morning + timedelta(hours=9)
            back = evening + timedelta(minutes=40)
            for tap in (
                (person, TapKind.ON, vehicle, "101", on, morning),
                (person, TapKind.OFF, vehicle, "101", off, morning + ride),
                (person, TapKind.SINGLE, chance.choice(self._terminals), "K1", "SC01", evening),
                (person, TapKind.SINGLE, chance.choice(self._terminals), "K2", "SC01", back),
            ):
                if made < self._taps:
                    made += 1
                    yield tap


def _report(number: int, fields: _Fields, received_at: datetime, wrong_s: int) -> TapReport:
    person, kind, terminal, line, stop, at = fields
    wrong = timedelta(seconds=wrong_s)
    milliseconds = int(at.timestamp() * 1000)
    return TapReport(
        tap=Tap(
            tap_id=str(UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62) | number)),
            kind=kind,
            terminal_id=terminal,
            terminal_counter=number,
            line_id=line,
            vehicle_id=terminal,
            stop=stop,
            tapped_at=at + wrong,
            sent_at=received_at + wrong,
            received_at=received_at,
            trip_id=f"{line}-{at.hour}",
        ),
        user_id=person,
        medium="code" if number % 3 else "card",
        driver_id=f"D{number % 50}",
    )
