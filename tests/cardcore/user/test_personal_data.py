from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import insert, select, update

from adapters.wiring import City
from cardcore import tables
from cardcore.books import transaction
from cardcore.user.people_tables import person_key
from cardcore.user.personal_data import DataKey, Field, PersonalData
from hsm_sim.interface import WrappedDataInvalidError
from tests.city_life import id_no
from tests.conftest import CityClock

NAME = "\U0002000b测试"
GOOD = id_no("19900307", 12)


def test_sealed_data_opens_with_its_key_in_its_field_alone() -> None:
    """Row 34: a character beyond the basic plane comes back as it went in."""
    key = DataKey(bytes(32))
    sealed = key.seal(Field.NAME, NAME)
    assert key.open(Field.NAME, sealed) == NAME
    assert NAME.encode() not in sealed
    assert key.seal(Field.NAME, NAME) != sealed
    for other, field in ((key, Field.ADDRESS), (DataKey(bytes(31) + b"1"), Field.NAME)):
        with pytest.raises(InvalidTag):
            other.open(field, sealed)


async def test_a_key_is_unwrapped_for_its_person_alone(city: City, city_clock: CityClock) -> None:
    data = PersonalData(city.hsm)
    user_id, other_id = uuid4(), uuid4()
    async with transaction(city.engine) as (connection, _):
        for one in (user_id, other_id):
            await connection.execute(
                insert(tables.person).values(
                    user_id=one, level="anonymous", status="active", recorded_at=city_clock.now
                )
            )
        key = await data.make_key(connection, user_id)
        await data.make_key(connection, other_id)
        sealed = key.seal(Field.NAME, NAME)
        again = await data.key_of(connection, user_id)
        assert again is not None
        assert again.open(Field.NAME, sealed) == NAME
        wrapped = (
            await connection.execute(
                select(person_key.c.data_key_wrapped).where(person_key.c.user_id == user_id)
            )
        ).scalar_one()
        await connection.execute(
            update(person_key)
            .where(person_key.c.user_id == other_id)
            .values(data_key_wrapped=wrapped)
        )
        with pytest.raises(WrappedDataInvalidError):
            await data.key_of(connection, other_id)
        assert await data.key_of(connection, uuid4()) is None


async def test_the_same_digits_in_two_fields_have_two_indexes(city: City) -> None:
    """Why: else a table would tell that this one's phone is that one's number."""
    data = PersonalData(city.hsm)
    indexes = {await data.index(field, GOOD) for field in Field}
    assert len(indexes) == len(Field)
    assert await data.index(Field.ID_NO, GOOD) == await data.index(Field.ID_NO, GOOD)
