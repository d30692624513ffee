"""The demo city: 山亭区 in small. Merchants, terminals, clients, a car park, the bundled buses.

Everything of a person in it is synthetic. Loading it again changes nothing.
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from adapters import demo_feed
from adapters.wiring import City
from cardcore.books import transaction
from cardcore.business.merchants import register_client, register_merchant, register_terminal
from cardcore.caller import Caller, Scope
from cardcore.terminals.enrolment import TERMINAL_SCOPES, add_terminal_key
from codes.suites import Algorithm as CodeAlgorithm
from codes.suites import load_public_key
from scenes.bus import service as bus_service
from scenes.parking.request import RegisterCarParkRequest

FEED_SOURCE: Final = "shanting_bus"
LINES_SOURCE: Final = "shanting_lines"
BUS_MERCHANT: Final = "shanting-bus"
GATE_MERCHANT: Final = "fuxing-community"
HOSPITAL_MERCHANT: Final = "shanting-hospital"
HOSPITAL_CODE: Final = "H37040600001"  # its number with the insurer
BUS_TERMINAL: Final = "bus-V0001"
GATE_TERMINAL: Final = "gate-N01"
HOSPITAL_TERMINAL: Final = "hospital-C01"
HOSPITAL_SYSTEM: Final = "shanting-his"
PARKING_MERCHANT: Final = "shanting-parking"
CAR_PARK: Final = "east-gate"
LANE_IN: Final = "east-in-1"
LANE_OUT: Final = "east-out-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoClient:
    """A client of the demo city."""

    client_id: str
    merchant_id: str | None
    terminal_id: str | None
    scopes: tuple[Scope, ...]


CLIENTS: Final = (
    DemoClient(client_id="card-centre", merchant_id=None, terminal_id=None, scopes=tuple(Scope)),
    DemoClient(
        client_id="aishandong",
        merchant_id=None,
        terminal_id=None,
        scopes=(
            Scope.USERS_WRITE,
            Scope.USERS_READ,
            Scope.CODES_ISSUE,
            Scope.ORDERS_READ,
            Scope.SESSIONS_WRITE,
        ),
    ),
    DemoClient(
        client_id=BUS_TERMINAL,
        merchant_id=BUS_MERCHANT,
        terminal_id=BUS_TERMINAL,
        scopes=TERMINAL_SCOPES,
    ),
    DemoClient(
        client_id="shanting-bus-office",
        merchant_id=BUS_MERCHANT,
        terminal_id=None,
        scopes=(Scope.VERIFY, Scope.ORDERS_WRITE, Scope.ORDERS_READ, Scope.REFUNDS_WRITE),
    ),
    DemoClient(
        client_id=GATE_TERMINAL,
        merchant_id=GATE_MERCHANT,
        terminal_id=GATE_TERMINAL,
        scopes=TERMINAL_SCOPES,
    ),
    DemoClient(
        client_id=HOSPITAL_SYSTEM,
        merchant_id=HOSPITAL_MERCHANT,
        terminal_id=None,
        scopes=(
            Scope.HOSPITAL_WRITE,
            Scope.HOSPITAL_READ,
            Scope.HOSPITAL_REVIEW,
            Scope.HOSPITAL_REPORTS,
            Scope.VERIFY,
            Scope.ORDERS_READ,
        ),
    ),
    DemoClient(
        client_id="east-gate-lanes",
        merchant_id=PARKING_MERCHANT,
        terminal_id=None,
        scopes=(Scope.PARKING_EVENTS, Scope.PARKING_READ),
    ),
)


_CENTRE: Final = Caller(
    client_id="card-centre",
    merchant_id=None,
    scopes=frozenset({Scope.PARKING_WRITE.value}),
)


async def load(city: City, *, clients_home: Path, now: datetime) -> None:
    """Register merchants, terminals and clients, and import the bundled fares."""
    async with transaction(city.engine) as (connection, raw):
        for merchant_id, name_zh, name_en in (
            (BUS_MERCHANT, "山亭公交", "Shanting Bus"),
            (GATE_MERCHANT, "府前福兴社区", "Fuxing Community"),
            (HOSPITAL_MERCHANT, "山亭区人民医院", "Shanting People's Hospital"),
            (PARKING_MERCHANT, "山亭城市停车", "Shanting City Parking"),
        ):
            await register_merchant(
                connection,
                raw,
                city.book,
                merchant_id=merchant_id,
                name_zh=name_zh,
                name_en=name_en,
                now=now,
            )
        for terminal_id, merchant_id, scene, place in (
            (BUS_TERMINAL, BUS_MERCHANT, "bus", {"vehicle": "V0001"}),
            (GATE_TERMINAL, GATE_MERCHANT, "community", {"door": "N01"}),
            (HOSPITAL_TERMINAL, HOSPITAL_MERCHANT, "hospital", {"window": "1"}),
            (LANE_IN, PARKING_MERCHANT, "parking", {"lane": "in"}),
            (LANE_OUT, PARKING_MERCHANT, "parking", {"lane": "out"}),
        ):
            await register_terminal(
                connection,
                terminal_id=terminal_id,
                merchant_id=merchant_id,
                scene=scene,
                place=place,
                now=now,
            )
        for client in CLIENTS:
            await register_client(
                connection,
                client_id=client.client_id,
                merchant_id=client.merchant_id,
                terminal_id=client.terminal_id,
                scopes=list(client.scopes),
                public_key=public_jwk(client_key(clients_home, client.client_id)),
                now=now,
            )
            if client.terminal_id is not None:
                # The key a demo terminal calls with also signs its records, as after an enrolment.
                key = client_key(clients_home, client.client_id)
                await add_terminal_key(
                    connection,
                    client.terminal_id,
                    load_public_key(CodeAlgorithm.ED25519, key.public_key().public_bytes_raw()),
                    now=now,
                )
    await city.hospital.add_hospital(
        merchant_id=HOSPITAL_MERCHANT,
        terminal_id=HOSPITAL_TERMINAL,
        fixmedins_code=HOSPITAL_CODE,
        now=now,
    )
    async with city.pool.connection() as connection:
        await bus_service.import_feed(
            connection,
            source=FEED_SOURCE,
            files=demo_feed.feed_files(),
            minor_per_unit=demo_feed.MINOR_PER_UNIT,
            imported_by="demo",
            at=now,
        )
        await bus_service.import_lines(
            connection,
            source=LINES_SOURCE,
            files=demo_feed.line_files(),
            imported_by="demo",
            at=now,
        )
    await city.parking.register_car_park(_CENTRE, car_park())
    await city.reload_fares()


def car_park(
    car_park_id: str = CAR_PARK,
    merchant_id: str = PARKING_MERCHANT,
    lanes: tuple[str, str] = (LANE_IN, LANE_OUT),
) -> RegisterCarParkRequest:
    """The demo city's car park: half an hour free, day and night, caps, new-energy discount."""
    return RegisterCarParkRequest.model_validate(
        {
            "car_park_id": car_park_id,
            "merchant_id": merchant_id,
            "name_zh": "东门停车场",
            "name_en": "East Gate Car Park",
            "spaces": 120,
            "lanes": [
                {"lane_id": lanes[0], "direction": "in"},
                {"lane_id": lanes[1], "direction": "out"},
            ],
            "valid_from": "2026-01-01T00:00:00+08:00",
            "tariff": {
                "periods": [
                    {
                        "name": "日间",
                        "starts": "08:00:00",
                        "steps": [
                            {"until_min": 60, "unit_min": 30, "unit_fen": 200},
                            {"unit_min": 60, "unit_fen": 100},
                        ],
                    },
                    {
                        "name": "夜间",
                        "starts": "20:00:00",
                        "steps": [{"unit_min": 60, "unit_fen": 50}],
                        "cap_fen": 300,
                    },
                ],
                "cycle_starts": "08:00:00",
                "cycle_cap_fen": 2000,
                "free_min": 30,
                "new_energy_free_min": 120,
                "new_energy_percent_off": 50,
                "entry_missed_fen": 500,
                "month_card_fen": 18_000,
            },
        }
    )


def client_key_file(clients_home: Path, client_id: str) -> Path:
    """Where the private key of a demo client lies."""
    return clients_home / f"{client_id}.pem"


def client_key(clients_home: Path, client_id: str) -> Ed25519PrivateKey:
    """The private key of a demo client, made the first time; only its owner may read the file."""
    clients_home.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = client_key_file(clients_home, client_id)
    if path.exists():
        key = load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, Ed25519PrivateKey)
        return key
    key = Ed25519PrivateKey.generate()
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


def public_jwk(key: Ed25519PrivateKey) -> dict[str, Any]:
    """The public JSON Web Key (RFC 8037) of an Ed25519 key."""
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": base64.urlsafe_b64encode(raw).rstrip(b"=").decode(),
    }
