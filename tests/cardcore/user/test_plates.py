"""Whose car a plate is on: said, proven, withdrawn; and what a camera is told."""

import itertools
from uuid import UUID

import pytest

from cardcore.caller import Caller
from cardcore.errors import (
    ForbiddenError,
    NotFoundError,
    PersonExistsError,
    PersonStateError,
    RequestInvalidError,
)
from cardcore.user.credentials import CredentialStep
from cardcore.user.people_request import Act, BindPlateRequest, PlateProof
from tests.city_life import BUS_OFFICE, CENTRE, Life

PLATE = "鲁D12345"
LICENCE = PlateProof(method="vehicle_licence", evidence="synthetic licence 1")
_numbers = itertools.count(1)


def key() -> str:
    return f"plate-{next(_numbers)}"


async def bind(life: Life, user_id: UUID, proof: PlateProof | None = None) -> UUID:
    request = BindPlateRequest(plate=PLATE, proof=proof)
    event, _ = await life.city.core.bind_plate(CENTRE, user_id, request, key())
    assert event.object is not None
    return UUID(event.object)


async def withdraw(life: Life, credential_id: UUID) -> None:
    act = Act(reason="mistake")
    await life.city.core.withdraw_plate_proof(CENTRE, credential_id, act, key())


async def test_a_plate_is_said_proven_and_said_again(life: Life) -> None:
    core, user_id = life.city.core, await life.person(balance_fen=0)
    credential_id = await bind(life, user_id)
    assert not (await core.read_plate(CENTRE, "鲁d·12345")).proven
    assert await bind(life, user_id, LICENCE) == credential_id
    reading = await core.read_plate(CENTRE, PLATE)
    assert (reading.user_id, reading.credential_id, reading.status) == (
        user_id,
        credential_id,
        "active",
    )
    assert reading.proven
    await withdraw(life, credential_id)
    assert not (await core.read_plate(CENTRE, PLATE)).proven
    with pytest.raises(PersonStateError) as refused:
        await withdraw(life, credential_id)
    assert refused.value.facts == {"proof": "withdrawn"}
    shown = await core.list_credentials(CENTRE, user_id)
    assert [one.proof for one in shown.credentials] == ["withdrawn"]


async def test_who_shows_the_papers_takes_the_plate_from_who_only_said_so(life: Life) -> None:
    """Why: otherwise anybody could keep an owner out by binding their plate first."""
    core = life.city.core
    squatter, owner = await life.person(balance_fen=0), await life.person(balance_fen=0)
    said = await bind(life, squatter)
    with pytest.raises(PersonExistsError):
        await bind(life, owner)
    await bind(life, owner, LICENCE)
    assert (await core.read_plate(CENTRE, PLATE)).user_id == owner
    (gone,) = (await core.list_credentials(CENTRE, squatter)).credentials
    assert (gone.credential_id, gone.status) == (said, "closed")
    with pytest.raises(PersonExistsError):
        await bind(life, squatter, LICENCE)
    assert (await core.read_plate(CENTRE, PLATE)).user_id == owner


async def test_a_camera_learns_nothing_but_what_it_must(life: Life) -> None:
    core, user_id = life.city.core, await life.person(balance_fen=0)
    stranger = await core.read_plate(CENTRE, PLATE)
    assert (stranger.user_id, stranger.status, stranger.proven) == (None, None, False)
    credential_id = await bind(life, user_id, LICENCE)
    known = await core.read_plate(CENTRE, PLATE)
    assert known.plate_index == stranger.plate_index
    assert (known.masked, known.new_energy) == ("鲁D***45", False)
    assert (await core.read_plate(CENTRE, "鲁DD12345")).new_energy
    await core.step_credential(
        CENTRE, credential_id, CredentialStep.LOSS, Act(reason="loss"), key()
    )
    assert (await core.read_plate(CENTRE, PLATE)).status == "lost"
    with pytest.raises(RequestInvalidError):
        await core.read_plate(CENTRE, "D12345")
    with pytest.raises(ForbiddenError):
        await core.read_plate(BUS_OFFICE, PLATE)
    with pytest.raises(ForbiddenError):
        await core.read_plate(Caller(client_id="x", merchant_id=None, scopes=frozenset()), PLATE)


async def test_only_a_plate_has_a_proof_and_only_one_that_is_there(life: Life) -> None:
    with pytest.raises(NotFoundError):
        await withdraw(life, UUID(int=1))
