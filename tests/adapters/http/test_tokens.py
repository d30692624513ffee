"""Getting in: client assertions, access tokens, scopes, revocation (faults 25, 33)."""

import asyncio
import base64
import json
import re
from typing import Any
from urllib.parse import urlencode

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.http.access import AccessTokens
from adapters.http.app import NOUNS
from adapters.http.tokens import ASSERTION_TYPE
from adapters.http.used_assertions import UsedAssertionsInMemory
from cardcore.caller import Scope
from cardcore.errors import ServiceUnavailableError
from tests.adapters.http.conftest import ALL_SCOPES, PUBLIC_URL, Client, Face, make_face
from tests.adapters.http.fake_core import NOW

ORDERS = "/v1/orders?merchant_id=bus-shanting&out_trade_no=1"


def _form(assertion: str, **changes: str) -> dict[str, str]:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    return form | changes


async def _ask(face: Face, assertion: str, **changes: str) -> httpx2.Response:
    return await face.http.post("/v1/oauth/token", data=_form(assertion, **changes))


@pytest.mark.parametrize("curve", ["Ed25519", "P-256"])
@pytest.mark.parametrize(
    "audience", [PUBLIC_URL, f"{PUBLIC_URL}/v1/oauth/token", ["https://x", PUBLIC_URL]]
)
async def test_a_client_that_proves_its_key_gets_a_token_that_opens(
    face: Face, curve: str, audience: str | list[str]
) -> None:
    client = face.register(curve=curve)
    granted = await _ask(face, client.assertion(face.clock, aud=audience))
    assert granted.status_code == 200
    assert granted.headers["cache-control"] == "no-store"
    reply = granted.json()
    assert (reply["token_type"], reply["expires_in"]) == ("Bearer", 600)
    assert frozenset(reply["scope"].split()) == ALL_SCOPES
    headers = {"Authorization": f"Bearer {reply['access_token']}"}
    assert (await face.http.get(ORDERS, headers=headers)).status_code == 404


async def test_a_client_may_ask_for_less(face: Face, order: dict[str, Any]) -> None:
    client = face.register()
    granted = await _ask(face, client.assertion(face.clock), scope="orders:read verify")
    assert granted.json()["scope"] == "orders:read verify"
    headers = {"Authorization": f"Bearer {granted.json()['access_token']}", "Idempotency-Key": "k"}
    refused = await face.http.post("/v1/orders", json=order, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert refused.json()["facts"] == {"scope": "orders:write"}


@pytest.mark.parametrize("scope", ["reports:read", "orders:read root", ""])
async def test_a_client_may_not_ask_for_more(face: Face, scope: str) -> None:
    client = face.register(scopes=frozenset({"orders:read"}))
    refused = await _ask(face, client.assertion(face.clock), scope=scope)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"exp": int(NOW.timestamp())}, id="expired"),
        pytest.param({"exp": int(NOW.timestamp()) + 400}, id="too long a life"),
        pytest.param({"exp": None}, id="no expiry"),
        pytest.param({"exp": True}, id="expiry of another type"),
        pytest.param({"exp": 1e18}, id="expiry beyond time"),
        pytest.param({"exp": 2**70}, id="expiry beyond integers"),
        pytest.param({"nbf": int(NOW.timestamp()) + 31}, id="not valid yet"),
        pytest.param({"nbf": "1"}, id="not before of another type"),
        pytest.param({"iat": NOW.timestamp() + 31.5}, id="made in the future"),
        pytest.param({"iat": NOW.timestamp() - 331}, id="made long ago"),
        pytest.param({"iat": 0}, id="made in 1970"),
        pytest.param({"iat": True}, id="made at of another type"),
        pytest.param({"aud": "https://other.example"}, id="wrong audience"),
        pytest.param({"aud": None}, id="no audience"),
        pytest.param({"aud": [1]}, id="audience of another type"),
        pytest.param({"iss": "someone-else"}, id="issued by another"),
        pytest.param({"sub": "someone-else"}, id="about another"),
        pytest.param({"iss": "nobody", "sub": "nobody"}, id="unknown client"),
        pytest.param({"iss": "a\x00", "sub": "a\x00"}, id="client id with NUL"),
        pytest.param({"jti": None}, id="no jti"),
        pytest.param({"jti": ""}, id="empty jti"),
        pytest.param({"jti": "a\x00"}, id="jti with NUL"),
        pytest.param({"jti": "x" * 129}, id="jti too long"),
    ],
)
async def test_row_32_an_assertion_with_other_claims_proves_nothing(
    face: Face, changes: dict[str, Any]
) -> None:
    client = face.register()
    refused = await _ask(face, client.assertion(face.clock, **changes))
    _assert_invalid_client(refused)


