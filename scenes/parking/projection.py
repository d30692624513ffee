"""From readings to stays, kept in the database: written down once, read anew when one comes late.

Every call runs on a SQLAlchemy connection it is given, inside the caller's transaction, which holds
the plate's lock (``lock_plate``): two readings of one plate never build its stays at once.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import Row, any_, delete, func, insert, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.user.plates import PlateReading
from scenes.parking.clones import Sighting, elsewhere_meanwhile
from scenes.parking.register import LaneFacts
from scenes.parking.request import PassageEvent
from scenes.parking.stays import Direction, Passage, Stay, stays_of
from scenes.parking.tables import passage, plate_alert, stay

_NAMESPACE: Final = UUID("3c8e0f4a-8a0e-5d7e-a7c9-6d3f7b6b1c52")
_p, _s = passage.c, stay.c


class EventConflictError(Exception):
    """The lane used an event's number before, for another reading."""


async def lock_plate(connection: AsyncConnection, plate_index: bytes) -> None:
    """Until the transaction ends, nobody else touches this plate's stays and money."""
    number = int.from_bytes(
        hashlib.sha256(b"parking" + plate_index).digest()[:8], "big", signed=True
    )
    await connection.execute(select(func.pg_advisory_xact_lock(literal(number))))


async def write_passage(
    connection: AsyncConnection,
    event: PassageEvent,
    lane: LaneFacts,
    plate: PlateReading,
    *,
    now: datetime,
) -> tuple[UUID, bool]:
    """Write a reading down; returns its id, and whether it is new.

    Raises:
        EventConflictError: the lane's number names another reading.
    """
    passage_id = uuid5(_NAMESPACE, f"{lane.lane_id}/{event.event_no}")
    digest = hashlib.sha256(
        plate.plate_index + event.model_dump_json(exclude={"plate", "live"}).encode()
    ).digest()
    made = await connection.execute(
        upsert(passage)
        .values(
            passage_id=passage_id,
            lane_id=lane.lane_id,
            event_no=event.event_no,
            car_park_id=lane.car_park_id,
            direction=lane.direction.value,
            plate_index=plate.plate_index,
            plate_masked=plate.masked,
            new_energy=plate.new_energy,
            image_sha256=event.image_sha256,
            live=event.live,
            occurred_at=event.occurred_at,
            recorded_at=now,
            digest=digest,
        )
        .on_conflict_do_nothing()
        .returning(_p.passage_id)
    )
    if made.one_or_none() is not None:
        return passage_id, True
    known = await connection.scalar(select(_p.digest).where(_p.passage_id == passage_id))
    if known != digest:
        raise EventConflictError(f"{lane.lane_id}/{event.event_no}")
    return passage_id, False


async def rebuild_stays(
    connection: AsyncConnection, car_park_id: str, plate: PlateReading, at: datetime
) -> list[UUID]:
    """Read a plate's stays at a car park anew, as far as a reading at ``at`` can have changed them.

    That is from the last stay but one that began before it: a stay begins with the car outside, so
    nothing before it matters (``stays``), and the last one may have ended within the half hour in
    which an exit seen again still belongs to it.

    Returns:
        Ids of the stays that were written anew, earliest first.
    """
    mine = (_s.car_park_id == car_park_id, _s.plate_index == plate.plate_index)
    begun = await connection.execute(
        select(_s.started_at)
        .where(*mine, _s.started_at <= at)
        .order_by(_s.started_at.desc())
        .limit(2)
    )
    since = min([*begun.scalars(), at])
    rows = (
        await connection.execute(
            select(_p.passage_id, _p.direction, _p.occurred_at, _p.lane_id).where(
                _p.car_park_id == car_park_id,
                _p.plate_index == plate.plate_index,
                _p.occurred_at >= since,
            )
        )
    ).all()
    lanes = {row.passage_id: row.lane_id for row in rows}
    await connection.execute(delete(stay).where(*mine, _s.started_at >= since))
    stays = stays_of(_passage(row) for row in rows)
    for one in stays:
        await connection.execute(
            insert(stay).values(
                stay_id=one.first.passage_id,
                car_park_id=car_park_id,
                plate_index=plate.plate_index,
                plate_masked=plate.masked,
                new_energy=plate.new_energy,
                state=one.state.value,
                started_at=one.first.at,
                entered_at=None if one.entry is None else one.entry.at,
                left_at=one.ended_at,
                exit_lane_id=None if one.exit is None else lanes[one.exit.passage_id],
                passages=[each.passage_id for each in one.passages],
            )
        )
    return [one.first.passage_id for one in stays]


