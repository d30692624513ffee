"""Canaries: personal values are planted, then looked for wherever they must not be."""

import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from adapters import demo_city
from adapters.http.app import NOUNS, PLATFORM_NOUNS
from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import City
from cardcore.books import transaction
from cardcore.platform.cloud_event import FeedEvent, cloud_event
from cardcore.platform.event_feed import AUDIENCE
from cardcore.tables import outbox
from cardcore.user.pseudonyms import pairwise
from ledger.statement_files import to_csv, to_xlsx
from ledger.statements import read_statement
from tests.adapters.http.centre import Centre, centre_of
from tests.adapters.platform.test_access_matrix import query_of
from tests.city_life import id_no
from tests.conftest import CityClock

PEOPLE = 8


@dataclass(frozen=True)
class Planted:
    """What is personal of one person: five values each."""

    name: str
    id_no: str
    phone: str
    address: str
    plate: str

    def values(self) -> list[str]:
        """The five, as a leak would show them."""
        return [self.name, self.id_no, self.phone, self.address, self.plate]


def planted(number: int) -> Planted:
    """One synthetic person with a rare name, and a formula for whoever opens a spreadsheet."""
    return Planted(
        name=f"{chr(0x20000 + number)}=HYPERLINK(丙{number})",
        id_no=id_no("19770707", 500 + number),
        phone=f"1397654{3210 + number}",
        address=f"枣庄市山亭区金丝雀巷{number}号院",
        plate=f"鲁D7Q{number}8Z",
    )


CANARIES = [planted(number) for number in range(PEOPLE)]
VALUES = [value for one in CANARIES for value in one.values()]
# Free text and certificates are personal too.
EVIDENCE = "残疾人证 37040619770707050443"
NOTE = "家属王金丝雀来电说明"
PAYEE = "工商银行 6222020200001234567"
SECRETS = [*VALUES, EVIDENCE, NOTE, PAYEE]


def leaks(text: str) -> list[str]:
    """Which of the planted values stand in a text, as they are, escaped, or as hex of UTF-8."""
    lowered = text.lower()
    return [
        value
        for value in SECRETS
        if value in text
        or json.dumps(value)[1:-1].lower() in lowered
        or value.encode().hex() in lowered
    ]


def test_forty_values_are_planted_and_a_leak_would_be_seen() -> None:
    """Why: a search that finds nothing must be known to find something."""
    assert len(set(VALUES)) == 40
    for value in SECRETS:
        assert leaks(f"…{value}…") == [value]
        assert leaks(json.dumps({"x": value})) == [value]
        assert leaks(f"\\x00{value.encode().hex()}ff") == [value]


@pytest.fixture
async def centre(
    city: City, city_clock: CityClock, city_settings: Settings
) -> AsyncIterator[Centre]:
    """The card centre, signed in."""
    async with centre_of(city, city_clock, city_settings) as opened:
        yield opened


async def live(centre: Centre, one: Planted, number: int) -> str:
    """A person comes, pays, is looked at, changed, refused; every other one leaves."""
    body: dict[str, Any] = {
        "name": one.name,
        "id_no": one.id_no,
        "phone": one.phone,
        "address": one.address,
        "funds": ["transit"],
        "entitlements": [
            {
                "concession": "senior",
                "evidence": EVIDENCE,
                "valid_from": "2026-01-01",
                "valid_to": "2026-12-31",
            }
        ],
    }
    user = await centre.post("/v1/users", body)
    user_id: str = user["user_id"]
    path = f"/v1/users/{user_id}"
    topup = {"fund": "transit", "amount_fen": 900, "channel": "t", "channel_no": f"T{number}"}
    await centre.post(f"{path}/topups", topup)
    await centre.post(f"{path}/plates", {"plate": one.plate})
    await centre.post(f"{path}/contact", {"phone": one.phone, "address": one.address})
    act = {"reason": "risk", "note": NOTE}
    await centre.post(f"{path}/freeze", act)
    await centre.post(f"{path}/freeze", act, status=409)
    await centre.post(f"{path}/unfreeze", act)
    await centre.get(path)
    await centre.get(f"{path}/credentials")
    await centre.get(f"{path}/data-accesses")
    await centre.post("/v1/user-searches", {"plate": one.plate}, status=200)
    if number % 2:
        await centre.post(f"{path}/closure", {"reason": "user_request", "payee": PAYEE})
    return user_id


