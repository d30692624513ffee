"""Car parks, lanes, tariffs and month cards, kept and read.

Every call runs on a SQLAlchemy connection it is given, inside the caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.errors import NotFoundError
from scenes.parking.errors import CarParkExistsError
from scenes.parking.request import RegisterCarParkRequest, RegisterTariffRequest
from scenes.parking.stays import Direction
from scenes.parking.tables import car_park, charge, lane, month_card, stay, tariff
from scenes.parking.tariffs import Tariff
from scenes.parking.views import CarParkView, LaneView, TariffView


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFacts:
    """A lane and whose it is."""

    lane_id: str
    direction: Direction
    car_park_id: str
    merchant_id: str


async def register_car_park(
    connection: AsyncConnection, request: RegisterCarParkRequest, *, by: str, now: datetime
) -> None:
    """Register a car park with lanes and first tariff; the same again changes nothing.

    Raises:
        CarParkExistsError: the code, or a lane's, is another's.
    """
    fields = request.model_dump(include={"merchant_id", "name_zh", "name_en", "spaces"})
    made = await connection.execute(
        upsert(car_park)
        .values(car_park_id=request.car_park_id, recorded_by=by, recorded_at=now, **fields)
        .on_conflict_do_nothing()
        .returning(car_park.c.car_park_id)
    )
    if made.one_or_none() is None:
        known = await read_car_park(connection, request.car_park_id)
        same = (
            known.model_dump(include=set(fields)) == fields
            and {(one.lane_id, one.direction) for one in known.lanes}
            == {(one.lane_id, one.direction) for one in request.lanes}
            and known.tariffs[0].tariff == request.tariff
        )
        if not same:
            raise CarParkExistsError(field="car_park_id")
        return
    for one in request.lanes:
        taken = await connection.execute(
            upsert(lane)
            .values(
                lane_id=one.lane_id,
                car_park_id=request.car_park_id,
                direction=one.direction.value,
                recorded_by=by,
                recorded_at=now,
            )
            .on_conflict_do_nothing()
            .returning(lane.c.lane_id)
        )
        if taken.one_or_none() is None:
            raise CarParkExistsError(field="lanes", lane_id=one.lane_id)
    first = RegisterTariffRequest(valid_from=request.valid_from, tariff=request.tariff)
    await register_tariff(connection, request.car_park_id, first, by=by, now=now)


async def register_tariff(
    connection: AsyncConnection,
    car_park_id: str,
    request: RegisterTariffRequest,
    *,
    by: str,
    now: datetime,
) -> int:
    """Add a version of a car park's tariff; returns its number.

    Raises:
        NotFoundError: no such car park.
    """
    known = await connection.scalar(
        # Locked: two versions registered at once must not get one number.
        select(car_park.c.car_park_id)
        .where(car_park.c.car_park_id == car_park_id)
        .with_for_update()
    )
    if known is None:
        raise NotFoundError(field="car_park_id")
    newest = await connection.scalar(
        select(func.max(tariff.c.version)).where(tariff.c.car_park_id == car_park_id)
    )
    version = (newest or 0) + 1
    await connection.execute(
        insert(tariff).values(
            car_park_id=car_park_id,
            version=version,
            valid_from=request.valid_from,
            document=request.tariff.model_dump(mode="json"),
            recorded_by=by,
            recorded_at=now,
        )
    )
    return version


async def read_car_park(connection: AsyncConnection, car_park_id: str) -> CarParkView:
    """A car park as it stands. Raises ``NotFoundError``."""
    row = (
        await connection.execute(select(car_park).where(car_park.c.car_park_id == car_park_id))
    ).one_or_none()
    if row is None:
        raise NotFoundError(field="car_park_id")
    lanes = await connection.execute(
        select(lane.c.lane_id, lane.c.direction)
        .where(lane.c.car_park_id == car_park_id)
        .order_by(lane.c.lane_id)
    )
    tariffs = await connection.execute(
        select(tariff.c.version, tariff.c.valid_from, tariff.c.document)
        .where(tariff.c.car_park_id == car_park_id)
        .order_by(tariff.c.version)
    )
    parked = await connection.scalar(
        select(func.count()).where(stay.c.car_park_id == car_park_id, stay.c.state == "open")
    )
    return CarParkView(
        car_park_id=car_park_id,
        merchant_id=row.merchant_id,
        name_zh=row.name_zh,
        name_en=row.name_en,
        spaces=row.spaces,
        parked=parked or 0,
        lanes=[LaneView(lane_id=one.lane_id, direction=one.direction) for one in lanes],
        tariffs=[
            TariffView(
                version=one.version,
                valid_from=one.valid_from,
                tariff=Tariff.model_validate(one.document),
            )
            for one in tariffs
        ],
    )


async def find_lane(connection: AsyncConnection, lane_id: str) -> LaneFacts | None:
    """A lane by its terminal."""
    row = (
        await connection.execute(
            select(lane.c.lane_id, lane.c.direction, car_park.c.car_park_id, car_park.c.merchant_id)
            .join(car_park, car_park.c.car_park_id == lane.c.car_park_id)
            .where(lane.c.lane_id == lane_id)
        )
    ).one_or_none()
    if row is None:
        return None
    return LaneFacts(
        lane_id=row.lane_id,
        direction=Direction(row.direction),
        car_park_id=row.car_park_id,
        merchant_id=row.merchant_id,
    )


async def tariff_at(
    connection: AsyncConnection, car_park_id: str, at: datetime
) -> tuple[int, Tariff]:
    """The tariff a stay that began at an instant is priced by; before the first, the first."""
    in_force = tariff.c.valid_from <= at
    row = (
        await connection.execute(
            select(tariff.c.version, tariff.c.document)
            .where(tariff.c.car_park_id == car_park_id)
            .order_by(
                in_force.desc(),
                case((in_force, tariff.c.version), else_=-tariff.c.version).desc(),
            )
            .limit(1)
        )
    ).one()
    return row.version, Tariff.model_validate(row.document)


async def covered_by_cards(
    connection: AsyncConnection, car_park_id: str, plate_index: bytes
) -> Sequence[tuple[datetime, datetime]]:
    """When paid month cards cover a plate: spans apart and in order."""
    rows = await connection.execute(
        select(month_card.c.valid_from, month_card.c.valid_to)
        .join(charge, charge.c.charge_id == month_card.c.card_id)
        .where(
            month_card.c.car_park_id == car_park_id,
            month_card.c.plate_index == plate_index,
            charge.c.state == "booked",
        )
        .order_by(month_card.c.valid_from)
    )
    spans: list[tuple[datetime, datetime]] = []
    for row in rows:
        if spans and row.valid_from <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], row.valid_to)
        else:
            spans.append((row.valid_from, row.valid_to))
    return spans
