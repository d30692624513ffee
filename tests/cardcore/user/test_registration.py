"""Levels of registration, and finding the same person again."""

from uuid import UUID

import pytest
from sqlalchemy import select

from cardcore import tables
from cardcore.books import transaction
from cardcore.errors import (
    FundUnknownError,
    IdempotencyKeyReusedError,
    LimitExceededError,
    PersonExistsError,
    PersonStateError,
    RequestInvalidError,
    UserUnknownError,
)
from cardcore.user.people_request import ContactRequest, FindUserRequest, UpgradeRequest
from cardcore.user.request import OpenUserRequest
from tests.cardcore.user.people_acts import act, do, key, opened
from tests.city_life import CENTRE, Life, id_no

PHONE = "13800138000"


def real_name(number: int = 1, **fields: object) -> dict[str, object]:
    return {"name": f"测试{number}", "id_no": id_no("19900101", number)} | fields


async def upgraded(life: Life, user_id: UUID, **fields: object) -> None:
    request = UpgradeRequest.model_validate(fields)
    await life.city.core.upgrade_user(CENTRE, user_id, request, key())


async def test_row_36_the_same_person_twice_is_the_existing_one(life: Life) -> None:
    """How: 15 digits, then 18 with a small x, then a reader's blanks."""
    number = id_no("19550101", 1)
    assert number[-1] == "X"
    old = number[:6] + number[8:17]
    ids = {
        await opened(life, name="某人", id_no=form, funds=["transit"])
        for form in (old, number.lower(), number)
    }
    assert len(ids) == 1
    assert await life.balance_fen(ids.pop()) == 0


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (id_no("20250229", 1), "birth date does not exist"),
        (id_no("20270101", 1), "future"),
        (id_no("19900101", 1)[:-1] + "Y", "check character"),
    ],
)
async def test_row_36_a_wrong_number_opens_nobody(life: Life, number: str, reason: str) -> None:
    with pytest.raises(RequestInvalidError, match=reason):
        await opened(life, name="某人", id_no=number)
    async with transaction(life.city.engine) as (connection, _):
        assert (await connection.execute(select(tables.person.c.user_id))).all() == []


async def test_a_phone_leads_to_the_one_who_registered_with_it(life: Life) -> None:
    first = await opened(life, level="phone", phone=PHONE)
    assert await opened(life, level="phone", phone="+86 138-0013-8000") == first
    user = await life.city.core.read_user(CENTRE, first)
    assert (user.level, user.name_masked, user.id_no_masked) == ("phone", None, None)
    assert user.phone_masked == "+86138****8000"


async def test_a_family_may_share_a_phone(life: Life) -> None:
    """Why: many elders have their child's number; it must not make the two one."""
    child = await opened(life, **real_name(1), phone=PHONE)
    elder = await opened(life, **real_name(2), phone=PHONE)
    assert child != elder
    found = await life.city.core.find_user(CENTRE, FindUserRequest(phone=PHONE))
    assert found.user_id == child


async def test_anonymous_people_are_all_different_and_nothing_is_known_of_them(
    life: Life,
) -> None:
    one, other = [await opened(life, level="anonymous", funds=["bearer"]) for _ in range(2)]
    assert one != other
    user = await life.city.core.read_user(CENTRE, one)
    assert (user.level, user.name_masked, user.phone_masked) == ("anonymous", None, None)


@pytest.mark.parametrize(("level", "fund"), [("anonymous", "transit"), ("phone", "purse")])
async def test_a_fund_needs_its_level(life: Life, level: str, fund: str) -> None:
    phone = {"phone": PHONE} if level == "phone" else {}
    with pytest.raises(FundUnknownError):
        await opened(life, level=level, funds=[fund], **phone)


async def test_a_level_bounds_all_funds_together(life: Life) -> None:
    """Why: two funds must not get around what the law allows an unknown person."""
    user_id = await opened(life, level="phone", phone=PHONE, funds=["bearer", "transit"])
    await life.top_up(user_id, 100_000, fund="bearer")
    await life.top_up(user_id, 100_000, fund="transit")
    await upgraded(life, user_id, level="real_name", **real_name())
    anonymous = await opened(life, level="anonymous", funds=["bearer"])
    await life.top_up(anonymous, 99_999, fund="bearer")
    with pytest.raises(LimitExceededError):
        await life.top_up(anonymous, 2, fund="bearer")


async def test_the_level_itself_refuses_what_every_fund_would_take(life: Life) -> None:
    async with transaction(life.city.engine) as (connection, _):
        await connection.exec_driver_sql(
            "UPDATE cardcore.identity_level SET balance_fen_max = 150000 WHERE level = 'phone'"
        )
    user_id = await opened(life, level="phone", phone=PHONE, funds=["bearer", "transit"])
    await life.top_up(user_id, 100_000, fund="bearer")
    with pytest.raises(LimitExceededError) as refused:
        await life.top_up(user_id, 50_001, fund="transit")
    assert refused.value.facts == {
        "limit": "level_balance",
        "limit_fen": 150_000,
        "balance_fen": 100_000,
    }
    await life.top_up(user_id, 50_000, fund="transit")