async def test_a_clock_ahead_within_the_skew_is_forgiven(face: Face) -> None:
    client = face.register()
    ahead_s = NOW.timestamp() + 29.5
    granted = await _ask(face, client.assertion(face.clock, nbf=ahead_s, iat=ahead_s))
    assert granted.status_code == 200


async def test_row_25_a_stolen_id_without_the_key_proves_nothing(face: Face) -> None:
    face.register()
    thief = Client("validator-1", Ed25519PrivateKey.generate(), "EdDSA")
    _assert_invalid_client(await _ask(face, thief.assertion(face.clock)))


async def test_row_25_a_revoked_client_gets_no_token(face: Face) -> None:
    client = face.register(status="revoked")
    _assert_invalid_client(await _ask(face, client.assertion(face.clock)))


async def test_row_32_an_assertion_opens_once(face: Face) -> None:
    client = face.register()
    assertion = client.assertion(face.clock)
    assert (await _ask(face, assertion)).status_code == 200
    _assert_invalid_client(await _ask(face, assertion))


async def test_row_32_a_wrong_signature_does_not_use_up_the_jti(face: Face) -> None:
    """Why: else anyone could lock a client out by guessing its next jti."""
    client = face.register()
    thief = Client("validator-1", Ed25519PrivateKey.generate(), "EdDSA")
    await _ask(face, thief.assertion(face.clock, jti="one"))
    assert (await _ask(face, client.assertion(face.clock, jti="one"))).status_code == 200


@pytest.mark.parametrize("curve", ["Ed25519", "P-256"])
@pytest.mark.parametrize("algorithm", ["none", "HS256"])
async def test_the_algorithm_is_the_keys_and_not_the_assertions(
    face: Face, curve: str, algorithm: str
) -> None:
    client = face.register(curve=curve)
    claims = client.assertion(face.clock).split(".")[1]
    secret = face.core.clients["validator-1"].public_key_jwk["x"]
    payload = json.loads(base64.urlsafe_b64decode(claims + "=="))
    forged = jwt.encode(payload, secret if algorithm == "HS256" else None, algorithm=algorithm)
    _assert_invalid_client(await _ask(face, forged))


def _nested(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "assertion",
    [
        "",
        "a.b.c",
        "x" * 5000,
        _nested(b'{"alg":"EdDSA"}') + "." + _nested(b'{"a":' * 500) + ".AA",
        _nested(b'{"alg":"EdDSA"}') + "." + _nested(b"[" * 2500 + b"]" * 0) + ".AA",
        _nested(b"[" * 1500) + "." + _nested(b"{}") + ".AA",
        _nested(b'{"alg":"EdDSA"}') + "." + _nested(b"[]") + ".AA",
    ],
)
async def test_garbage_for_an_assertion_proves_nothing(face: Face, assertion: str) -> None:
    _assert_invalid_client(await _ask(face, assertion))


async def test_a_named_client_must_be_the_proven_one(face: Face) -> None:
    client = face.register()
    _assert_invalid_client(await _ask(face, client.assertion(face.clock), client_id="other"))
    fine = await _ask(face, client.assertion(face.clock), client_id="validator-1")
    assert fine.status_code == 200


