"""Terminal packages over HTTP: whole, unchanged, changed, and what stands in them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select, update

import codes
from adapters import demo_city
from adapters.settings import Settings
from adapters.wiring import City
from cardcore import tables
from cardcore.books import transaction
from cardcore.terminals import packages
from cardcore.terminals.package_content import PackageContent, read_content
from cardcore.terminals.tables import terminal_package
from codes.card_hash_list import read_card_hash_list
from codes.signed_document import DocumentForgedError
from codes.terminal_package import TerminalPackage, open_package
from codes.terminal_parameters import TerminalParameters
from scenes.bus.fares_part import read_fares_part
from scenes.community import service as community
from scenes.community.access import Decision, Grant, Relation
from scenes.community.access_part import read_access_part
from tests.cardcore.terminals.http_door import Door
from tests.cardcore.user.test_authorisations import Phone
from tests.city_life import Life
from tests.conftest import CityClock

PATH = "/v1/terminal-package"


class Terminal:
    """A demo terminal that pulls packages, and believes the keys pinned at its enrolment."""

    def __init__(self, door: Door, client_id: str, key: Ed25519PrivateKey, city: City) -> None:
        self.door = door
        self.client_id = client_id
        self.key = key
        self.ring = codes.KeyRing(
            key for key in city.core._parts.codes.ring if codes.KeyUse.PACKAGES in key.uses
        )
        self.held: TerminalPackage | None = None
        self.answer: httpx2.Response

    async def pull(self) -> TerminalPackage | None:
        headers, query = await self.door.as_client(self.client_id, self.key), {}
        if self.held is not None:
            headers["If-None-Match"] = f'"{self.held.etag}"'
            query["held"] = self.held.etag
        self.answer = await self.door.http.get(PATH, headers=headers, params=query)
        if self.answer.status_code == 304:
            return None
        assert self.answer.status_code == 200, self.answer.text
        ring = self.ring if self.held is None else self.held.keys
        now_s = int(self.door.clock.now.timestamp())
        self.held = open_package(self.answer.content, ring, now_s, self.held)
        assert self.answer.headers["etag"] == f'"{self.held.etag}"'
        return self.held


@pytest.fixture
async def bus(door: Door, city: City, city_settings: Settings) -> Terminal:
    key = demo_city.client_key(city_settings.clients_home, demo_city.BUS_TERMINAL)
    return Terminal(door, demo_city.BUS_TERMINAL, key, city)


@pytest.fixture
async def gate(door: Door, city: City, city_settings: Settings) -> Terminal:
    key = demo_city.client_key(city_settings.clients_home, demo_city.GATE_TERMINAL)
    return Terminal(door, demo_city.GATE_TERMINAL, key, city)


async def serve(service: packages.Packages, city: City, now: datetime) -> packages.Served:
    async with transaction(city.engine) as (connection, raw):
        return await service.serve(
            connection,
            raw,
            scene="bus",
            held=None,
            has=frozenset(),
            now=now,
            on=date(2026, 6, 1),
        )


async def pulled(terminal: Terminal) -> TerminalPackage:
    package = await terminal.pull()
    assert package is not None
    return package


async def test_a_bus_terminal_gets_keys_parameters_fares_and_a_status_list(bus: Terminal) -> None:
    package = await pulled(bus)
    assert bus.answer.headers["package-form"] == "whole"
    assert bus.answer.headers["content-type"] == "application/octet-stream"
    assert {*package.blobs} == {"keys", "parameters", "fares"}
    (issuer_id,) = package.status_lists
    assert package.status_lists[issuer_id].entry_count >= 4096
    uses = {use for key in package.keys for use in key.uses}
    assert uses == {codes.KeyUse.CODES, codes.KeyUse.PACKAGES, codes.KeyUse.LISTS}
    parameters = TerminalParameters.from_json(package.blobs["parameters"])
    assert parameters.stale_cap_fen == 500
    holder = parameters.tariff_class(1)
    assert holder is not None
    assert (holder.concession, holder.name_zh) == ("senior_65", "65岁以上老年人")
    fares = read_fares_part(package.blobs["fares"])
    assert fares.fare("K1", "SC01", bus.door.clock.now).citizen_fen == 100


async def test_what_has_not_changed_is_not_sent_again(bus: Terminal) -> None:
    first = await pulled(bus)
    for _ in range(2):
        bus.door.clock.advance(minutes=25)
        assert await bus.pull() is None
        assert bus.answer.status_code == 304
        assert bus.answer.content == b""
        assert bus.answer.headers["etag"] == f'"{first.etag}"'
    headers = await bus.door.as_client(bus.client_id, bus.key)
    for named, status in ("*", 304), (f'W/"{first.etag}"', 304), ('"another"', 200):
        answer = await bus.door.http.get(PATH, headers=headers | {"If-None-Match": named})
        assert answer.status_code == status


async def test_an_unchanged_package_is_signed_again_before_its_list_grows_stale(
    bus: Terminal,
) -> None:
    """Why: a terminal that pulls must never find its list too old."""
    first = await pulled(bus)
    bus.door.clock.advance(hours=1)
    second = await pulled(bus)
    assert bus.answer.headers["package-form"] == "delta"
    assert len(bus.answer.content) < 2_000
    assert second.manifest.version == first.manifest.version + 1
    assert second.blobs == first.blobs
    (issuer_id,) = second.status_lists
    issued_at_s = second.status_lists[issuer_id].issued_at_s
    assert issued_at_s - first.status_lists[issuer_id].issued_at_s == 3600


async def test_row_23_a_lost_phone_is_on_the_next_list_and_the_code_refused_offline(
    bus: Terminal, life: Life
) -> None:
    phone = Phone(life, await life.person())
    await phone.ask()
    package = await pulled(bus)
    policy = codes.Policy(scope=codes.Scope.BUS)
    code, now_s = await phone.code(), int(life.clock.now.timestamp())
    codes.verify(code, package.keys, package, policy, now_s, None, amount_fen=100)
    async with transaction(life.city.engine) as (connection, _):
        await connection.execute(
            update(tables.code_token)
            .where(tables.code_token.c.token == phone.authorisation.token)
            .values(blocked="lost")
        )
    life.clock.advance(seconds=6)
    package = await pulled(bus)
    assert bus.answer.headers["package-form"] == "delta"
    with pytest.raises(codes.CodeError) as refused:
        codes.verify(code, package.keys, package, policy, now_s, None, amount_fen=100)
    assert refused.value.code == "code_suspended"


async def test_a_gate_gets_its_doors_and_knows_people_by_alias(gate: Terminal, life: Life) -> None:
    user_id = await life.person()
    phone = Phone(life, user_id)
    await phone.ask()
    async with transaction(life.city.engine) as (connection, _):
        await community.put_door_into_groups(
            connection, "N01", {"all"}, recorded_by="test", at=life.clock.now
        )
        await community.give_grant(
            connection,
            uuid4(),
            user_id,
            Grant(
                door_group="all",
                relation=Relation.RESIDENT,
                valid_from=date(2026, 1, 1),
                valid_to=date(2026, 12, 31),
            ),
            recorded_by="test",
            at=life.clock.now,
        )
    book = read_access_part((await pulled(gate)).blobs["access"])
    assert book.decide(phone.authorisation.token, "N01", life.clock.now) is Decision.OPEN
    assert book.decide(b"stranger", "N01", life.clock.now) is Decision.NO_RELATION
    assert "fares" not in (gate.held.blobs if gate.held else {})


async def test_a_version_the_server_no_longer_has_is_answered_with_the_whole(
    bus: Terminal,
) -> None:
    await pulled(bus)
    headers = await bus.door.as_client(bus.client_id, bus.key)
    answer = await bus.door.http.get(PATH, headers=headers, params={"held": "0" * 64})
    assert answer.headers["package-form"] == "whole"
    refused = await bus.door.http.get(PATH, headers=headers, params={"held": "x"})
    assert refused.status_code == 422


async def test_only_so_many_versions_are_kept(city: City, city_clock: CityClock) -> None:
    parts = city.core._parts
    keeper = packages.Packages(
        parts.codes,
        parts.package_signing,
        parts.terminal_scenes,
        parts.random_bytes,
        versions_kept=2,
    )
    for _ in range(4):
        await serve(keeper, city, city_clock.now)
        city_clock.advance(hours=1)
    async with transaction(city.engine) as (connection, _):
        count = await connection.scalar(select(func.count()).select_from(terminal_package))
    assert count == 2


async def test_row_29_a_package_signed_by_another_key_is_not_believed(bus: Terminal) -> None:
    await pulled(bus)
    container = bytearray(bus.answer.content)
    container[100] ^= 1
    now_s = int(bus.door.clock.now.timestamp())
    with pytest.raises(DocumentForgedError):
        open_package(bytes(container), bus.ring, now_s)


async def test_whoever_is_no_terminal_has_no_package(door: Door, centre: Mapping[str, str]) -> None:
    refused = await door.http.get(PATH, headers=dict(centre))
    assert (refused.status_code, refused.json()["code"]) == (404, "terminal_unknown")


async def test_another_worker_serves_the_same_version(
    bus: Terminal, city: City, city_clock: CityClock
) -> None:
    """How: a second service over the same database, with nothing in its memory."""
    first = await pulled(bus)
    parts = city.core._parts
    other = packages.Packages(
        parts.codes, parts.package_signing, parts.terminal_scenes, parts.random_bytes
    )
    served = await serve(other, city, city_clock.now + timedelta(minutes=1))
    assert served.etag == first.etag
    assert served.container == bus.answer.content


async def test_denied_cards_travel_as_a_signed_list_of_hashes(
    city: City, city_clock: CityClock
) -> None:
    """How: what is denied comes from the register of cards; here it is named outright."""

    async def with_denied(*arguments: Any, **named: Any) -> PackageContent:  # noqa: ANN401
        return replace(await read_content(*arguments, **named), denied_cards=["00112233aabbccdd"])

    parts = city.core._parts
    denying = packages.Packages(
        parts.codes,
        parts.package_signing,
        parts.terminal_scenes,
        parts.random_bytes,
        read=with_denied,
    )
    package = (await serve(denying, city, city_clock.now)).package
    now_s = int(city_clock.now.timestamp())
    listed = read_card_hash_list(package.blobs["cards"], package.keys, now_s)
    assert listed.must_ask_online("00112233aabbccdd")
    assert not listed.must_ask_online("00112233aabbccde")


async def test_an_enrolled_terminal_believes_the_package_by_what_it_was_told(
    door: Door, centre: dict[str, str], city: City
) -> None:
    code = (await door.activation_code(centre)).json()["activation_code"]
    key = Ed25519PrivateKey.generate()
    view = (await door.enrol(code, key)).json()
    terminal = Terminal(door, view["client_id"], key, city)
    assert [one["kid"] for one in view["package_keys"]] == [one.kid for one in terminal.ring]
    package = await pulled(terminal)
    manifest = json.loads(package.manifest.to_json())
    assert manifest["made_at_s"] == int(datetime(2026, 6, 1, 2, tzinfo=UTC).timestamp())
