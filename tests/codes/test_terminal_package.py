"""The terminal package: whole and as a delta, roll-back, forgery, key change without a visit."""

import json
import struct
from dataclasses import replace
from typing import Any

import pytest

from codes import Algorithm, IssuerKey, KeyRingError, Status
from codes.signed_document import (
    DocumentBaseMissingError,
    DocumentError,
    DocumentExpiredError,
    DocumentForgedError,
    DocumentMalformedError,
    DocumentMismatchError,
    DocumentOlderError,
    DocumentSigner,
    DocumentType,
    seal,
)
from codes.status_list import StatusList, pack
from codes.suites import make_private_key
from codes.terminal_package import TerminalPackage, make_package, open_package
from tests.codes import city
from tests.codes.city import NOW_S, RING, document_signer, run

LIST = StatusList(
    issuer_id=city.ISSUER_ID,
    version=10,
    issued_at_s=NOW_S,
    expires_at_s=NOW_S + 86_400,
    ttl_s=300,
    entry_count=100_000,
    packed=pack({index * 37: Status.REVOKED for index in range(1000)}, 100_000),
)
NEWER_LIST = replace(
    LIST,
    version=11,
    issued_at_s=NOW_S + 300,
    packed=pack({index * 37: Status.REVOKED for index in range(1003)}, 100_000),
)
BLOBS = {
    "keys": RING.to_json().encode(),
    "parameters": b'{"floor_limit_fen":200}',
    "fares": bytes(range(256)) * 40,
}


def _package(version: int = 1, **changes: Any) -> TerminalPackage:  # noqa: ANN401  (any argument)
    values: dict[str, Any] = {
        "made_at_s": NOW_S,
        "expires_at_s": NOW_S + 86_400,
        "blobs": BLOBS,
        "status_lists": {city.ISSUER_ID: LIST},
        "signer": document_signer(),
    }
    return run(make_package(version=version, **{**values, **changes}))


FIRST = _package()
SECOND = _package(
    2, blobs={**BLOBS, "parameters": b"{}"}, status_lists={city.ISSUER_ID: NEWER_LIST}
)


@pytest.mark.parametrize("algorithm", city.ALGORITHMS)
def test_a_whole_package_is_read_back_in_every_suite(algorithm: Algorithm) -> None:
    made = _package(signer=document_signer(algorithm))
    read = open_package(made.container(), RING, NOW_S)
    assert read == made
    assert read.etag == made.etag
    assert read.keys == RING
    assert read.for_issuer(city.ISSUER_ID) == LIST
    assert read.for_issuer(1) is None


def test_a_delta_carries_only_what_changed() -> None:
    delta = SECOND.container(FIRST)
    assert len(delta) < len(SECOND.container()) / 5
    read = open_package(delta, FIRST.keys, NOW_S, held=FIRST)
    assert read == SECOND
    assert read.etag == SECOND.etag != FIRST.etag
    assert read.container() == SECOND.container()


def test_a_list_that_changed_altogether_travels_whole() -> None:
    other = replace(
        LIST, version=11, packed=pack(dict.fromkeys(range(1000, 90000), Status.SUSPENDED), 100_000)
    )
    made = _package(2, status_lists={city.ISSUER_ID: other})
    assert open_package(made.container(FIRST), RING, NOW_S, held=FIRST) == made


def test_a_list_that_shrank_travels_whole() -> None:
    shrunk = replace(LIST, version=11, entry_count=10, packed=bytes(3))
    made = _package(2, status_lists={city.ISSUER_ID: shrunk})
    assert open_package(made.container(FIRST), RING, NOW_S, held=FIRST) == made


def test_an_unchanged_list_gets_its_new_date_without_travelling() -> None:
    renewed = replace(LIST, version=11, issued_at_s=NOW_S + 300)
    made = _package(2, status_lists={city.ISSUER_ID: renewed})
    read = open_package(made.container(FIRST), RING, NOW_S, held=FIRST)
    assert read.for_issuer(city.ISSUER_ID) == renewed