async def read_stay(connection: AsyncConnection, stay_id: UUID) -> Row[Any] | None:
    """One stay."""
    return (await connection.execute(select(stay).where(_s.stay_id == stay_id))).one_or_none()


async def stay_of_passage(connection: AsyncConnection, passage_id: UUID) -> Row[Any]:
    """The one stay a reading ended in."""
    return (
        await connection.execute(select(stay).where(literal(passage_id) == any_(_s.passages)))
    ).one()


async def recent_stays(
    connection: AsyncConnection, plate_index: bytes, *, car_park_id: str | None = None
) -> Sequence[Row[Any]]:
    """A plate's stays, newest first, open or ended; those whose exit was missed are left out."""
    asked = select(stay).where(_s.plate_index == plate_index, _s.state != "exit_missed")
    if car_park_id is not None:
        asked = asked.where(_s.car_park_id == car_park_id)
    found = await connection.execute(asked.order_by(_s.started_at.desc()).limit(100))
    return found.all()


async def note_clones(
    connection: AsyncConnection, plate: PlateReading, passage_id: UUID, now: datetime
) -> list[UUID]:
    """Write down where the plate of a reading was seen elsewhere meanwhile; returns new alerts."""
    here = await stay_of_passage(connection, passage_id)
    mine = await _sighting(connection, here)
    ends_at = mine.stay.passages[-1].at
    others = await connection.execute(
        select(stay).where(
            _s.plate_index == plate.plate_index,
            _s.car_park_id != here.car_park_id,
            _s.started_at <= ends_at,
            func.coalesce(_s.left_at, _s.started_at) >= here.started_at,
        )
    )
    sightings = [await _sighting(connection, row) for row in others.all()]
    made = []
    for other in elsewhere_meanwhile(mine, sightings):
        pair = sorted([mine, other], key=lambda one: one.stay.first.passage_id)
        alert_id = uuid5(_NAMESPACE, "/".join(str(one.stay.first.passage_id) for one in pair))
        added = await connection.execute(
            upsert(plate_alert)
            .values(
                alert_id=alert_id,
                plate_index=plate.plate_index,
                plate_masked=plate.masked,
                user_id=plate.user_id,
                stay_a=pair[0].stay.first.passage_id,
                stay_b=pair[1].stay.first.passage_id,
                evidence=[await _evidence(connection, one) for one in pair],
                state="open",
                recorded_at=now,
            )
            .on_conflict_do_nothing()
            .returning(plate_alert.c.alert_id)
        )
        if added.one_or_none() is not None:
            made.append(alert_id)
    return made


async def _sighting(connection: AsyncConnection, row: Row[Any]) -> Sighting:
    return Sighting(car_park_id=row.car_park_id, stay=await _stay(connection, row))


async def _stay(connection: AsyncConnection, row: Row[Any]) -> Stay:
    found = await connection.execute(
        select(_p.passage_id, _p.direction, _p.occurred_at).where(_p.passage_id.in_(row.passages))
    )
    (one,) = stays_of(_passage(each) for each in found)
    return one


async def _evidence(connection: AsyncConnection, one: Sighting) -> dict[str, object]:
    """What was seen of a stay: lanes, instants, digests of pictures."""
    found = await connection.execute(
        select(_p.lane_id, _p.direction, _p.occurred_at, _p.image_sha256)
        .where(_p.passage_id.in_([each.passage_id for each in one.stay.passages]))
        .order_by(_p.occurred_at, _p.passage_id)
    )
    return {
        "stay_id": str(one.stay.first.passage_id),
        "car_park_id": one.car_park_id,
        "seen": [
            {
                "lane_id": row.lane_id,
                "direction": row.direction,
                "at": row.occurred_at.isoformat(),
                "image_sha256": row.image_sha256,
            }
            for row in found
        ],
    }


def _passage(row: Any) -> Passage:  # noqa: ANN401  (a row of any selection of passages)
    return Passage(
        passage_id=row.passage_id, direction=Direction(row.direction), at=row.occurred_at
    )
