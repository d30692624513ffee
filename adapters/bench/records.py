"""``cardcore bench records``: off-line records in batches of 500, durable when answered.

Every record is real: a class D code made by a phone's key, signed by the terminal's; both checked
again, priced, booked with order, lines and transfers; fsync on. Beside it in the same run: the bare
check of the same two signatures, one after another on one core. First one terminal sends one batch
after the other, then two terminals send at once.
"""

import asyncio
import itertools
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import codes
from adapters import demo_city
from adapters.bench.processor import processor_s_of
from adapters.bench.report import Result, compared
from adapters.database import migrate
from adapters.embedded_postgres import EmbeddedPostgres, running_postmaster
from adapters.infrastructure import Addresses
from adapters.memory import settle_memory
from adapters.server import YOUNG_OBJECTS_MAX
from adapters.settings import Settings
from adapters.wiring import City, open_city, utc_now
from cardcore.account.request import TopUpRequest
from cardcore.base64url import decode_base64url, encode_base64url
from cardcore.books import transaction
from cardcore.business.merchants import register_terminal
from cardcore.caller import Caller, Scope
from cardcore.ids import new_id
from cardcore.terminals.activation_code import enrolment_message
from cardcore.terminals.record_judging import RecordKeys, judge_records
from cardcore.terminals.record_request import RECORDS_MAX, UploadRequest
from cardcore.terminals.request import EnrolmentRequest, PublicKeyJWK
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

# Of each batch of 500 nobody taps more than twice, so in 9 rounds of 3 batches 54 times: 54 yuan of
# the 100 that a phone's authorisation may spend in sum. ``_measure`` checks it.
PEOPLE_COUNT: Final = 300
BATCHES_PER_ROUND: Final = 3  # one alone, then two at once
FARE_FEN: Final = 100
TARGET_PER_S: Final = 3_000.0
_SCOPES: Final = frozenset(scope.value for scope in Scope)
_CENTRE: Final = Caller(client_id="card-centre", merchant_id=None, scopes=_SCOPES)
_SECOND_TERMINAL: Final = "bench-bus-2"


@dataclass(frozen=True, slots=True)
class _Phone:
    key: PrivateKey
    authorisation: codes.Authorisation
    cumulative_cap_fen: int
    counter: "itertools.count[int]"

    async def code(self, at_s: int) -> str:
        async def sign(message: bytes) -> bytes:
            return self.key.sign(message)

        return await codes.make_d(
            self.authorisation, sign, made_at_s=at_s, counter=next(self.counter)
        )


@dataclass(slots=True)
class _Validator:
    """A terminal that signs a record for each decision."""

    terminal_id: str
    key: PrivateKey
    next_no: int = 1
    previous: bytes = CHAIN_START

    @property
    def caller(self) -> Caller:
        return Caller(
            client_id=self.terminal_id,
            merchant_id=demo_city.BUS_MERCHANT,
            terminal_id=self.terminal_id,
            scopes=_SCOPES,
        )

    @property
    def keys(self) -> dict[int, tuple[int, bytes]]:
        return {0: (Algorithm.ED25519 << 4, self.key.public_key.raw)}


@dataclass(slots=True)
class _Figures:
    """Of each round: records a second, and what each record took of processors, in ms."""

    per_s: list[float] = field(default_factory=list)
    booking_ms: list[float] = field(default_factory=list)
    database_ms: list[float] = field(default_factory=list)