async def go_wrong(centre: Centre, one: Planted, user_id: str) -> None:
    """Send the values where they do not belong."""
    wrong = one.id_no[:-1] + ("0" if one.id_no[-1] != "0" else "1")
    await centre.post("/v1/users", {"name": one.name, "id_no": wrong}, status=422)
    await centre.post(
        "/v1/users", {"name": one.name, "id_no": one.id_no, "x": one.phone}, status=422
    )
    await centre.post("/v1/users", {"name": [one.name], "id_no": one.id_no}, status=422)
    await centre.post("/v1/users", {"level": "phone", "phone": one.address[:30]}, status=422)
    await centre.post(f"/v1/users/{one.phone}/freeze", {"reason": one.name}, status=422)
    await centre.post(f"/v1/users/{user_id}/freeze", {"reason": one.name}, status=422)
    await centre.post("/v1/user-searches", {"plate": one.address[:10]}, status=422)
    await centre.get(f"/v1/users/{one.id_no}", status=404)
    await centre.get(f"/v1/users/{user_id}/data-accesses", status=422, before=one.phone + "x")
    await centre.http.get(f"/v1/users/{one.name}/nowhere", headers=centre.headers)
    await centre.http.post("/v1/users", content=f'{{"name": "{one.name}"', headers=centre.headers)


READS = [
    one
    for noun in (*NOUNS, *PLATFORM_NOUNS)
    for one in noun.operations
    if one.method == "GET" and not one.public and one.access in ("client", "office")
]


async def read_everything(centre: Centre, user_id: str) -> set[int]:
    """Read by every route there is what can be read of a person; the statuses that came back."""
    names = {
        "user_id": user_id,
        "merchant_id": demo_city.BUS_MERCHANT,
        "terminal_id": demo_city.BUS_TERMINAL,
        "fund": "transit",
        "account": "transit",
        "business_on": "2026-06-01",
    }
    statuses = set()
    for operation in READS:
        parts = [
            names.get(part.strip("{}"), str(uuid4())) if part.startswith("{") else part
            for part in operation.path.split("/")
        ]
        query = {} if operation.body is None else {**query_of(operation.body)}
        query |= {name: names[name] for name in query if name in names}
        answer = await centre.http.get("/".join(parts), params=query, headers=centre.headers)
        assert answer.status_code < 500, operation.path
        statuses.add(answer.status_code)
        centre.answers.append(answer)
    return statuses


def columns_in_clear(url: str) -> list[str]:
    """Every row of every table as text, bytes as hex: what a copy of the database tells."""
    rows: list[str] = []
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_type = 'BASE TABLE'"
            " AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert len(tables) > 40
        for schema, table in tables:
            asked = f'SELECT row_to_json(t)::text FROM "{schema}"."{table}" t'
            rows += [row[0] for row in connection.execute(asked.encode())]
    return rows


async def told_outside(city: City) -> list[str]:
    """Every event as the stream outside would be told it."""
    async with transaction(city.engine) as (connection, _):
        rows = (await connection.execute(select(outbox))).mappings().all()
    assert any(row["topic"].startswith("user.") for row in rows)
    return [
        cloud_event(
            FeedEvent(**row, event_id=uuid4(), merchant_id=None),
            lambda user_id: pairwise(b"k" * 32, AUDIENCE, user_id),
        ).decode()
        for row in rows
    ]


async def test_forty_planted_values_appear_nowhere(
    city: City, city_addresses: Addresses, centre: Centre
) -> None:
    """No log, no metric, no problem, no answer, no export, no column of the database."""
    user_ids = [await live(centre, one, number) for number, one in enumerate(CANARIES)]
    for one, user_id in zip(CANARIES, user_ids, strict=True):
        await go_wrong(centre, one, user_id)
    assert 200 in await read_everything(centre, user_ids[0])
    assert [found for answer in centre.answers for found in leaks(answer.text)] == []
    logged = centre.log.getvalue().decode()
    assert len(logged.splitlines()) > len(centre.answers)
    assert leaks(logged) == []
    metrics = await centre.text("/metrics")
    assert "cardcore_http_problems_total" in metrics
    assert leaks(metrics) == []
    rows = columns_in_clear(city_addresses.database_url)
    assert len(rows) > 200
    assert [found for row in rows for found in leaks(row)] == []
    assert leaks("".join(await told_outside(city))) == []
    async with transaction(city.engine) as (connection, _):
        found = await connection.exec_driver_sql("SELECT fund_id FROM cardcore.fund")
        fund_ids = list(found.scalars())
    for fund_id in fund_ids:
        statement = await read_statement(city.book, fund_id.int, date(2026, 1, 1), date(2040, 1, 1))
        assert statement.lines
        sheets = load_workbook(io.BytesIO(to_xlsx(statement)))
        cells = [str(cell.value) for sheet in sheets for row in sheet.rows for cell in row]
        assert leaks(to_csv(statement).decode() + "\n".join(cells)) == []


async def test_what_was_planted_is_still_there_for_those_who_may_see_it(centre: Centre) -> None:
    """Why: nothing leaks where nothing is kept."""
    one = CANARIES[0]
    user_id = await live(centre, one, 0)
    asked = {"purpose": "audit", "fields": ["name", "id_no", "phone", "address"], "operator": "a"}
    shown = await centre.post(f"/v1/users/{user_id}/disclosures", asked, status=200)
    assert [shown["name"], shown["id_no"], shown["address"]] == [one.name, one.id_no, one.address]
    assert shown["phone"] == f"+86{one.phone}"
