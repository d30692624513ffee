"""Signed records to order, for tests."""

from typing import Any
from uuid import UUID

from codes import Algorithm, Scope
from codes.suites import PrivateKey
from codes.validator_record import (
    CHAIN_START,
    Decision,
    EvidenceKind,
    Place,
    ValidatorRecord,
    sign_record,
)
from tests.codes import city


def record(
    evidence: str | bytes,
    *,
    key: PrivateKey = city.PHONE[Algorithm.ES256],
    terminal_id: str = "bus-4711",
    **changes: Any,  # noqa: ANN401  (any field of the table)
) -> ValidatorRecord:
    """A record of an offline acceptance of 2 yuan, made now, the first of its terminal."""
    values: dict[str, Any] = {
        "algorithm": key.public_key.algorithm,
        "kid": 1,
        "decision": Decision.ACCEPTED_OFFLINE,
        "record_id": UUID(bytes=city.fresh(16)),
        "sequence_no": 1,
        "previous_digest": CHAIN_START,
        "occurred_at_ms": 1000 * city.NOW_S,
        "amount_fen": 200,
        "scene": Scope.BUS,
        "evidence_kind": EvidenceKind.CODE,
        "evidence": evidence.encode() if isinstance(evidence, str) else evidence,
        "place": Place(terminal_id=terminal_id, line_id="运通110", stop_id="7", vehicle_id="鲁D1"),
    }
    return sign_record(ValidatorRecord(**{**values, **changes}), key.sign)
