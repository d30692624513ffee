"""A car's plate: bound to a person, proven to be theirs, and found by what a camera reads.

A plate hangs in the street for everybody to read, so being bound to somebody is no proof: until the
car's papers were shown it is only *said* to be theirs, and nobody pays by it. Who shows the papers
takes a plate over from whoever has only said so.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.errors import PersonExistsError, PersonStateError
from cardcore.user.credentials import CredentialStep, bind_plate, find_credential, take_step
from cardcore.user.life_events import Doing
from cardcore.user.masking import mask_plate
from cardcore.user.people_request import PlateProof
from cardcore.user.people_tables import credential, plate_proof
from cardcore.user.personal_data import DataKey, Field, PersonalData
from cardcore.user.written_forms import is_new_energy, normalise_plate

PROVEN: Final = "proven"
UNPROVEN: Final = "unproven"
WITHDRAWN: Final = "withdrawn"
_STANDING: Final = ("active", "lost", "frozen")
_c, _p = credential.c, plate_proof.c


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateReading:
    """What the register knows of a plate: whose it is said to be, and whether that is proven.

    ``plate_index`` stands for the plate wherever it must not be written down: a keyed hash, the
    same for the same plate. Without an owner, ``credential_id``, ``user_id`` and ``status`` are
    None.
    """

    plate_index: bytes
    masked: str
    new_energy: bool
    credential_id: UUID | None = None
    user_id: UUID | None = None
    status: str | None = None
    proven: bool = False


async def read_plate(connection: AsyncConnection, data: PersonalData, plate: str) -> PlateReading:
    """Whose plate a camera has read.

    Raises:
        RequestInvalidError: not a plate number.
    """
    number = normalise_plate(plate)
    index = await data.index(Field.PLATE, number)
    row = (
        await connection.execute(
            select(_c.credential_id, _c.user_id, _c.status).where(
                _c.kind == "plate", _c.label_index == index, _c.status.in_(_STANDING)
            )
        )
    ).one_or_none()
    masked, new_energy = mask_plate(number), is_new_energy(number)
    if row is None:
        return PlateReading(plate_index=index, masked=masked, new_energy=new_energy)
    return PlateReading(
        plate_index=index,
        masked=masked,
        new_energy=new_energy,
        credential_id=row.credential_id,
        user_id=row.user_id,
        status=row.status,
        proven=await _proof_state(connection, row.credential_id) == PROVEN,
    )


@dataclass(frozen=True, slots=True)
class OwnPlate:
    """A plate that is proven to be somebody's, and since when."""

    plate_index: bytes
    since: datetime


async def proven_plates(connection: AsyncConnection, user_id: UUID) -> list[OwnPlate]:
    """The plates in use that are proven to be a person's now."""
    states = await proof_states(connection, user_id)
    proven = [one for one, state in states.items() if state == PROVEN]
    since = (
        select(func.max(_p.recorded_at))
        .where(_p.credential_id == _c.credential_id, _p.state == PROVEN)
        .scalar_subquery()
    )
    rows = await connection.execute(
        select(_c.label_index, since).where(_c.credential_id.in_(proven), _c.status.in_(_STANDING))
    )
    return [OwnPlate(*row) for row in rows]


async def proof_states(connection: AsyncConnection, user_id: UUID) -> dict[UUID, str]:
    """How a person's plates stand, by credential."""
    latest = (
        select(_p.state)
        .where(_p.credential_id == _c.credential_id)
        .order_by(_p.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = await connection.execute(
        select(_c.credential_id, func.coalesce(latest, UNPROVEN).label("state")).where(
            _c.user_id == user_id, _c.kind == "plate"
        )
    )
    return {row.credential_id: row.state for row in rows}


async def _proof_state(connection: AsyncConnection, credential_id: UUID) -> str:
    found = await connection.execute(
        select(_p.state).where(_p.credential_id == credential_id).order_by(_p.seq.desc()).limit(1)
    )
    return found.scalar_one_or_none() or UNPROVEN


async def bind_with_proof(
    connection: AsyncConnection,
    data: PersonalData,
    key: DataKey,
    user_id: UUID,
    plate: str,
    *,
    proof: PlateProof | None,
    doing: Doing,
) -> UUID:
    """Bind a plate; with a proof, also take it over from somebody who had none.

    Returns:
        The credential's id.

    Raises:
        RequestInvalidError: not a plate number.
        PersonExistsError: it is somebody else's, and they have proved it, or nothing was shown.
    """
    held = await read_plate(connection, data, plate)
    if held.user_id not in (None, user_id) and proof is not None:
        assert held.credential_id is not None
        # Locked: a proof of theirs under way must be seen, or see that the plate has gone.
        await find_credential(connection, held.credential_id, lock=True)
        if await _proof_state(connection, held.credential_id) == PROVEN:
            raise PersonExistsError("this plate is proven to be another user's", field="plate")
        await take_step(connection, held.credential_id, CredentialStep.CLOSE, doing)
    credential_id = await bind_plate(connection, data, key, user_id, plate, now=doing.at)
    if proof is not None:
        await connection.execute(
            insert(plate_proof).values(
                proof_id=uuid4(),
                credential_id=credential_id,
                state=PROVEN,
                method=proof.method,
                evidence_sealed=key.seal(Field.EVIDENCE, proof.evidence),
                client_id=doing.client_id,
                operator=doing.operator,
                recorded_at=doing.at,
            )
        )
    return credential_id


async def withdraw_proof(connection: AsyncConnection, credential_id: UUID, doing: Doing) -> UUID:
    """The proof does not hold any more: the car was sold, or the papers were not real.

    Returns:
        Whose plate it is said to be.

    Raises:
        NotFoundError: no such credential.
        PersonStateError: it is not proven.
    """
    row = await find_credential(connection, credential_id, lock=True)
    state = await _proof_state(connection, credential_id)
    if row.kind != "plate" or state != PROVEN:
        raise PersonStateError(field="credential_id", proof=state)
    await connection.execute(
        insert(plate_proof).values(
            proof_id=uuid4(),
            credential_id=credential_id,
            state=WITHDRAWN,
            client_id=doing.client_id,
            operator=doing.operator,
            recorded_at=doing.at,
        )
    )
    whose: UUID = row.user_id
    return whose
