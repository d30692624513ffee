"""Erasing a person by destroying the key of what is known of them."""

import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import select

from cardcore import tables
from cardcore.books import transaction
from cardcore.errors import (
    ObligationsOpenError,
    PersonStateError,
    UserUnknownError,
)
from cardcore.user.people_request import (
    BindPlateRequest,
    DiscloseRequest,
    FindUserRequest,
    OrdersQuery,
)
from cardcore.user.people_tables import person_key
from cardcore.user.personal_data import DataKey, Field
from tests.cardcore.user.people_acts import (
    PHONE,
    PLATE,
    act,
    close,
    do,
    duplicate,
    key,
    merge,
    opened,
    settle,
)
from tests.city_life import CENTRE, Life, id_no


async def sealed_columns(life: Life) -> list[bytes]:
    """What a backup of everything but the keys would hold of sealed bytes."""
    asked = (
        "SELECT name_sealed FROM cardcore.person UNION ALL SELECT id_no_sealed FROM cardcore.person"
        " UNION ALL SELECT sealed FROM cardcore.personal_field"
        " UNION ALL SELECT label_sealed FROM cardcore.credential"
        " UNION ALL SELECT note_sealed FROM cardcore.person_event"
        " UNION ALL SELECT payee_sealed FROM cardcore.payout_claim"
        " UNION ALL SELECT evidence_sealed FROM cardcore.entitlement"
    )
    async with transaction(life.city.engine) as (connection, _):
        found = await connection.exec_driver_sql(asked)
        return [one for one in found.scalars() if one is not None]


async def test_an_erased_person_is_unreadable_and_the_money_stays(life: Life) -> None:
    """How: the sealed columns are copied before, as a backup would; then the key is destroyed."""
    user_id = await opened(
        life,
        name="\U0002000b明",
        id_no=id_no("19900101", 700),
        phone=PHONE,
        address="枣庄市山亭区",
        funds=["transit"],
        entitlements=[
            {
                "concession": "senior",
                "evidence": "老年证 7",
                "valid_from": "2026-01-01",
                "valid_to": "2026-12-31",
            }
        ],
    )
    core = life.city.core
    await core.bind_plate(CENTRE, user_id, BindPlateRequest(plate=PLATE), key())
    await life.top_up(user_id, 500)
    order = await life.pay(user_id)
    claim_id = await close(life, user_id, payee="6222000011112222")
    assert claim_id is not None
    await settle(life, claim_id)
    backup = await sealed_columns(life)
    assert len(backup) >= 7
    await do(core.erase_user, user_id, act("user_request", note="本人申请"))
    user = await core.read_user(CENTRE, user_id)
    assert (user.name_masked, user.id_no_masked, user.phone_masked) == ("*", "*", "*")
    async with transaction(life.city.engine) as (connection, _):
        keys = (await connection.execute(select(person_key))).all()
        assert keys == []
    assert (await core.explain(CENTRE, order.order_id)).explained_fen == order.nominal_fen
    assert (await core.list_orders(CENTRE, user_id, OrdersQuery())).orders != []
    assert await life.books_are_right()
    for sealed in backup:
        for field in Field:
            with pytest.raises(InvalidTag):
                DataKey(bytes(32)).open(field, sealed)
    for asked in ({"phone": PHONE}, {"id_no": id_no("19900101", 700)}, {"plate": PLATE}):
        with pytest.raises(UserUnknownError):
            await core.find_user(CENTRE, FindUserRequest.model_validate(asked))
    request = DiscloseRequest(purpose="audit", fields=["name"], operator="op-1")
    with pytest.raises(PersonStateError):
        await core.disclose(CENTRE, user_id, request)
    credentials = (await core.list_credentials(CENTRE, user_id)).credentials
    assert [one.label_masked for one in credentials] == [None]


async def test_a_sealed_column_put_back_from_a_backup_opens_for_nobody(life: Life) -> None:
    """Why: destroying the key must outlive every restore of what it sealed."""
    user_id = await opened(life, name="某人", id_no=id_no("19900101", 701))
    await close(life, user_id)
    async with transaction(life.city.engine) as (connection, _):
        before = await connection.exec_driver_sql("SELECT name_sealed FROM cardcore.person")
        sealed = before.scalar_one()
    await do(life.city.core.erase_user, user_id)
    async with transaction(life.city.engine) as (connection, _):
        await connection.execute(
            tables.person.update()
            .where(tables.person.c.user_id == user_id)
            .values(name_sealed=sealed, erased_at=None)
        )
    with pytest.raises(PersonStateError, match="erased"):
        await life.city.core.read_user(CENTRE, user_id)


async def test_nobody_is_erased_while_the_account_stands_or_twice(life: Life) -> None:
    user_id, other = await life.person(balance_fen=0), await duplicate(life)
    await merge(life, user_id, other)
    core = life.city.core
    with pytest.raises(PersonStateError):
        await do(core.erase_user, user_id)
    claim_id = await close(life, user_id)
    with pytest.raises(ObligationsOpenError) as refused:
        await do(core.erase_user, user_id)
    assert refused.value.facts["open"] == [f"claim:{claim_id}"]
    assert claim_id is not None
    await settle(life, claim_id)
    await do(core.erase_user, user_id)
    with pytest.raises(PersonStateError):
        await do(core.erase_user, user_id)
    async with transaction(life.city.engine) as (connection, _):
        # The merged duplicate's key went with the survivor's.
        assert (await connection.execute(select(person_key))).all() == []
