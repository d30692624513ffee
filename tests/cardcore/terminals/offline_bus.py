"""A bus validator off-line, and what is asked of its records afterwards."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import select

import codes
from adapters import demo_city
from cardcore.base64url import encode_base64url
from cardcore.books import transaction
from cardcore.caller import Caller
from cardcore.terminals import tables as terminal_tables
from cardcore.terminals.record_request import UploadRequest
from cardcore.terminals.record_views import RecordResult, UploadView
from codes.card_tap import CardTap
from codes.suites import Algorithm, PrivateKey, load_private_key
from codes.validator_record import (
    CHAIN_START,
    Decision,
    EvidenceKind,
    Place,
    ValidatorRecord,
    sign_record,
)
from tests.cardcore.user.test_authorisations import Phone
from tests.city_life import VALIDATOR, Life

PLACE = Place(terminal_id=demo_city.BUS_TERMINAL, line_id="K1", stop_id="SC01", vehicle_id="V0001")


@dataclass
class Validator:
    """A bus validator off-line: signs a record for each decision."""

    life: Life
    key: PrivateKey
    place: Place = PLACE
    scene: codes.Scope = codes.Scope.BUS
    caller: Caller = VALIDATOR
    kid: int = 0
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    previous: bytes = CHAIN_START

    def record(self, code: str, amount_fen: int = 100, **changes: object) -> ValidatorRecord:
        values: dict[str, object] = {
            "algorithm": self.key.public_key.algorithm,
            "kid": self.kid,
            "decision": Decision.ACCEPTED_OFFLINE,
            "record_id": uuid4(),
            "sequence_no": next(self.numbers),
            "previous_digest": self.previous,
            "occurred_at_ms": int(self.life.clock.now.timestamp() * 1000),
            "amount_fen": amount_fen,
            "scene": self.scene,
            "evidence_kind": EvidenceKind.CODE,
            "evidence": code.encode(),
            "place": self.place,
        }
        unsigned = ValidatorRecord(**(values | changes))  # type: ignore[arg-type]
        signed = sign_record(unsigned, self.key.sign)
        self.previous = signed.digest
        return signed

    def tap_record(self, tap: CardTap, amount_fen: int = 100, **changes: object) -> ValidatorRecord:
        """A record of a card's tap."""
        evidence = {"evidence_kind": EvidenceKind.CARD_TAP, "evidence": tap.to_bytes()}
        return self.record("", amount_fen, **(evidence | changes))

    async def upload(
        self, *records: ValidatorRecord | bytes | str, clock: datetime | None = None
    ) -> UploadView:
        texts = [
            one
            if isinstance(one, str)
            else encode_base64url(one if isinstance(one, bytes) else one.to_bytes())
            for one in records
        ]
        request = UploadRequest(
            records=texts,
            list_version=1,
            list_age_s=60,
            clock=clock or self.life.clock.now,
        )
        return await self.life.city.core.upload_records(self.caller, request)


def private(secret: bytes, public: bytes) -> PrivateKey:
    return load_private_key(Algorithm.ED25519, secret, public)


async def phone_of(life: Life, user_id: UUID) -> Phone:
    phone = Phone(life, user_id)
    await phone.ask()
    return phone


def outcomes(results: Sequence[RecordResult]) -> list[tuple[str, str | None]]:
    return [(one.state, one.reason) for one in results]


async def cases(life: Life) -> list[str]:
    async with transaction(life.city.engine) as (connection, _):
        return list(await connection.scalars(select(terminal_tables.record_case.c.kind)))
