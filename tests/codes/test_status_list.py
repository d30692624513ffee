"""The status list: the encoding of the IETF draft, signed documents, deltas, forgeries."""

import base64
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codes import Algorithm, KeyRing, KeyUse, Status
from codes.signed_document import (
    DocumentBaseMissingError,
    DocumentError,
    DocumentExpiredError,
    DocumentForgedError,
    DocumentMalformedError,
    DocumentMismatchError,
    DocumentOlderError,
    DocumentType,
    seal,
    unseal,
)
from codes.status_list import StatusList, StatusLists, pack, packed_size
from tests.codes import city
from tests.codes.city import NOW_S, RING, document_signer, run

LIST = StatusList(
    issuer_id=city.ISSUER_ID,
    version=10,
    issued_at_s=NOW_S - 60,
    expires_at_s=NOW_S + 86_400,
    ttl_s=300,
    entry_count=1000,
    packed=pack({7: Status.REVOKED, 8: Status.SUSPENDED, 999: Status.ASK_ONLINE}, 1000),
)


def _next(changes: dict[int, Status], **fields: Any) -> StatusList:  # noqa: ANN401  (any field)
    """A list one version on, with ``changes``."""
    count = fields.get("entry_count", LIST.entry_count)
    statuses = {index: LIST.status(index) for index in range(LIST.entry_count)} | changes
    packed = pack(statuses, count)
    return replace(LIST, **{"version": 11, "packed": packed, **fields})


def test_the_two_bit_example_of_the_draft_comes_out() -> None:
    """Source: draft-ietf-oauth-status-list, section 4.1 and its JSON example."""
    values = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]
    packed = pack({index: Status(value) for index, value in enumerate(values)}, 12)
    assert packed == bytes.fromhex("C944F9")
    compressed = base64.urlsafe_b64decode("eNo76fITAAPfAgc=")
    assert zlib.decompress(compressed) == packed
    assert zlib.compress(packed, 9) == compressed


def test_an_index_beyond_the_end_must_be_asked_online() -> None:
    assert LIST.status(1000) is Status.ASK_ONLINE
    assert LIST.status(0) is Status.VALID
    assert LIST.status(8) is Status.SUSPENDED
    with pytest.raises(IndexError):
        pack({1000: Status.REVOKED}, 1000)


@pytest.mark.parametrize("algorithm", city.ALGORITHMS)
def test_a_full_list_is_believed_in_every_suite(algorithm: Algorithm) -> None:
    lists = StatusLists()
    assert lists.for_issuer(city.ISSUER_ID) is None
    read = lists.apply(run(LIST.sign(document_signer(algorithm))), RING, NOW_S)
    assert read == LIST
    assert lists.for_issuer(city.ISSUER_ID) == LIST
    assert lists.for_issuer(1) is None
    assert LIST.for_issuer(city.ISSUER_ID) is LIST
    assert LIST.for_issuer(1) is None


def _held() -> StatusLists:
    lists = StatusLists()
    lists.apply(run(LIST.sign(document_signer())), RING, NOW_S)
    return lists


STATUSES = st.dictionaries(st.integers(0, 999), st.sampled_from(Status), max_size=60)


@given(STATUSES, STATUSES, st.integers(0, 5))
def test_a_delta_leads_to_the_new_list(
    old: dict[int, Status], new: dict[int, Status], growth: int
) -> None:
    before = replace(LIST, packed=pack(old, 1000))
    after = replace(LIST, version=12, entry_count=1000 + growth, packed=pack(new, 1000 + growth))
    lists = StatusLists()
    lists.apply(run(before.sign(document_signer())), RING, NOW_S)
    assert lists.apply(run(after.sign_delta(before, document_signer())), RING, NOW_S) == after


def test_a_delta_over_far_apart_indices_works() -> None:
    count = 5_000_000
    before = replace(LIST, entry_count=count, packed=bytes(packed_size(count)))
    after = replace(
        before, version=11, packed=pack({0: Status.REVOKED, count - 1: Status.SUSPENDED}, count)
    )
    lists = StatusLists()
    lists.apply(run(before.sign(document_signer())), RING, NOW_S)
    delta = run(after.sign_delta(before, document_signer()))
    assert len(delta) < 200
    assert lists.apply(delta, RING, NOW_S) == after


def _signed(change: Callable[[bytes], bytes], document: bytes) -> bytes:
    """``document`` with its body changed and signed again by the issuer."""
    kind, _, body = unseal(document, RING, NOW_S)
    return run(seal(kind, change(bytes(body)), document_signer()))


