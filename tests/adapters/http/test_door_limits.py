"""How often one source may knock where nobody is known yet."""

from ipaddress import ip_network
from typing import Any

import pytest

from adapters.http.app import NOUNS, PLATFORM_NOUNS
from adapters.http.door_limits import DOORS, DoorLimits, source_of
from adapters.http.openapi import openapi_document
from adapters.http.rate_limits import Rate
from adapters.http.settings import HTTPSettings
from adapters.http.tokens import ASSERTION_TYPE, GRANT_TYPE, PATH
from tests.adapters.http.conftest import PUBLIC_URL, Client, Face, make_face

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
ONE_AT_A_TIME = Rate(per_s=1, burst=2)


@pytest.mark.parametrize(
    ("peer", "told", "source"),
    [
        ("203.0.113.7", None, "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.1.1.1", "198.51.100.1", "198.51.100.1"),
        ("10.1.1.1", "192.0.2.9, 198.51.100.1", "198.51.100.1"),
        ("10.1.1.1", "198.51.100.1, 10.2.2.2", "198.51.100.1"),
        ("10.1.1.1", None, "10.1.1.1"),
        ("10.1.1.1", "garbage", "unknown"),
        ("fd00::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", None, "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", None, "203.0.113.7"),
        (None, None, "unknown"),
    ],
)
def test_a_source_is_whom_a_trusted_proxy_tells_of_and_nobody_elses_word(
    peer: str | None, told: str | None, source: str
) -> None:
    """Why the second row: a client may write any header it likes."""
    headers = [] if told is None else [(b"x-forwarded-for", told.encode())]
    scope: dict[str, Any] = {"headers": headers, "client": None if peer is None else (peer, 1)}
    assert source_of(scope, PROXIES) == source


class Hands:
    """A clock that stands until it is moved."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def limited_face(hands: Hands, **limits: Any) -> Face:  # noqa: ANN401  (passes through)
    return make_face(doors=DoorLimits(hands, **limits))


def form(face: Face, client: Client) -> dict[str, str]:
    return {
        "grant_type": GRANT_TYPE,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": client.assertion(face.clock),
    }


async def test_a_source_that_knocks_too_often_waits_and_others_do_not() -> None:
    hands = Hands()
    face = limited_face(hands, doors={PATH: ONE_AT_A_TIME}, trusted=(ip_network("127.0.0.1"),))
    async with face.http:

        async def knocks(source: str) -> tuple[int, str | None]:
            answer = await face.http.post(
                PATH, data={"grant_type": "x"}, headers={"X-Forwarded-For": source}
            )
            return answer.status_code, answer.headers.get("retry-after")

        assert [await knocks("203.0.113.7") for _ in range(3)] == [
            (400, None),
            (400, None),
            (429, "1"),
        ]
        assert await knocks("203.0.113.8") == (400, None)
        hands.now_s += 1
        assert await knocks("203.0.113.7") == (400, None)


async def test_a_client_that_asks_for_token_after_token_waits_and_its_neighbour_does_not() -> None:
    face = limited_face(Hands(), doors={}, tokens=ONE_AT_A_TIME)
    async with face.http:
        one, other = face.register("one"), face.register("other")
        answers = [await face.http.post(PATH, data=form(face, one)) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].json()["code"] == "rate_limited"
        assert (await face.http.post(PATH, data=form(face, other))).status_code == 200


async def test_whoever_only_claims_a_name_takes_nothing_from_its_bucket() -> None:
    """Why: else anybody could lock a terminal out."""
    face = limited_face(Hands(), doors={}, tokens=ONE_AT_A_TIME)
    async with face.http:
        one = face.register("one")
        forged = Client("one", face.register("thief").key, "EdDSA")
        for _ in range(5):
            assert (await face.http.post(PATH, data=form(face, forged))).status_code == 401
        assert (await face.http.post(PATH, data=form(face, one))).status_code == 200


def test_every_door_that_is_limited_is_a_route_and_says_so() -> None:
    settings = HTTPSettings(public_url=PUBLIC_URL, version="0")
    paths = openapi_document([*NOUNS, *PLATFORM_NOUNS], settings)["paths"]
    for path in DOORS:
        assert "429" in paths[path]["post"]["responses"]
