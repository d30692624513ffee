"""Writes the public test vectors: ``python -m tests.vectors.generate docs/vectors``.

Keys are kept in ``keys.json`` and made when that file is missing; they are public and good for
nothing but tests. SM2 signatures have a fresh nonce, so two runs differ in bytes, not in meaning.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from codes import Algorithm, Scope, Status, jtt
from codes.signed_document import DocumentSigner
from codes.status_list import StatusList, pack
from codes.validator_record import (
    CHAIN_START,
    Decision,
    EvidenceKind,
    Place,
    ValidatorRecord,
    sign_record,
)
from tests.vectors.code_cases import CodeVectors, code_vectors
from tests.vectors.tap_cases import make_tap, tap_vectors
from tests.vectors.vector_keys import ALGORITHMS, ISSUER_ID, NOW_S, Keys


async def record_vectors(keys: Keys) -> dict[str, Any]:
    """The document of ``records.json``: a chain of records of one terminal of each algorithm."""
    vectors = CodeVectors(keys)
    entries = []
    for algorithm in ALGORITHMS:
        key = keys.key("terminal", algorithm)
        previous = CHAIN_START
        tap = make_tap()
        for number, evidence in enumerate(
            [
                (await vectors.s()).encode(),
                (await vectors.d()).encode(),
                (await vectors.p()).encode(),
                tap.to_bytes(),
            ],
            start=1,
        ):
            refused = number == 3
            record = sign_record(
                ValidatorRecord(
                    algorithm=algorithm,
                    kid=1,
                    decision=Decision.REFUSED if refused else Decision.ACCEPTED_OFFLINE,
                    record_id=UUID(int=number),
                    sequence_no=number,
                    previous_digest=previous,
                    occurred_at_ms=1000 * NOW_S + number,
                    amount_fen=200,
                    scene=Scope.BUS,
                    evidence_kind=EvidenceKind.CARD_TAP if number == 4 else EvidenceKind.CODE,
                    evidence=evidence,
                    place=Place(terminal_id="bus-4711", line_id="运通110", stop_id="7"),
                    reason="scene_not_allowed" if refused else "",
                    package_version=3,
                    list_version=9,
                ),
                key.sign,
            )
            previous = record.digest
            data = record.to_bytes()
            changed = data[:64] + b"\x01" + data[65:]
            common = {"algorithm": int(algorithm), "public_key": key.public_key.raw.hex()}
            entries.append({**common, "record": data.hex(), "valid": True})
            entries.append({**common, "record": changed.hex(), "valid": False})
            entries.append({**common, "record": data[:-1].hex(), "valid": False})
    return {"records": entries}


async def status_vectors(keys: Keys) -> dict[str, Any]:
    """The document of ``status_lists.json``: a full list and a delta on it."""
    entries = []
    for algorithm in ALGORITHMS:
        signer = DocumentSigner(
            algorithm=algorithm,
            issuer_id=ISSUER_ID,
            kid=algorithm,
            sign=keys.sign("issuer", algorithm),
        )
        before = {7: Status.REVOKED, 8: Status.SUSPENDED, 999: Status.ASK_ONLINE}
        after = {8: Status.SUSPENDED, 12: Status.REVOKED, 1005: Status.REVOKED}
        full = StatusList(
            issuer_id=ISSUER_ID,
            version=10,
            issued_at_s=NOW_S,
            expires_at_s=NOW_S + 86_400,
            ttl_s=300,
            entry_count=1000,
            packed=pack(before, 1000),
        )
        newer = replace(full, version=11, entry_count=1010, packed=pack(after, 1010))
        entries.append(
            {
                "public_key": keys.key("issuer", algorithm).public_key.raw.hex(),
                "algorithm": int(algorithm),
                "full": (await full.sign(signer)).hex(),
                "statuses": {str(index): int(status) for index, status in before.items()},
                "delta": (await newer.sign_delta(full, signer)).hex(),
                "statuses_after": {str(index): int(status) for index, status in after.items()},
            }
        )
    return {"lists": entries}


def _ride_codes(keys: Keys) -> Iterator[tuple[str, bytes, int, bool]]:
    root, issuer, user = (
        keys.key(role, Algorithm.SM2_SM3) for role in ("ride-root", "ride-issuer", "ride-user")
    )
    certificate = jtt.sign_certificate(
        jtt.IssuerCertificate(
            service_id=b"\x01\x02\x03\x04",
            root_index=1,
            issuer=b"\x37\x04\x06\x00",
            expires_month=12,
            expires_year=2028,
            serial=b"\x00\x00\x09",
            parameters=0,
            public_key=issuer.public_key.raw,
            root_signature=bytes(64),
        ),
        root,
    )
    unsigned = jtt.RideCode(
        certificate=certificate,
        payment_account="3704060000000001",
        card_account="31048800000000000001",
        issuer=b"\x37\x04\x06\x00",
        platform=b"\x00\x00\x00\x01",
        card_type=1,
        cap_fen=2000,
        user_key=user.public_key.raw,
        authorisation_expires_at_s=NOW_S + 86_400,
        validity_s=600,
        custom=b"",
        issuer_signature=bytes(64),
        generated_at_s=0,
        user_signature=bytes(64),
    )
    good = jtt.sign_as_user(jtt.sign_as_issuer(unsigned, issuer), user, NOW_S).to_bytes()
    yield "good", good, NOW_S, True
    custom = jtt.sign_as_issuer(replace(unsigned, custom=b"custom"), issuer)
    yield "custom field", jtt.sign_as_user(custom, user, NOW_S).to_bytes(), NOW_S, True
    yield "last second", good, NOW_S + 630, True
    yield "expired", good, NOW_S + 631, False
    yield "from the future", good, NOW_S - 31, False
    for place in (2, 10, 30, 100, 121, 140, 156, 170, 192, 196, 230, 264, 300):
        changed = bytearray(good)
        changed[place] ^= 1
        yield f"bit flipped in byte {place}", bytes(changed), NOW_S, False
    own = replace(unsigned, certificate=jtt.sign_certificate(certificate, issuer))
    forged = jtt.sign_as_user(jtt.sign_as_issuer(own, issuer), user, NOW_S).to_bytes()
    yield "certificate signed by the key inside it", forged, NOW_S, False
    yield "cut off", good[:-1], NOW_S, False


def ride_vectors(keys: Keys) -> dict[str, Any]:
    """The document of ``ride_codes.json``."""
    root = keys.key("ride-root", Algorithm.SM2_SM3).public_key.raw.hex()
    codes = [
        {"note": note, "code": data.hex(), "now_s": now_s, "valid": valid}
        for note, data, now_s, valid in _ride_codes(keys)
    ]
    return {"roots": {"1": root}, "codes": codes}


async def generate(folder: Path) -> None:
    """Write all vector files into ``folder``."""
    keys = Keys(folder / "keys.json")
    documents = {
        "codes.json": await code_vectors(keys),
        "records.json": await record_vectors(keys),
        "status_lists.json": await status_vectors(keys),
        "ride_codes.json": ride_vectors(keys),
        "taps.json": tap_vectors(),
    }
    keys.write()
    for name, document in documents.items():
        text = json.dumps(document, indent=1, ensure_ascii=False)
        (folder / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(generate(Path(sys.argv[1])))
