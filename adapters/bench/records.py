"""``cardcore bench records``: off-line records in batches of 500, durable when answered.

Every record is real: a class D code made by a phone's key, signed by the terminal's; both checked
again, priced, booked with order, lines and transfers; fsync on. Beside it in the same run: the bare
check of the same two signatures, one after another on one core.
"""

import asyncio
import itertools
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import codes
from adapters import demo_city
from adapters.bench.report import Result, compared
from adapters.database import migrate
from adapters.embedded_postgres import EmbeddedPostgres
from adapters.infrastructure import Addresses
from adapters.memory import settle_memory
from adapters.server import YOUNG_OBJECTS_MAX
from adapters.settings import Settings
from adapters.wiring import City, open_city, utc_now
from cardcore.account.request import TopUpRequest
from cardcore.base64url import decode_base64url, encode_base64url
from cardcore.caller import Caller, Scope
from cardcore.ids import new_id
from cardcore.terminals.record_judging import RecordKeys, judge_records
from cardcore.terminals.record_request import RECORDS_MAX, UploadRequest
from cardcore.user.authorisation_request import AuthoriseRequest
from cardcore.user.request import OpenUserRequest
from codes.fields import TAG_D
from codes.suites import SIGNATURE_SIZE, Algorithm, PrivateKey, load_private_key, make_private_key
from codes.text_form import authorisation_from_bytes, decode_bytes
from codes.validator_record import (
    CHAIN_START,
    TAG_RECORD,
    Decision,
    EvidenceKind,
    Place,
    ValidatorRecord,
    sign_record,
)
from hsm_sim.process import HSMProcess

PEOPLE_COUNT: Final = 50
FARE_FEN: Final = 100
TARGET_PER_S: Final = 3_000.0
_SCOPES: Final = frozenset(scope.value for scope in Scope)
_CENTRE: Final = Caller(client_id="card-centre", merchant_id=None, scopes=_SCOPES)
_TERMINAL: Final = Caller(
    client_id=demo_city.BUS_TERMINAL,
    merchant_id=demo_city.BUS_MERCHANT,
    terminal_id=demo_city.BUS_TERMINAL,
    scopes=_SCOPES,
)


@dataclass(frozen=True, slots=True)
class _Phone:
    key: PrivateKey
    authorisation: codes.Authorisation
    counter: "itertools.count[int]"

    async def code(self, at_s: int) -> str:
        async def sign(message: bytes) -> bytes:
            return self.key.sign(message)

        return await codes.make_d(
            self.authorisation, sign, made_at_s=at_s, counter=next(self.counter)
        )


