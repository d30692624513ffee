"""The public vectors: the project and the independent checker judge all of them alike."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import codes
from codes import (
    CodeError,
    KeyRing,
    KeyUse,
    MemoryReplayGuard,
    Policy,
    Purpose,
    Scope,
    Status,
    jtt,
)
from codes.card_tap import CardSuite, read_tap
from codes.key_ring import IssuerKey
from codes.status_list import StatusList, StatusLists, pack
from codes.suites import Algorithm, load_public_key
from codes.validator_record import RecordInvalidError, verify_record
from hsm_sim import card
from tests.vectors.generate import generate
from tests.vectors.tap_cases import block_key
from tests.vectors.vector_keys import ISSUER_ID, NOW_S

FOLDER = Path(__file__).parents[2] / "docs" / "vectors"


def _document(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return document


CODES = _document("codes.json")
RING = KeyRing.from_json(json.dumps(CODES["key_ring"]))


def _status_list(status: dict[str, Any] | None) -> StatusList | None:
    if status is None:
        return None
    statuses = {int(index): Status(value) for index, value in status["statuses"].items()}
    return StatusList(
        issuer_id=ISSUER_ID,
        version=1,
        issued_at_s=status["issued_at_s"],
        expires_at_s=status["expires_at_s"],
        ttl_s=300,
        entry_count=100,
        packed=pack(statuses, 100),
    )


def _verdict(vector: dict[str, Any]) -> str:
    given = dict(vector["policy"])
    policy = Policy(
        **given
        | {
            "scope": Scope(given["scope"]),
            "needs": Purpose(given["needs"]),
            "place_ids": tuple(given["place_ids"]),
        }
    )
    guard = MemoryReplayGuard()
    listed = _status_list(vector["status"])
    try:
        for text in (*vector["presented_before"], vector["text"]):
            codes.verify(
                text, RING, listed, policy, vector["now_s"], guard, amount_fen=vector["amount_fen"]
            )
    except CodeError as refusal:
        return refusal.code
    return "accepted"


@pytest.mark.parametrize(
    "vector", CODES["vectors"], ids=lambda vector: f"{vector['id']} {vector['note']}"
)
def test_a_code_is_judged_as_its_vector_says(vector: dict[str, Any]) -> None:
    verdict = _verdict(vector)
    if vector["expect"] == "refused":
        assert verdict != "accepted"
    else:
        assert verdict == vector["expect"]


def test_every_class_and_legal_suite_has_an_accepted_and_a_refused_vector() -> None:
    seen = set()
    for vector in CODES["vectors"]:
        try:
            code = codes.decode(vector["text"])
        except CodeError:
            continue
        seen.add((code.code_class.name, code.suite, vector["expect"] == "accepted"))
    suites = {"S": (0x10, 0x20, 0x30), "D": (0x11, 0x13, 0x22, 0x23, 0x33), "P": (0x10, 0x20, 0x30)}
    wanted = {(c, suite, good) for c, some in suites.items() for suite in some for good in (0, 1)}
    assert wanted <= {(letter, suite, int(good)) for letter, suite, good in seen}


@pytest.mark.parametrize("entry", _document("records.json")["records"])
def test_a_record_is_judged_as_its_vector_says(entry: dict[str, Any]) -> None:
    key = load_public_key(Algorithm(entry["algorithm"]), bytes.fromhex(entry["public_key"]))
    data = bytes.fromhex(entry["record"])
    if entry["valid"]:
        assert verify_record(data, key).to_bytes() == data
    else:
        with pytest.raises(RecordInvalidError):
            verify_record(data, key)


@pytest.mark.parametrize("entry", _document("status_lists.json")["lists"])
def test_a_status_list_says_what_its_vector_says(entry: dict[str, Any]) -> None:
    ring = KeyRing(
        [
            IssuerKey(
                issuer_id=ISSUER_ID,
                kid=entry["algorithm"],
                algorithm=Algorithm(entry["algorithm"]),
                public_key=bytes.fromhex(entry["public_key"]),
                not_before_s=0,
                not_after_s=NOW_S * 2,
                uses=frozenset({KeyUse.LISTS}),
            )
        ]
    )
    lists = StatusLists()
    for document, statuses in (("full", "statuses"), ("delta", "statuses_after")):
        listed = lists.apply(bytes.fromhex(entry[document]), ring, NOW_S)
        found = {str(index): listed.status(index) for index in range(listed.entry_count)}
        assert {index: status for index, status in found.items() if status} == entry[statuses]


TAPS = _document("taps.json")["taps"]


@pytest.mark.parametrize("entry", TAPS, ids=lambda entry: entry["note"])
def test_a_tap_is_judged_as_its_vector_says(entry: dict[str, Any]) -> None:
    data = bytes.fromhex(entry["tap"])
    master = block_key(CardSuite(entry["suite"]), bytes.fromhex(entry["master_key"]))
    key = card.card_key(master, bytes.fromhex(entry["card_no"]))
    try:
        tap = read_tap(data)
        valid = card.transaction_code(key, tap.tac_message) == tap.tac
    except CodeError:
        valid = False
    assert valid is entry["valid"]


RIDES = _document("ride_codes.json")


@pytest.mark.parametrize("entry", RIDES["codes"], ids=lambda entry: entry["note"])
def test_a_ride_code_is_judged_as_its_vector_says(entry: dict[str, Any]) -> None:
    roots = {
        int(place): load_public_key(Algorithm.SM2_SM3, bytes.fromhex(key))
        for place, key in RIDES["roots"].items()
    }
    data = bytes.fromhex(entry["code"])
    if entry["valid"]:
        assert jtt.verify(data, roots, entry["now_s"], None).to_bytes() == data
    else:
        with pytest.raises(CodeError):
            jtt.verify(data, roots, entry["now_s"], None)


def _check(folder: Path) -> subprocess.CompletedProcess[str]:
    # Isolated mode: the checker cannot see the project even by accident.
    return subprocess.run(
        [sys.executable, "-I", str(FOLDER / "check.py"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


def test_the_independent_checker_agrees_with_every_vector() -> None:
    source = (FOLDER / "check.py").read_text(encoding="utf-8")
    assert "import codes" not in source
    assert "from codes" not in source
    result = _check(FOLDER)
    assert result.returncode == 0, result.stdout
    assert "0 wrong" in result.stdout


def test_fresh_vectors_pass_and_a_false_one_is_found(tmp_path: Path) -> None:
    """Why: a checker that cannot fail proves nothing."""
    (tmp_path / "keys.json").write_bytes((FOLDER / "keys.json").read_bytes())
    asyncio.run(generate(tmp_path))
    assert _check(tmp_path).returncode == 0
    path = tmp_path / "codes.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    assert len(document["vectors"]) == len(CODES["vectors"])
    document["vectors"][0]["expect"] = "code_expired"
    path.write_text(json.dumps(document), encoding="utf-8")
    result = _check(tmp_path)
    assert result.returncode == 1
    assert "WRONG codes 1 " in result.stdout
