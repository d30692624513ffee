"""Credentials beside cards, entitlements, consents, and the log of looks."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert

from adapters import demo_city
from cardcore import tables
from cardcore.books import transaction
from cardcore.business.request import User, VerifyRequest
from cardcore.caller import Caller
from cardcore.errors import (
    CardcoreError,
    ForbiddenError,
    NotFoundError,
    PersonExistsError,
    PersonStateError,
    RequestInvalidError,
    UserFrozenError,
    UserUnknownError,
)
from cardcore.user.access_log import PURPOSE_WORDS, Purpose
from cardcore.user.consents import consented
from cardcore.user.credentials import CredentialStep
from cardcore.user.people_request import (
    AccessQuery,
    BindPlateRequest,
    DiscloseRequest,
    FindUserRequest,
    GrantConsentRequest,
    GrantEntitlementRequest,
    ReplaceCredentialRequest,
)
from cardcore.user.people_tables import credential
from cardcore.user.personal_data import Field
from tests.cardcore.user.people_acts import act, close, do, key, merge, opened
from tests.city_life import CENTRE, FLAT_FARE_FEN, VALIDATOR, Life, id_no

NOW = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)


# -- credentials ---------------------------------------------------------------------------------


async def device(life: Life, user_id: UUID) -> tuple[UUID, str]:
    """A device key of a person, and a code that carries its alias."""
    code = await life.code(user_id)
    async with transaction(life.city.engine) as (connection, _):
        newest = await connection.exec_driver_sql(
            "SELECT token FROM cardcore.code_token ORDER BY issued_at DESC, ctid DESC LIMIT 1"
        )
        credential_id = uuid4()
        await connection.execute(
            insert(credential).values(
                credential_id=credential_id,
                user_id=user_id,
                kind="device_key",
                status="active",
                token=newest.scalar_one(),
                valid_from=life.clock.now,
                recorded_at=life.clock.now,
            )
        )
    return credential_id, code


async def stepped(life: Life, credential_id: UUID, step: str) -> None:
    await life.city.core.step_credential(
        CENTRE, credential_id, CredentialStep(step), act("loss"), key()
    )


@pytest.mark.parametrize("step", ["loss", "freeze", "close"])
async def test_row_23_one_credential_is_refused_alone_and_at_once(life: Life, step: str) -> None:
    user_id = await life.person()
    credential_id, code = await device(life, user_id)
    await stepped(life, credential_id, step)
    with pytest.raises(CardcoreError) as refused:
        await life.city.core.order(VALIDATOR, life.ride(code), key())
    assert refused.value.code == "user_frozen"
    assert (await life.pay(user_id)).status == "captured"


async def test_row_23_liability_changes_hands_at_the_instant_of_the_report(life: Life) -> None:
    user_id = await life.person()
    credential_id, code = await device(life, user_id)
    life.clock.advance(seconds=5)
    await stepped(life, credential_id, "loss")
    (lost,) = (await life.city.core.list_credentials(CENTRE, user_id)).credentials
    assert (lost.status, lost.liability_from) == ("lost", life.clock.now)
    await stepped(life, credential_id, "found")
    (found,) = (await life.city.core.list_credentials(CENTRE, user_id)).credentials
    assert (found.status, found.liability_from) == ("active", None)
    order, _ = await life.city.core.order(VALIDATOR, life.ride(code), key())
    assert order.status == "captured"


async def test_whoever_verifies_is_told_what_became_of_the_credential(life: Life) -> None:
    user_id = await life.person()
    credential_id, code = await device(life, user_id)
    request = VerifyRequest(
        user=User(credential=code),
        scene="bus",
        merchant_id=demo_city.BUS_MERCHANT,
        terminal_id=demo_city.BUS_TERMINAL,
    )
    assert (await life.city.core.verify(VALIDATOR, request)).restrictions == []
    await stepped(life, credential_id, "loss")
    assert (await life.city.core.verify(VALIDATOR, request)).restrictions == ["lost"]


async def test_a_replaced_credential_names_its_successor(life: Life) -> None:
    user_id = await life.person()
    old, code = await device(life, user_id)
    new, _ = await device(life, user_id)
    other, _ = await device(life, await life.person())
    core = life.city.core

    async def replaced(by: UUID) -> None:
        request = ReplaceCredentialRequest(reason="loss", replacement_id=by)
        await core.step_credential(CENTRE, old, CredentialStep.REPLACE, request, key())

    for wrong in (other, old):
        with pytest.raises(PersonStateError):
            await replaced(wrong)
    with pytest.raises(NotFoundError):
        await replaced(uuid4())
    await replaced(new)
    states = {
        one.credential_id: (one.status, one.replaced_by)
        for one in (await core.list_credentials(CENTRE, user_id)).credentials
    }
    assert states == {old: ("replaced", new), new: ("active", None)}
    with pytest.raises(UserFrozenError):
        await core.order(VALIDATOR, life.ride(code), key())
    with pytest.raises(PersonStateError):
        await stepped(life, old, "found")


async def test_what_was_given_to_a_phone_goes_on_for_the_survivor(life: Life) -> None:
    survivor = await life.person()
    other = await opened(life, level="phone", phone="13800138000", funds=["transit"])
    _, code = await device(life, other)
    await merge(life, survivor, other)
    order, _ = await life.city.core.order(VALIDATOR, life.ride(code), key())
    assert order.status == "captured"
    assert await life.balance_fen(survivor) == 10_000 - FLAT_FARE_FEN


async def test_a_plate_has_one_account(life: Life) -> None:
    one, other = await life.person(balance_fen=0), await life.person()
    core = life.city.core
    first, _ = await core.bind_plate(CENTRE, one, BindPlateRequest(plate="鲁d·12345"), key())
    again, _ = await core.bind_plate(CENTRE, one, BindPlateRequest(plate="鲁D12345"), key())
    assert first.object == again.object
    with pytest.raises(PersonExistsError) as refused:
        await core.bind_plate(CENTRE, other, BindPlateRequest(plate="鲁D12345"), key())
    assert refused.value.facts == {}
    with pytest.raises(RequestInvalidError):
        await core.bind_plate(CENTRE, other, BindPlateRequest(plate="鲁D1234567"), key())
    await close(life, one)
    await core.bind_plate(CENTRE, other, BindPlateRequest(plate="鲁D12345"), key())
    found = await core.find_user(CENTRE, FindUserRequest(plate="鲁D 12345"))
    assert found.user_id == other


# -- entitlements --------------------------------------------------------------------------------


async def test_a_concession_holds_from_grant_to_revocation(life: Life) -> None:
    user_id = await life.person()
    core = life.city.core
    request = GrantEntitlementRequest.model_validate(
        {
            "concession": "senior",
            "evidence": "老年证 123",
            "valid_from": "2026-01-01",
            "valid_to": "2026-12-31",
            "operator": "op-7",
        }
    )
    event, _ = await core.grant_entitlement(CENTRE, user_id, request, key())
    same, _ = await core.grant_entitlement(CENTRE, user_id, request, key())
    assert event.object == same.object
    assert event.object is not None
    cheaper = await life.pay(user_id)
    assert cheaper.citizen_fen < cheaper.nominal_fen
    await do(core.revoke_entitlement, UUID(event.object), act("mistake"))
    full = await life.pay(user_id)
    assert full.citizen_fen == full.nominal_fen
    (right,) = (await core.list_entitlements(CENTRE, user_id)).entitlements
    assert (right.granted_by, right.revoked_at, right.revoke_reason) == (
        "op-7",
        life.clock.now,
        "mistake",
    )
    with pytest.raises(NotFoundError):
        await do(core.revoke_entitlement, UUID(event.object))


# -- consents ------------------------------------------------------------------------------------


def agreeing(**changes: object) -> GrantConsentRequest:
    fields: dict[str, object] = {
        "purpose": "medical_aid",
        "recipient": "hospital-1",
        "scope": ["name", "id_no"],
        "valid_from": NOW - DAY,
        "valid_to": NOW + DAY,
        "evidence": "text-v3",
    }
    return GrantConsentRequest.model_validate(fields | changes)


async def test_a_consent_holds_until_it_is_withdrawn_and_both_are_kept(life: Life) -> None:
    user_id = await life.person()
    core = life.city.core
    event, _ = await core.grant_consent(CENTRE, user_id, agreeing(), key())
    assert event.object is not None

    async def holds(**changes: object) -> bool:
        asked: dict[str, object] = {
            "purpose": "medical_aid",
            "recipient": "hospital-1",
            "scope": "name",
            "at": life.clock.now,
        }
        async with transaction(life.city.engine) as (connection, _):
            return await consented(connection, [user_id], **(asked | changes))  # type: ignore[arg-type]

    assert await holds()
    for other in (
        {"purpose": "marketing"},
        {"recipient": "hospital-2"},
        {"scope": "phone"},
        {"at": NOW + DAY},
        {"at": NOW - 2 * DAY},
    ):
        assert not await holds(**other)
    life.clock.advance(hours=1)
    await do(core.withdraw_consent, UUID(event.object))
    assert not await holds()
    assert await holds(at=NOW)  # what was passed on before the withdrawal was right
    (view,) = (await core.list_consents(CENTRE, user_id)).consents
    assert (view.recorded_at, view.withdrawn_at) == (NOW, life.clock.now)
    with pytest.raises(PersonStateError):
        await do(core.withdraw_consent, UUID(event.object))
    with pytest.raises(NotFoundError):
        await do(core.withdraw_consent, uuid4())


def test_a_consent_ends_after_it_begins() -> None:
    with pytest.raises(ValueError, match="GrantConsentRequest"):
        agreeing(valid_to=NOW - DAY)


@pytest.mark.parametrize("table", ["consent", "consent_withdrawal", "data_access", "person_event"])
async def test_what_was_agreed_looked_at_or_done_cannot_be_changed(life: Life, table: str) -> None:
    for statement in (
        f"DELETE FROM cardcore.{table}",
        f"UPDATE cardcore.{table} SET client_id = ''",
    ):
        with pytest.raises(Exception, match="rows are only ever added"):
            async with transaction(life.city.engine) as (connection, _):
                await connection.exec_driver_sql(statement)


# -- who looked at my data -----------------------------------------------------------------------


async def test_every_look_is_written_down_and_the_citizen_reads_it(life: Life) -> None:
    user_id = await opened(
        life, name="\U0002000b明", id_no=id_no("19900101", 1), phone="13800138000"
    )
    core = life.city.core
    await core.read_user(CENTRE, user_id)
    request = DiscloseRequest.model_validate(
        {"purpose": Purpose.LEGAL_ORDER, "fields": ["name", "address"], "operator": "op-7"}
    )
    shown = await core.disclose(CENTRE, user_id, request)
    assert (shown.name, shown.address, shown.id_no) == ("\U0002000b明", None, None)
    await core.find_user(CENTRE, FindUserRequest(phone="13800138000"))
    log = await core.list_accesses(CENTRE, user_id, AccessQuery())
    assert [(one.purpose, one.operator, one.in_clear, one.fields) for one in log.accesses] == [
        ("service", None, False, ["phone"]),
        ("legal_order", "op-7", True, ["name"]),
        ("service", None, False, ["id_no", "name", "phone"]),
        ("registration", None, False, ["id_no", "name", "phone"]),
    ]
    assert log.accesses[1].purpose_zh == "依法协助调查"
    assert log.next_before is None
    page = await core.list_accesses(CENTRE, user_id, AccessQuery(limit=3))
    rest = await core.list_accesses(CENTRE, user_id, AccessQuery(before=page.next_before, limit=3))
    assert [*page.accesses, *rest.accesses] == log.accesses


async def test_looking_at_nothing_leaves_no_trace(life: Life) -> None:
    user_id = await opened(life, level="anonymous")
    await life.city.core.read_user(CENTRE, user_id)
    assert (await life.city.core.list_accesses(CENTRE, user_id, AccessQuery())).accesses == []


async def test_looks_at_a_merged_person_are_seen_under_both_ids(life: Life) -> None:
    survivor = await life.person()
    other = await opened(life, level="phone", phone="13800138000")
    await merge(life, survivor, other)
    seen = [
        await life.city.core.list_accesses(CENTRE, one, AccessQuery()) for one in (survivor, other)
    ]
    assert seen[0] == seen[1]
    assert len(seen[0].accesses) == 2


def test_every_purpose_has_its_words() -> None:
    assert set(PURPOSE_WORDS) == set(Purpose)


async def test_a_listed_plate_is_a_look_too(life: Life) -> None:
    user_id = await life.person()
    core = life.city.core
    await core.bind_plate(CENTRE, user_id, BindPlateRequest(plate="鲁D12345"), key())
    await core.list_credentials(CENTRE, user_id)
    log = await core.list_accesses(CENTRE, user_id, AccessQuery(limit=1))
    assert log.accesses[0].fields == [Field.PLATE]


async def test_each_verb_needs_its_scope(life: Life) -> None:
    user_id = await life.person()
    nobody = Caller(client_id="nobody", merchant_id=None, scopes=frozenset())
    core = life.city.core
    for refused in (
        core.read_history(nobody, user_id),
        core.list_accesses(nobody, user_id, AccessQuery()),
        core.list_credentials(nobody, user_id),
        core.list_entitlements(nobody, user_id),
        core.list_delegations(nobody, user_id),
        core.list_consents(nobody, user_id),
        core.read_claim(nobody, uuid4()),
        core.find_user(nobody, FindUserRequest(phone="13800138000")),
        core.freeze_user(nobody, user_id, act(), key()),
    ):
        with pytest.raises(ForbiddenError):
            await refused
    with pytest.raises(UserUnknownError):
        await core.read_history(CENTRE, uuid4())


async def test_an_evidence_of_before_stays_where_it_was(life: Life) -> None:
    """Why: rows written before evidence was sealed keep their text."""
    user_id = await life.person()
    async with transaction(life.city.engine) as (connection, _):
        await connection.execute(
            insert(tables.entitlement).values(
                {
                    "entitlement_id": uuid4(),
                    "user_id": user_id,
                    "class": "senior",
                    "evidence": "elder card 1",
                    "valid_from": NOW.date(),
                    "valid_to": NOW.date(),
                    "recorded_at": NOW,
                }
            )
        )
    (right,) = (await life.city.core.list_entitlements(CENTRE, user_id)).entitlements
    assert not right.has_evidence
