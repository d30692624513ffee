"""The hash list: a denied card is always hit, an innocent one almost never, forgeries refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codes.card_hash_list import CardHashList, read_card_hash_list, sorted_hashes
from codes.signed_document import (
    DocumentError,
    DocumentExpiredError,
    DocumentMalformedError,
    DocumentOlderError,
    DocumentType,
    seal,
)
from tests.codes import city
from tests.codes.city import NOW_S, RING, document_signer, run

SALT = b"salt...."
DENIED = [f"3704{number:012d}" for number in range(2000)]


def _list_of(cards: list[str], hash_size: int = 5) -> CardHashList:
    return CardHashList(
        issuer_id=city.ISSUER_ID,
        version=4,
        issued_at_s=NOW_S,
        expires_at_s=NOW_S + 86_400,
        ttl_s=3600,
        salt=SALT,
        hash_size=hash_size,
        hashes=sorted_hashes(cards, SALT, hash_size),
    )


LIST = _list_of(DENIED)


def test_every_denied_card_is_hit_and_innocent_ones_are_not() -> None:
    assert all(LIST.must_ask_online(card) for card in DENIED)
    innocent = [f"3704{number:012d}" for number in range(5000, 15_000)]
    assert sum(LIST.must_ask_online(card) for card in innocent) == 0
    assert not _list_of([]).must_ask_online(DENIED[0])


@given(st.lists(st.from_regex(r"[0-9]{16}", fullmatch=True)), st.integers(4, 8))
def test_no_denied_card_is_ever_missed(cards: list[str], hash_size: int) -> None:
    denied = _list_of(cards, hash_size)
    assert all(denied.must_ask_online(card) for card in cards)
    assert len(denied) <= len(set(cards))


def test_a_signed_list_is_read_back() -> None:
    document = run(LIST.sign(document_signer()))
    assert read_card_hash_list(document, RING, NOW_S) == LIST
    older = replace(LIST, version=3)
    assert read_card_hash_list(document, RING, NOW_S, held=older) == LIST


def _signed(body: bytes, kind: DocumentType = DocumentType.CARD_HASH_LIST) -> bytes:
    return run(seal(kind, body, document_signer()))


GOOD_BODY = run(replace(LIST, version=5).sign(document_signer()))[5:-64]


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (_signed(GOOD_BODY, DocumentType.STATUS_LIST), DocumentMalformedError),
        (_signed(GOOD_BODY[:20]), DocumentMalformedError),
        (_signed(GOOD_BODY[:-1]), DocumentMalformedError),
        (_signed(GOOD_BODY[:24] + b"\3" + GOOD_BODY[25:]), DocumentMalformedError),
        (_signed(GOOD_BODY[:-5] + bytes(5)), DocumentMalformedError),
        (_signed(GOOD_BODY[:-5] + GOOD_BODY[-10:-5]), DocumentMalformedError),
        (run(LIST.sign(document_signer())), DocumentOlderError),
        (
            run(replace(LIST, version=5, expires_at_s=NOW_S - 1).sign(document_signer())),
            DocumentExpiredError,
        ),
    ],
)
def test_a_bad_document_is_refused(document: bytes, error: type[DocumentError]) -> None:
    with pytest.raises(error):
        read_card_hash_list(document, RING, NOW_S, held=LIST)