def run(*, quick: bool) -> list[Result]:
    """Measure; everything lies in a folder of its own that is removed afterwards."""
    batches = 5 if quick else 8  # and one before them
    with tempfile.TemporaryDirectory(prefix="cardcore-bench-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)  # as root, the database runs as another user
        settings = Settings(home=home)
        server = EmbeddedPostgres(settings.postgres_home)
        box = HSMProcess(settings.hsm_home, arguments=("--rate-per-s", "1000000"))
        with server, box:
            addresses = Addresses(database_url=server.url(), hsm_socket=box.socket_path)
            migrate(addresses.database_url)
            postmaster = running_postmaster(server.data)
            assert postmaster is not None
            return asyncio.run(_measure(settings, addresses, batches, postmaster))


async def _measure(
    settings: Settings, addresses: Addresses, batches: int, postmaster: int
) -> list[Result]:
    async with open_city(addresses, settings) as city:
        await demo_city.load(city, clients_home=settings.clients_home, now=utc_now())
        phones = [await _phone(city, number) for number in range(PEOPLE_COUNT)]
        taps_max = -(-RECORDS_MAX // PEOPLE_COUNT) * BATCHES_PER_ROUND * (batches + 1)
        assert taps_max * FARE_FEN <= min(one.cumulative_cap_fen for one in phones)
        pem = demo_city.client_key(settings.clients_home, demo_city.BUS_TERMINAL)
        first = _Validator(
            demo_city.BUS_TERMINAL,
            load_private_key(
                Algorithm.ED25519, pem.private_bytes_raw(), pem.public_key().public_bytes_raw()
            ),
        )
        second = await _second_terminal(city)
        ring_json = json.dumps(await city.core.key_ring())
        bare_per_s, judging_ms = [], []
        one, both = _Figures(), _Figures()
        settle_memory(YOUNG_OBJECTS_MAX)  # as a server does
        for batch_no in range(batches + 1):
            records = await _records(phones, first)
            alone = await _upload(city, {first.terminal_id: (first, records)}, postmaster)
            pair = {
                validator.terminal_id: (validator, await _records(phones, validator))
                for validator in (first, second)
            }
            together = await _upload(city, pair, postmaster)
            if batch_no:  # the first batch starts the judging processes
                _note(one, alone)
                _note(both, together)
                bare_per_s.append(_bare_per_s(records, phones, first.key))
                keys = RecordKeys(
                    terminal_id=first.terminal_id, keys=first.keys, ring_json=ring_json
                )
                judging_ms.append(_judging_ms(records, keys))
    return [
        *_rates("batches of 500 of one terminal", one, _median(bare_per_s)),
        *_rates("batches of 500 of two terminals at once", both, _median(bare_per_s)),
        Result(
            name="processor time of judging a record, other processes",
            value=_median(judging_ms),
            unit="ms",
        ),
        Result(
            name="processor time of booking a record, this process",
            value=_median(one.booking_ms),
            unit="ms",
        ),
        Result(
            name="processor time of the database for a record",
            value=_median(one.database_ms),
            unit="ms",
        ),
    ]


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _rates(what: str, figures: _Figures, bare_per_s: float) -> list[Result]:
    per_s = _median(figures.per_s)
    return [
        compared(
            f"records uploaded, {what}",
            per_s,
            "records/s",
            reference="bare check of both signatures, one core",
            reference_value=bare_per_s,
        ),
        Result(
            name=f"records uploaded, {what}, against the target",
            value=per_s,
            unit="records/s",
            target=TARGET_PER_S,
            met=per_s >= TARGET_PER_S,
        ),
    ]


async def _upload(
    city: City,
    uploads: Mapping[str, tuple[_Validator, Sequence[ValidatorRecord]]],
    postmaster: int,
) -> tuple[float, float, float]:
    """Upload at once; records a second, processor ms a record of this process, of the database."""
    requests = [
        (
            validator.caller,
            UploadRequest(
                records=[encode_base64url(record.to_bytes()) for record in records],
                list_version=1,
                list_age_s=0,
                clock=utc_now(),
            ),
        )
        for validator, records in uploads.values()
    ]
    count = sum(len(request.records) for _, request in requests)
    database_s = processor_s_of(postmaster)
    started, own_s = time.perf_counter(), time.process_time()
    views = await asyncio.gather(
        *(city.core.upload_records(caller, request) for caller, request in requests)
    )
    taken_s, own_s = time.perf_counter() - started, time.process_time() - own_s
    database_s = processor_s_of(postmaster) - database_s
    ends = Counter((one.state, one.reason) for view in views for one in view.results)
    assert ends.keys() == {("booked", None)}, f"states and reasons of the records: {ends}"
    return count / taken_s, own_s * 1000 / count, database_s * 1000 / count


def _note(figures: _Figures, measured: tuple[float, float, float]) -> None:
    for values, one in zip(
        (figures.per_s, figures.booking_ms, figures.database_ms), measured, strict=True
    ):
        values.append(one)


async def _second_terminal(city: City) -> _Validator:
    """Registered and enrolled with a key of its own."""
    async with transaction(city.engine) as (connection, _):
        await register_terminal(
            connection,
            terminal_id=_SECOND_TERMINAL,
            merchant_id=demo_city.BUS_MERCHANT,
            scene="bus",
            place={},
            now=utc_now(),
        )
    view = await city.core.give_activation_code(_CENTRE, _SECOND_TERMINAL)
    key = make_private_key(Algorithm.ED25519)
    proof = key.sign(enrolment_message(_SECOND_TERMINAL, view.activation_code))
    await city.core.enrol(
        EnrolmentRequest(
            terminal_id=_SECOND_TERMINAL,
            activation_code=view.activation_code,
            public_key=PublicKeyJWK(
                kty="OKP", crv="Ed25519", x=encode_base64url(key.public_key.raw)
            ),
            proof=encode_base64url(proof),
        )
    )
    return _Validator(_SECOND_TERMINAL, key)


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
        key=key,
        authorisation=authorisation_from_bytes(decode_base64url(view.authorisation)),
        cumulative_cap_fen=view.cumulative_cap_fen,
        counter=itertools.count(1),
    )


async def _records(phones: Sequence[_Phone], validator: _Validator) -> list[ValidatorRecord]:
    now = utc_now()
    place = Place(terminal_id=validator.terminal_id, line_id="K1", stop_id="SC01")
    records = []
    for number in range(RECORDS_MAX):
        text = await phones[number % len(phones)].code(int(now.timestamp()))
        unsigned = ValidatorRecord(
            algorithm=Algorithm.ED25519,
            kid=0,
            decision=Decision.ACCEPTED_OFFLINE,
            record_id=new_id(now, os.urandom),
            sequence_no=validator.next_no,
            previous_digest=validator.previous,
            occurred_at_ms=int(now.timestamp() * 1000),
            amount_fen=FARE_FEN,
            scene=codes.Scope.BUS,
            evidence_kind=EvidenceKind.CODE,
            evidence=text.encode(),
            place=place,
        )
        record = sign_record(unsigned, validator.key.sign)
        validator.next_no += 1
        validator.previous = record.digest
        records.append(record)
    return records


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
