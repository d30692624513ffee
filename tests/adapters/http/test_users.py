"""People, top-ups, codes and books over HTTP."""

from typing import Any
from uuid import uuid4

from adapters.http.examples import ISSUE_CODE, OPEN_USER, TOP_UP
from tests.adapters.http.conftest import Face


async def _open(face: Face, body: dict[str, Any]) -> dict[str, Any]:
    answer = await face.http.post("/v1/users", json=body, headers=face.keyed())
    assert answer.status_code == 201, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def test_a_person_is_opened_read_and_funded(face: Face) -> None:
    user = await _open(face, OPEN_USER)
    read = await face.http.get(f"/v1/users/{user['user_id']}", headers=face.bearer())
    assert read.json() == user
    assert user["name_masked"] == "王*"
    path = f"/v1/users/{user['user_id']}/topups"
    headers = face.keyed()
    first = await face.http.post(path, json=TOP_UP, headers=headers)
    again = await face.http.post(path, json=TOP_UP, headers=headers)
    assert first.status_code == 201
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"


async def test_row_34_a_rare_character_survives_the_way_there_and_back(face: Face) -> None:
    user = await _open(face, {**OPEN_USER, "name": "𠀋明"})
    assert user["name_masked"] == "𠀋*"


async def test_a_code_is_issued_to_a_known_person_only(face: Face) -> None:
    user = await _open(face, OPEN_USER)
    path = f"/v1/users/{user['user_id']}/codes"
    issued = await face.http.post(path, json=ISSUE_CODE, headers=face.bearer())
    assert (issued.status_code, issued.json()["text"]) == (201, "M1:ABC")
    nobody = await face.http.post(
        f"/v1/users/{uuid4()}/codes", json=ISSUE_CODE, headers=face.bearer()
    )
    assert (nobody.status_code, nobody.json()["code"]) == (404, "user_unknown")


async def test_the_key_ring_is_public_and_may_be_cached(face: Face) -> None:
    answer = await face.http.get("/v1/key-ring")
    assert (answer.status_code, answer.json()) == (200, {"issuers": []})
    assert answer.headers["cache-control"] == "public, max-age=60"


async def test_the_books_are_read_with_their_scope(face: Face) -> None:
    answer = await face.http.get("/v1/books", headers=face.bearer())
    assert answer.json()["trial_balance_fen"] == 0