def _assert_invalid_client(answer: httpx2.Response) -> None:
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    body = answer.json()
    # One answer for every failure: nobody learns which part was wrong.
    assert body["error"] == "invalid_client"
    assert body["error_description"] == "Client authentication failed"
    assert body["error_uri"] == f"{PUBLIC_URL}/problems/invalid_client"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_assertion_type": "other"}, "invalid_request"),
    ],
)
async def test_another_grant_is_refused(face: Face, form: dict[str, str], error: str) -> None:
    answer = await face.http.post("/v1/oauth/token", data=_form("x", **form))
    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"grant_type=client_credentials&grant_type=client_credentials",
        b"a=b",
        b"grant_type=%ff",
        b"grant_type",
        b"\xff",
        urlencode([(f"a{number}", "1") for number in range(20)]).encode(),
        b"grant_type=client_credentials&client_assertion_type=" + ASSERTION_TYPE.encode(),
    ],
)
async def test_a_malformed_form_is_refused(face: Face, content: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await face.http.post("/v1/oauth/token", content=content, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_the_token_endpoint_reads_forms_only(face: Face) -> None:
    answer = await face.http.post("/v1/oauth/token", json=_form("x"))
    assert (answer.status_code, answer.json()["code"]) == (415, "content_type")


@pytest.mark.parametrize(
    "value",
    [None, "", "Basic dXNlcjpwYXNz", "Bearer"],
)
async def test_without_a_token_the_door_says_what_it_wants(face: Face, value: str | None) -> None:
    headers = {} if value is None else {"Authorization": value}
    answer = await face.http.get(ORDERS, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")
    assert answer.headers["www-authenticate"] == 'Bearer realm="cardcore"'


async def _token(face: Face, **changes: object) -> str:
    """A token like ours, with changes; ``key`` and ``typ`` may differ too."""
    key = changes.pop("key", face.access_key)
    typ = changes.pop("typ", "at+jwt")
    kid = changes.pop("kid", "1")
    now_s = int(face.clock().timestamp())
    claims = {
        "iss": PUBLIC_URL,
        "aud": PUBLIC_URL,
        "sub": "validator-1",
        "scope": "orders:read",
        "exp": now_s + 600,
    }
    return jwt.encode(claims | changes, key, algorithm="EdDSA", headers={"typ": typ, "kid": kid})


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"key": Ed25519PrivateKey.generate()}, id="signed by another"),
        pytest.param({"typ": "JWT"}, id="a JWT for something else"),
        pytest.param({"kid": "2"}, id="of an epoch that is not"),
        pytest.param({"kid": "one"}, id="of an epoch without a number"),
        pytest.param({"aud": "https://other.example"}, id="for another service"),
        pytest.param({"iss": "https://other.example"}, id="from another issuer"),
        pytest.param({"exp": int(NOW.timestamp())}, id="expired"),
        pytest.param({"sub": "nobody"}, id="of an unknown client"),
    ],
)
async def test_a_token_that_is_not_ours_does_not_open(face: Face, changes: dict[str, Any]) -> None:
    face.register()
    answer = await _open(face, await _token(face, **changes))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("token", ["x", "a.b.c", "x" * 5000, "é", _nested(b"[" * 1400) + ".a.b"])
async def test_garbage_for_a_token_does_not_open(face: Face, token: str) -> None:
    answer = await _open(face, token)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


async def _open(face: Face, token: str) -> httpx2.Response:
    headers = [(b"Authorization", b"Bearer " + token.encode())]
    return await face.http.get(ORDERS, headers=headers)


async def test_row_32_two_authorization_headers_are_refused(face: Face) -> None:
    headers = [*face.bearer().items(), *face.bearer().items()]
    answer = await face.http.get(ORDERS, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "header_invalid")


