"""What is checked off-line: authorisations for phones, printed codes, their status indices."""

import itertools
import os
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

import codes
from cardcore import tables
from cardcore.base64url import decode_base64url, encode_base64url
from cardcore.books import transaction
from cardcore.errors import (
    CodeRefusedError,
    LimitExceededError,
    RequestInvalidError,
    UserFrozenError,
)
from cardcore.user.authorisation_request import AuthoriseRequest, PrintCodeRequest
from cardcore.user.authorisation_tables import code_authorisation, offline_limit, status_space
from cardcore.user.authorisation_views import AuthorisationView
from cardcore.user.people_tables import credential
from cardcore.user.status_indices import ENTRIES_MIN, allocate_index, statuses
from codes.suites import PrivateKey, make_private_key
from codes.text_form import authorisation_from_bytes
from tests.city_life import CENTRE, VALIDATOR, Life
from tests.codes.city import signer_of

SUITES = {
    "0x11": codes.Algorithm.ED25519,
    "0x13": codes.Algorithm.ES256,
    "0x33": codes.Algorithm.ES256,
}


class Phone:
    """A phone with a key of its own."""

    def __init__(self, life: Life, user_id: UUID, suite: str = "0x13") -> None:
        self.life = life
        self.user_id = user_id
        self.suite = suite
        self.key: PrivateKey = make_private_key(SUITES[suite])
        self.counter = itertools.count(1)
        self.authorisation: codes.Authorisation

    async def ask(self, **changes: object) -> AuthorisationView:
        fields = {
            "device_public_key": encode_base64url(self.key.public_key.raw),
            "suite": self.suite,
            "scenes": ["bus", "community"],
        }
        request = AuthoriseRequest.model_validate(fields | changes)
        view = await self.life.city.core.authorise(CENTRE, self.user_id, request)
        self.authorisation = authorisation_from_bytes(decode_base64url(view.authorisation))
        return view

    async def code(self) -> str:
        return await codes.make_d(
            self.authorisation,
            signer_of(self.key),
            made_at_s=int(self.life.clock.now.timestamp()),
            counter=next(self.counter),
        )


async def listed(life: Life) -> dict[int, codes.Status]:
    issuer_id = life.city.core.issuing_keys()[-1].issuer_id
    async with transaction(life.city.engine) as (connection, _):
        return dict(await statuses(connection, issuer_id, now=life.clock.now))


@pytest.mark.parametrize("suite", SUITES)
async def test_a_phone_makes_codes_by_itself_and_they_pay(life: Life, suite: str) -> None:
    user_id = await life.person(balance_fen=1_000)
    phone = Phone(life, user_id, suite)
    view = await phone.ask()
    assert view.suite == suite
    life.clock.advance(hours=20)
    for number in range(2):
        ride = life.ride(await phone.code())
        await life.city.core.order(VALIDATOR, ride, f"d-{number}")
    assert await life.balance_fen(user_id) == 800


async def test_the_limits_are_those_of_the_level(life: Life) -> None:
    phone = Phone(life, await life.person())
    view = await phone.ask()
    assert view.ends_at - view.issued_at == timedelta(days=7)
    assert view.issued_at < view.renew_after < view.issued_at + timedelta(days=2)
    shown = phone.authorisation
    assert shown.cap_10fen * 10 == view.cap_fen == 5_000
    assert shown.cumulative_cap_10fen * 10 == view.cumulative_cap_fen == 20_000
    assert shown.uses_max == view.uses_max == 60
    assert shown.scope == codes.Scope.BUS | codes.Scope.COMMUNITY


async def test_less_may_be_asked_for_and_more_is_not_given(life: Life) -> None:
    phone = Phone(life, await life.person())
    view = await phone.ask(validity_min=60)
    assert view.ends_at - view.issued_at == timedelta(hours=1)
    async with transaction(life.city.engine) as (connection, _):
        await connection.execute(update(offline_limit).values(validity_min=30))
    view = await phone.ask(validity_min=60)
    assert view.ends_at - view.issued_at == timedelta(minutes=30)


async def test_the_tariff_class_hints_at_the_concession(life: Life) -> None:
    senior = Phone(life, await life.person(concession="senior_65"))
    await senior.ask()
    assert senior.authorisation.tariff_class == 1
    plain = Phone(life, await life.person())
    await plain.ask()
    assert plain.authorisation.tariff_class == 0


async def test_renewal_ends_the_former_of_the_same_key_and_links_nothing(life: Life) -> None:
    phone = Phone(life, await life.person())
    await phone.ask()
    former, old_code = phone.authorisation, await phone.code()
    life.clock.advance(seconds=1)
    await phone.ask()
    assert phone.authorisation.token != former.token
    assert phone.authorisation.status_index != former.status_index
    assert await listed(life) == {former.status_index: codes.Status.REVOKED}
    with pytest.raises(UserFrozenError):
        await life.city.core.order(VALIDATOR, life.ride(old_code), "old")
    await life.city.core.order(VALIDATOR, life.ride(await phone.code()), "new")
    async with transaction(life.city.engine) as (connection, _):
        rows = await connection.execute(select(credential.c.token, credential.c.status))
        assert {row.token: row.status for row in rows} == {
            former.token: "closed",
            phone.authorisation.token: "active",
        }