FULL = run(LIST.sign(document_signer()))
NEWER = run(_next({}).sign(document_signer()))
DELTA = run(_next({1: Status.REVOKED}).sign_delta(LIST, document_signer()))
OTHER_BASE = replace(LIST, version=9)
OVERLONG = zlib.compress(b"\x80\x80\x80\x80\x80\x00")


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (b"", DocumentMalformedError),
        (b"\x99" + NEWER[1:], DocumentMalformedError),
        (NEWER[:60], DocumentMalformedError),
        (NEWER[:-1], DocumentForgedError),
        (NEWER + b"\0", DocumentForgedError),
        (NEWER[:40] + b"\0" + NEWER[41:], DocumentForgedError),
        (NEWER[:4] + b"\x63" + NEWER[5:], DocumentForgedError),
        (NEWER[:1] + b"\x10" + NEWER[2:], DocumentForgedError),
        (FULL, DocumentOlderError),
        (run(_next({}, version=9).sign(document_signer())), DocumentOlderError),
        (run(_next({}, expires_at_s=NOW_S - 1).sign(document_signer())), DocumentExpiredError),
        (_signed(lambda body: body[:10], NEWER), DocumentMalformedError),
        (_signed(lambda body: b"\1" + body[1:], NEWER), DocumentMalformedError),
        (_signed(lambda body: body[:21] + b"zip", NEWER), DocumentMalformedError),
        (_signed(lambda body: body + b"\0", NEWER), DocumentMalformedError),
        (_signed(lambda body: body[:-4], NEWER), DocumentMalformedError),
        (_signed(lambda body: body[:17] + b"\xff" * 4 + body[21:], NEWER), DocumentMalformedError),
        (_signed(lambda body: body[:17] + bytes(4) + body[21:], NEWER), DocumentMalformedError),
        (
            run(_next({}, version=12).sign_delta(OTHER_BASE, document_signer())),
            DocumentBaseMissingError,
        ),
        (_signed(lambda body: body[:30], DELTA), DocumentMalformedError),
        (_signed(lambda body: body[:61] + b"zip", DELTA), DocumentMalformedError),
        (_signed(lambda body: body[:61] + zlib.compress(b""), DELTA), DocumentMismatchError),
        (_signed(lambda body: body[:61] + zlib.compress(b"\x80"), DELTA), DocumentMalformedError),
        (_signed(lambda body: body[:61] + OVERLONG, DELTA), DocumentMalformedError),
        (
            _signed(lambda body: body[:61] + zlib.compress(b"\xff\xff\x7f"), DELTA),
            DocumentMalformedError,
        ),
        (
            _signed(lambda body: body[:57] + b"\xff" * 4 + body[61:], DELTA),
            DocumentMalformedError,
        ),
        (
            run(seal(DocumentType.CARD_HASH_LIST, bytes(100), document_signer())),
            DocumentMalformedError,
        ),
    ],
)
def test_a_bad_document_leaves_the_last_good_list(
    document: bytes, error: type[DocumentError]
) -> None:
    lists = _held()
    with pytest.raises(error):
        lists.apply(document, RING, NOW_S)
    assert lists.for_issuer(city.ISSUER_ID) == LIST


def test_a_delta_needs_a_list_to_stand_on() -> None:
    with pytest.raises(DocumentBaseMissingError):
        StatusLists().apply(DELTA, RING, NOW_S)
    shrunk = replace(LIST, entry_count=2000, packed=bytes(500))
    lists = StatusLists()
    lists.apply(run(shrunk.sign(document_signer())), RING, NOW_S)
    with pytest.raises(DocumentBaseMissingError):
        lists.apply(DELTA, RING, NOW_S)


def test_a_list_is_believed_only_from_a_current_list_key() -> None:
    key = RING.get(city.ISSUER_ID, Algorithm.ES256)
    assert key is not None
    for change in ({"uses": frozenset({KeyUse.CODES})}, {"not_after_s": NOW_S}):
        ring = KeyRing([replace(key, **change)])
        with pytest.raises(DocumentForgedError):
            StatusLists().apply(FULL, ring, NOW_S)


def test_a_delta_is_small() -> None:
    """Why: it goes out every few minutes over a bus's mobile connection."""
    count = 1_000_000
    before = replace(LIST, entry_count=count, packed=bytes(packed_size(count)))
    changes = dict.fromkeys(range(0, count, 10000), Status.REVOKED)
    after = replace(before, version=11, packed=pack(changes, count))
    assert len(run(after.sign_delta(before, document_signer()))) < 600