async def test_a_person_rises_level_by_level(life: Life) -> None:
    user_id = await opened(life, level="anonymous", funds=["bearer"])
    await upgraded(life, user_id, level="phone", phone=PHONE)
    await upgraded(life, user_id, level="real_name", **real_name())
    user = await life.city.core.read_user(CENTRE, user_id)
    assert (user.level, user.name_masked) == ("real_name", "测**")
    assert await opened(life, **real_name()) == user_id
    with pytest.raises(PersonStateError):
        await upgraded(life, user_id, level="phone", phone=PHONE)


async def test_a_number_of_somebody_else_does_not_raise_a_level(life: Life) -> None:
    known = await opened(life, **real_name())
    holder = await opened(life, level="phone", phone=PHONE)
    with pytest.raises(PersonExistsError) as refused:
        await upgraded(life, holder, level="real_name", **real_name())
    assert refused.value.facts == {"user_id": str(known)}
    anonymous = await opened(life, level="anonymous")
    with pytest.raises(PersonExistsError) as refused:
        await upgraded(life, anonymous, level="phone", phone=PHONE)
    assert refused.value.facts == {"user_id": str(holder)}


async def test_contact_data_is_replaced_and_the_old_number_is_free(life: Life) -> None:
    user_id = await opened(life, level="phone", phone=PHONE)
    core = life.city.core
    request = ContactRequest(phone="13900139000", address="枣庄市山亭区府前路1号")
    await core.change_contact(CENTRE, user_id, request, key())
    assert await opened(life, level="phone", phone=PHONE) != user_id
    assert await opened(life, level="phone", phone="13900139000") == user_id
    with pytest.raises(PersonExistsError):
        await core.change_contact(CENTRE, user_id, ContactRequest(phone=PHONE), key())
    await do(core.freeze_user, user_id)
    with pytest.raises(PersonStateError):
        await core.change_contact(CENTRE, user_id, request, key())
    with pytest.raises(PersonStateError):
        await upgraded(life, user_id, level="real_name", **real_name())


async def test_one_is_found_by_each_number_and_nobody_by_another(life: Life) -> None:
    user_id = await opened(life, **real_name(), phone=PHONE)
    core = life.city.core
    for asked in ({"id_no": id_no("19900101", 1)}, {"phone": PHONE}):
        found = await core.find_user(CENTRE, FindUserRequest.model_validate(asked))
        assert (found.user_id, found.level, found.status) == (user_id, "real_name", "active")
    for asked in ({"id_no": id_no("19900101", 2)}, {"phone": "13900139000"}, {"plate": "鲁D12345"}):
        with pytest.raises(UserUnknownError):
            await core.find_user(CENTRE, FindUserRequest.model_validate(asked))


async def test_a_repeated_registration_gives_no_right_to_the_frozen(life: Life) -> None:
    right = {
        "concession": "senior",
        "evidence": "老年证 1",
        "valid_from": "2026-01-01",
        "valid_to": "2026-12-31",
    }
    user_id = await opened(life, **real_name(), entitlements=[right])
    await opened(life, **real_name(), entitlements=[right])
    user = await life.city.core.read_user(CENTRE, user_id)
    assert user.concessions == ["senior"]
    await do(life.city.core.freeze_user, user_id)
    assert await opened(life, **real_name()) == user_id
    with pytest.raises(PersonStateError):
        await opened(life, **real_name(), entitlements=[right])


async def test_an_act_is_answered_as_before_and_its_key_means_one_act(life: Life) -> None:
    core = life.city.core
    user_id = await opened(life, **real_name())
    first = await core.freeze_user(CENTRE, user_id, act(), "k")
    await do(core.unfreeze_user, user_id)
    again = await core.freeze_user(CENTRE, user_id, act(), "k")
    assert (again[0], first[1], again[1]) == (first[0], False, True)
    assert (await core.read_user(CENTRE, user_id)).status == "active"
    with pytest.raises(IdempotencyKeyReusedError):
        await core.freeze_user(CENTRE, user_id, act("legal_order"), "k")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "某人"},
        {"level": "phone"},
        {"level": "phone", "phone": PHONE, "name": "某人", "id_no": id_no("19900101", 1)},
        {"level": "anonymous", "phone": PHONE},
        {"name": "某\x00人", "id_no": id_no("19900101", 1)},
        {"name": "某\u0085\n人", "id_no": id_no("19900101", 1)},
        {"name": "某" * 81, "id_no": id_no("19900101", 1)},
    ],
)
def test_row_34_a_registration_that_is_none_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="OpenUserRequest"):
        OpenUserRequest.model_validate(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"level": "phone"},
        {"level": "phone", "phone": PHONE, "name": "某人"},
        {"level": "real_name", "name": "某人"},
        {"level": "anonymous"},
    ],
)
def test_an_upgrade_brings_what_the_level_needs(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="UpgradeRequest"):
        UpgradeRequest.model_validate(fields)


def test_nothing_is_neither_contact_nor_search() -> None:
    for model in (ContactRequest, FindUserRequest):
        with pytest.raises(ValueError, match=model.__name__):
            model()
    with pytest.raises(ValueError, match="exactly one"):
        FindUserRequest(phone=PHONE, plate="鲁D12345")