async def test_only_so_many_phones_of_one_person_are_authorised_at_once(life: Life) -> None:
    user_id = await life.person()
    for _ in range(3):
        await Phone(life, user_id).ask(validity_min=60)
    with pytest.raises(LimitExceededError) as refused:
        await Phone(life, user_id).ask()
    assert refused.value.facts["limit"] == "living:D"
    life.clock.advance(hours=1)
    await Phone(life, user_id).ask()


async def test_row_23_a_frozen_person_is_suspended_on_the_list_and_given_nothing(
    life: Life,
) -> None:
    user_id = await life.person()
    phone = Phone(life, user_id)
    await phone.ask()
    async with transaction(life.city.engine) as (connection, _):
        await connection.execute(
            update(tables.person).where(tables.person.c.user_id == user_id).values(status="frozen")
        )
    assert await listed(life) == {phone.authorisation.status_index: codes.Status.SUSPENDED}
    with pytest.raises(UserFrozenError):
        await phone.ask()
    printed = PrintCodeRequest(scenes=["hospital"])
    with pytest.raises(UserFrozenError):
        await life.city.core.print_code(CENTRE, user_id, printed)


@pytest.mark.parametrize(
    ("blocked", "status"),
    [("lost", codes.Status.SUSPENDED), ("closed", codes.Status.REVOKED)],
)
async def test_row_23_a_blocked_alias_stands_on_the_list_until_its_end(
    life: Life, blocked: str, status: codes.Status
) -> None:
    phone = Phone(life, await life.person())
    await phone.ask()
    token = phone.authorisation.token
    async with transaction(life.city.engine) as (connection, _):
        await connection.execute(
            update(tables.code_token)
            .where(tables.code_token.c.token == token)
            .values(blocked=blocked)
        )
    assert await listed(life) == {phone.authorisation.status_index: status}
    life.clock.advance(days=7)
    assert await listed(life) == {}


async def test_a_suite_without_an_issuer_key_is_refused(life: Life) -> None:
    phone = Phone(life, await life.person())
    phone.suite = "0x23"
    with pytest.raises(RequestInvalidError) as refused:
        await phone.ask()
    assert refused.value.field == "suite"


async def test_bytes_that_are_no_key_are_refused(life: Life) -> None:
    phone = Phone(life, await life.person())
    with pytest.raises(RequestInvalidError) as refused:
        await phone.ask(device_public_key=encode_base64url(b"\2" + b"\xff" * 32))
    assert refused.value.field == "device_public_key"


async def test_a_printed_code_identifies_and_pays_only_on_line(life: Life) -> None:
    user_id = await life.person()
    request = PrintCodeRequest(scenes=["bus"], validity_days=30, cap_fen=500, photo_check=True)
    view = await life.city.core.print_code(CENTRE, user_id, request)
    assert view.ends_at - view.issued_at == timedelta(days=30)
    printed = codes.decode(view.text)
    assert isinstance(printed, codes.ClassP)
    assert printed.flags == codes.FlagP.PHOTO_CHECK
    life.clock.advance(days=29)
    await life.city.core.order(VALIDATOR, life.ride(view.text), "p-1")
    assert await life.balance_fen(user_id) == 9_900
    life.clock.advance(days=2)
    with pytest.raises(CodeRefusedError):
        await life.city.core.order(VALIDATOR, life.ride(view.text), "p-2")


@pytest.mark.parametrize("changes", [{"cap_fen": 10_010}, {"validity_days": 366}])
async def test_a_printed_code_beyond_the_limits_is_refused(
    life: Life, changes: dict[str, int]
) -> None:
    request = PrintCodeRequest.model_validate({"scenes": ["bus"]} | changes)
    with pytest.raises(LimitExceededError):
        await life.city.core.print_code(CENTRE, await life.person(), request)


async def test_a_level_without_a_limit_gets_nothing(life: Life) -> None:
    user_id = await life.person()
    async with transaction(life.city.engine) as (connection, _):
        await connection.execute(
            update(tables.person).where(tables.person.c.user_id == user_id).values(level="phone")
        )
    with pytest.raises(LimitExceededError):
        await life.city.core.print_code(CENTRE, user_id, PrintCodeRequest(scenes=["bus"]))


async def test_no_index_is_given_twice_and_the_list_grows_before_it_is_full(life: Life) -> None:
    """How: so many that the shortest list could not hold them half empty."""
    given = set()
    expires_at = life.clock.now + timedelta(days=1)
    async with transaction(life.city.engine) as (connection, _):
        await connection.execute(status_space.insert().values(issuer_id=7, entry_count=8))
        for _ in range(40):
            given.add(
                await allocate_index(connection, 7, expires_at=expires_at, random_bytes=os.urandom)
            )
        found = await connection.execute(
            select(status_space.c.entry_count).where(status_space.c.issuer_id == 7)
        )
        assert found.scalar_one() >= 64
        first = await allocate_index(connection, 8, expires_at=expires_at, random_bytes=os.urandom)
    assert len(given) == 40
    assert 0 <= first < ENTRIES_MIN


async def test_the_register_keeps_no_more_than_it_must(life: Life) -> None:
    """Why: the alias leads to the person; the row of the authorisation names no one else."""
    phone = Phone(life, await life.person())
    await phone.ask()
    async with transaction(life.city.engine) as (connection, _):
        row = (await connection.execute(select(code_authorisation))).one()
    assert row.token == phone.authorisation.token
    assert row.expires_at == row.ends_at + timedelta(days=30)