def run(*, quick: bool) -> list[Result]:
    """Measure; everything lies in a folder of its own that is removed afterwards."""
    batches = 5 if quick else 16
    with tempfile.TemporaryDirectory(prefix="cardcore-bench-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)  # as root, the database runs as another user
        settings = Settings(home=home)
        server = EmbeddedPostgres(settings.postgres_home)
        box = HSMProcess(settings.hsm_home, arguments=("--rate-per-s", "1000000"))
        with server, box:
            addresses = Addresses(database_url=server.url(), hsm_socket=box.socket_path)
            migrate(addresses.database_url)
            return asyncio.run(_measure(settings, addresses, batches))


async def _measure(settings: Settings, addresses: Addresses, batches: int) -> list[Result]:
    async with open_city(addresses, settings) as city:
        await demo_city.load(city, clients_home=settings.clients_home, now=utc_now())
        phones = [await _phone(city, number) for number in range(PEOPLE_COUNT)]
        pem = demo_city.client_key(settings.clients_home, demo_city.BUS_TERMINAL)
        terminal = load_private_key(
            Algorithm.ED25519, pem.private_bytes_raw(), pem.public_key().public_bytes_raw()
        )
        keys = RecordKeys(
            terminal_id=demo_city.BUS_TERMINAL,
            keys={0: (Algorithm.ED25519 << 4, terminal.public_key.raw)},
            ring_json=json.dumps(await city.core.key_ring()),
        )
        numbers = itertools.count(1)
        previous = CHAIN_START
        per_s, bare_per_s = [], []
        booking_ms, judging_ms = [], []
        settle_memory(YOUNG_OBJECTS_MAX)  # as a server does
        for batch_no in range(batches + 1):
            records, previous = await _records(phones, terminal, numbers, previous)
            request = UploadRequest(
                records=[encode_base64url(record.to_bytes()) for record in records],
                list_version=1,
                list_age_s=0,
                clock=utc_now(),
            )
            started, processor_s = time.perf_counter(), time.process_time()
            view = await city.core.upload_records(_TERMINAL, request)
            taken_s = time.perf_counter() - started
            own_s = time.process_time() - processor_s
            assert {one.state for one in view.results} == {"booked"}, view.results[0]
            if batch_no:  # the first batch starts the judging processes
                per_s.append(len(records) / taken_s)
                bare_per_s.append(_bare_per_s(records, phones, terminal))
                booking_ms.append(own_s * 1000 / len(records))
                judging_ms.append(_judging_ms(records, keys))
    return [
        compared(
            "records uploaded, batches of 500",
            sorted(per_s)[len(per_s) // 2],
            "records/s",
            reference="bare check of both signatures, one core",
            reference_value=sorted(bare_per_s)[len(bare_per_s) // 2],
        ),
        Result(
            name="records uploaded, against the target",
            value=sorted(per_s)[len(per_s) // 2],
            unit="records/s",
            target=TARGET_PER_S,
            met=sorted(per_s)[len(per_s) // 2] >= TARGET_PER_S,
        ),
        Result(
            name="processor time of judging a record, other processes",
            value=sorted(judging_ms)[len(judging_ms) // 2],
            unit="ms",
        ),
        Result(
            name="processor time of booking a record, this process",
            value=sorted(booking_ms)[len(booking_ms) // 2],
            unit="ms",
        ),
    ]


async def _phone(city: City, number: int) -> _Phone:
    user, _ = await city.core.open_user(
        _CENTRE,
        OpenUserRequest(level="phone", phone=f"139{number:08d}", funds=["transit"]),
        f"o{number}",
    )
    topup = TopUpRequest(
        fund="transit", amount_fen=100_000, channel="bench", channel_no=f"B{number}"
    )
    await city.core.top_up(_CENTRE, user.user_id, topup, f"t{number}")
    key = make_private_key(Algorithm.ES256)
    view = await city.core.authorise(
        _CENTRE,
        user.user_id,
        AuthoriseRequest(
            device_public_key=encode_base64url(key.public_key.raw), suite="0x13", scenes=["bus"]
        ),
    )
    return _Phone(
        key, authorisation_from_bytes(decode_base64url(view.authorisation)), itertools.count(1)
    )


async def _records(
    phones: Sequence[_Phone],
    terminal: PrivateKey,
    numbers: "itertools.count[int]",
    previous: bytes,
) -> tuple[list[ValidatorRecord], bytes]:
    now = utc_now()
    place = Place(terminal_id=demo_city.BUS_TERMINAL, line_id="K1", stop_id="SC01")
    records = []
    for number in range(RECORDS_MAX):
        text = await phones[number % len(phones)].code(int(now.timestamp()))
        unsigned = ValidatorRecord(
            algorithm=Algorithm.ED25519,
            kid=0,
            decision=Decision.ACCEPTED_OFFLINE,
            record_id=new_id(now, os.urandom),
            sequence_no=next(numbers),
            previous_digest=previous,
            occurred_at_ms=int(now.timestamp() * 1000),
            amount_fen=FARE_FEN,
            scene=codes.Scope.BUS,
            evidence_kind=EvidenceKind.CODE,
            evidence=text.encode(),
            place=place,
        )
        record = sign_record(unsigned, terminal.sign)
        previous = record.digest
        records.append(record)
    return records, previous


def _judging_ms(records: Sequence[ValidatorRecord], keys: RecordKeys) -> float:
    """Processor time per record of what the judging processes do, done here."""
    batch = [record.to_bytes() for record in records]
    started = time.process_time()
    judged = judge_records(batch, keys)
    taken_s = time.process_time() - started
    assert not any(one.fault or one.code_fault for one in judged)
    return taken_s * 1000 / len(batch)


def _bare_per_s(
    records: Sequence[ValidatorRecord], phones: Sequence[_Phone], terminal: PrivateKey
) -> float:
    """Both signatures of each record, with nothing around them."""
    work = []
    for number, record in enumerate(records):
        data = decode_bytes(record.evidence.decode())
        work.append(
            (
                TAG_RECORD + record.unsigned,
                record.signature,
                phones[number % len(phones)].key.public_key,
                TAG_D + data[:-SIGNATURE_SIZE],
                data[-SIGNATURE_SIZE:],
            )
        )
    started = time.perf_counter()
    for message, signature, device, code, code_signature in work:
        terminal.public_key.verify(signature, message)
        device.verify(code_signature, code)
    return len(work) / (time.perf_counter() - started)