def test_keys_change_without_anybody_touching_a_terminal() -> None:
    """How: the second package brings the next key, the third is signed by it."""
    key = make_private_key(Algorithm.ED25519)
    old = RING.get(city.ISSUER_ID, Algorithm.ES256)
    assert old is not None
    fresh = IssuerKey(
        issuer_id=city.ISSUER_ID,
        kid=50,
        algorithm=Algorithm.ED25519,
        public_key=key.public_key.raw,
        not_before_s=NOW_S,
        not_after_s=NOW_S + 10**6,
        uses=old.uses,
    )
    blobs = {**BLOBS, "keys": RING.with_key(fresh).to_json().encode()}
    second = _package(2, blobs=blobs)
    without_old = RING.with_key(fresh).without(city.ISSUER_ID, Algorithm.ES256)
    signer = DocumentSigner(
        algorithm=Algorithm.ED25519, issuer_id=city.ISSUER_ID, kid=50, sign=city.signer_of(key)
    )
    third = _package(3, blobs={**BLOBS, "keys": without_old.to_json().encode()}, signer=signer)

    held = open_package(FIRST.container(), RING, NOW_S)
    with pytest.raises(DocumentForgedError):
        open_package(third.container(), held.keys, NOW_S, held=held)
    held = open_package(second.container(held), held.keys, NOW_S, held=held)
    held = open_package(third.container(held), held.keys, NOW_S, held=held)
    assert held.manifest.version == 3
    with pytest.raises(DocumentForgedError):
        open_package(_package(4).container(), held.keys, NOW_S, held=held)


WHOLE = SECOND.container()
MANIFEST_END = 8 + struct.unpack_from(">I", WHOLE, 4)[0]
DELTA = SECOND.container(FIRST)


def _manifest(change: dict[str, Any]) -> bytes:
    """A container without parts whose manifest is changed and signed by the issuer."""
    document = json.loads(SECOND.manifest.to_json()) | change
    body = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    return _container(body)


def _container(body: bytes) -> bytes:
    signed = run(seal(DocumentType.TERMINAL_PACKAGE, body, document_signer()))
    return b"CCPK" + struct.pack(">I", len(signed)) + signed


PART = {"name": "keys", "sha256": "00", "size": 1, "status": None}
STATUS = {
    "name": "status-1",
    "sha256": "00",
    "size": 3,
    "status": {
        "issuer_id": 1,
        "version": 1,
        "issued_at_s": 1,
        "expires_at_s": 1,
        "ttl_s": 1,
        "entry_count": 100,
    },
}


@pytest.mark.parametrize(
    ("container", "error"),
    [
        (b"", DocumentMalformedError),
        (b"CCPK", DocumentMalformedError),
        (b"CCPX" + WHOLE[4:], DocumentMalformedError),
        (WHOLE[:50], DocumentMalformedError),
        (WHOLE[:-1], DocumentMalformedError),
        (WHOLE[: MANIFEST_END + 3], DocumentMalformedError),
        (WHOLE + WHOLE[MANIFEST_END:], DocumentMalformedError),
        (WHOLE + struct.pack(">BBI", 9, 0, 0), DocumentMalformedError),
        (WHOLE[: MANIFEST_END + 20] + b"\0" + WHOLE[MANIFEST_END + 21 :], DocumentMismatchError),
        (WHOLE[:100] + b"\0" + WHOLE[101:], DocumentForgedError),
        (_package(1).container(), DocumentOlderError),
        (_package(3, expires_at_s=NOW_S - 1).container(), DocumentExpiredError),
        (_container(b"{}"), DocumentMalformedError),
        (_container(b"[" * 100_000), DocumentMalformedError),
        (_container(SECOND.manifest.to_json() + b" "), DocumentMalformedError),
        (_manifest({"more": 1}), DocumentMalformedError),
        (_manifest({"parts": [PART, PART]}), DocumentMalformedError),
        (_manifest({"parts": [PART | {"size": -1}]}), DocumentMalformedError),
        (_manifest({"parts": [STATUS]}), DocumentMalformedError),
        (_manifest({"parts": [PART]}), DocumentBaseMissingError),
        (_manifest({"parts": []}), DocumentMalformedError),
        (
            _manifest({"parts": [PART]}) + struct.pack(">BBI", 0, 1, 1) + b"x",
            DocumentMalformedError,
        ),
        (
            _manifest({"parts": [STATUS | {"size": 25}]}) + struct.pack(">BBI", 0, 1, 1) + b"x",
            DocumentMalformedError,
        ),
        (
            _manifest({"parts": [STATUS | {"size": 25}]}) + struct.pack(">BBI", 0, 1, 8) + bytes(8),
            DocumentBaseMissingError,
        ),
    ],
)
def test_a_bad_container_is_refused(container: bytes, error: type[DocumentError]) -> None:
    with pytest.raises(error):
        open_package(container, RING, NOW_S, held=FIRST)


def test_a_delta_needs_the_package_it_stands_on() -> None:
    with pytest.raises(DocumentBaseMissingError):
        open_package(DELTA, RING, NOW_S)
    with pytest.raises(DocumentBaseMissingError):
        open_package(DELTA, RING, NOW_S, held=_package(1, status_lists={}))


def test_a_package_needs_keys() -> None:
    with pytest.raises(KeyRingError):
        _package(blobs={})