async def test_a_token_ends_when_it_said_it_would(face: Face) -> None:
    headers = face.bearer()
    face.clock.advance(599)
    assert (await face.http.get(ORDERS, headers=headers)).status_code == 404
    face.clock.advance(1)
    answer = await face.http.get(ORDERS, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


async def test_row_25_a_revoked_client_is_out_before_its_token_ends(face: Face) -> None:
    headers = face.bearer()
    assert (await face.http.get(ORDERS, headers=headers)).status_code == 404
    face.register(status="revoked")
    assert (await face.http.get(ORDERS, headers=headers)).status_code == 404
    face.clock.advance(face.settings.client_recheck_s)
    for _ in range(2):
        assert (await face.http.get(ORDERS, headers=headers)).status_code == 401


async def test_a_scope_taken_from_the_client_is_taken_from_its_token(face: Face) -> None:
    headers = face.bearer()
    await face.http.get(ORDERS, headers=headers)
    face.register(scopes=frozenset({Scope.VERIFY.value}))
    face.clock.advance(face.settings.client_recheck_s)
    assert (await face.http.get(ORDERS, headers=headers)).status_code == 403


async def test_a_checked_token_is_not_looked_up_again_for_a_while(face: Face) -> None:
    headers = face.bearer()
    for _ in range(5):
        await face.http.get(ORDERS, headers=headers)
    assert face.core.client_lookups == 1


async def test_all_who_come_while_a_client_is_looked_up_wait_for_that_look(face: Face) -> None:
    headers = face.bearer()
    await face.http.get(ORDERS, headers=headers)
    face.register(status="revoked")
    face.clock.advance(face.settings.client_recheck_s)
    face.core.may_look.clear()
    face.core.looking.clear()
    asking = [asyncio.ensure_future(face.http.get(ORDERS, headers=headers)) for _ in range(5)]
    await face.core.looking.wait()
    asking[0].cancel()  # whoever came first may leave: the others get their answer
    for _ in range(50):
        await asyncio.sleep(0)
    face.core.may_look.set()
    answers = await asyncio.gather(*asking[1:])
    assert [answer.status_code for answer in answers] == [401] * 4
    assert face.core.client_lookups == 2


async def test_the_memory_of_checked_tokens_is_bounded() -> None:
    face = make_face(token_cache_max=2)
    async with face.http:
        tokens = [face.bearer(f"client-{number}") for number in range(3)]
        for headers in [*tokens, tokens[0], tokens[2]]:
            await face.http.get(ORDERS, headers=headers)
    # The third pushed out the first, which had to be looked up again; the third is still there.
    assert face.core.client_lookups == 4


async def test_a_token_of_another_instance_with_the_same_key_opens(face: Face) -> None:
    """Why: several workers share one key and nothing else."""
    face.register()
    other = AccessTokens(face.tokens.keys, face.settings, face.clock)
    token = other.issue("validator-1", ALL_SCOPES)
    answer = await _open(face, token)
    assert answer.status_code == 404


async def test_the_memory_of_used_assertions_forgets_the_expired_and_never_overflows() -> None:
    used = UsedAssertionsInMemory(claims_max=2)
    ends = NOW.replace(hour=9)
    assert await used.claim("c", "1", expires_at=NOW, now=NOW)
    assert await used.claim("c", "2", expires_at=ends, now=NOW)
    assert await used.claim("c", "3", expires_at=ends, now=NOW)
    with pytest.raises(ServiceUnavailableError):
        await used.claim("c", "4", expires_at=ends, now=NOW)


# From the declarations: a new operation cannot be forgotten.
PROTECTED = [
    (one.method, one.path, one.scope)
    for noun in NOUNS
    for one in noun.operations
    if not one.public and one.scope is not None
]


def test_the_matrix_has_every_operation_that_needs_a_token(face: Face) -> None:
    protected = {
        (method.upper(), path, operation["security"][0]["oauth2"][0])
        for path, methods in face.app.document["paths"].items()
        for method, operation in methods.items()
        if operation["security"]
    }
    assert protected == set(PROTECTED)


@pytest.mark.parametrize(("method", "template", "scope"), PROTECTED)
async def test_each_operation_wants_a_token_and_its_own_scope(
    face: Face, method: str, template: str, scope: Scope
) -> None:
    path = re.sub(r"\{\w+\}", ID, template.replace("{terminal_id}", "bus-0001"))
    if (method, path) == ("GET", "/v1/orders"):
        path = ORDERS
    body = _body(face, template) if method == "POST" else None
    bare = await face.http.request(method, path, json=body, headers={"Idempotency-Key": "k"})
    assert bare.status_code == 401
    face.register()
    for scopes, expected in ((ALL_SCOPES - {scope}, True), (frozenset({scope}), False)):
        token = face.tokens.issue("validator-1", scopes)
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
        answer = await face.http.request(method, path, json=body, headers=headers)
        assert (answer.status_code == 403) is expected, answer.text


ID = "00000000-0000-4000-8000-000000000000"


def _body(face: Face, template: str) -> dict[str, Any]:
    """The documented example; a void has none."""
    request = face.app.document["paths"][template]["post"].get("requestBody")
    if request is None:
        return {}
    examples = request["content"]["application/json"]["examples"]
    body: dict[str, Any] = next(iter(examples.values()))["value"]
    return body
