"""Enrolment through HTTP in the demo city: codes, proofs, keys, revocation."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters import demo_city
from tests.cardcore.terminals.http_door import TERMINAL, URL, Door, Key, b64, jwk_of, sign


@pytest.fixture(params=["Ed25519", "P-256"])
def new_key(request: pytest.FixtureRequest) -> Key:
    if request.param == "Ed25519":
        return Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


async def test_a_terminal_is_enrolled_and_calls_with_its_own_key(
    door: Door, centre: dict[str, str], new_key: Key
) -> None:
    given = await door.activation_code(centre)
    assert given.status_code == 201
    assert given.headers["cache-control"] == "no-store"
    enrolled = await door.enrol(given.json()["activation_code"], new_key)
    assert enrolled.status_code == 201
    view = enrolled.json()
    assert view["client_id"] == view["terminal_id"] == TERMINAL
    assert view["merchant_id"] == demo_city.BUS_MERCHANT
    names = (view["merchant_name_zh"], view["merchant_name_en"])
    assert names == ("山亭公交", "Shanting Bus")
    assert (view["scene"], view["place"]) == ("bus", {"vehicle": "V0001"})
    assert view["kid"] == 1  # the demo city has enrolled key 0
    assert view["token_url"] == f"{URL}/v1/oauth/token"
    assert {"records:write", "terminals:read"} <= {*view["scopes"]}
    (package_key,) = view["package_keys"]
    assert package_key["algorithm"] == "ed25519"
    ring = (await door.http.get("/v1/key-ring")).json()["keys"]
    (published,) = [key for key in ring if key["uses"] == ["packages"]]
    assert published["kid"] == package_key["kid"]
    assert b64(bytes.fromhex(published["public_key"])) == package_key["public_key"]
    headers = await door.as_client(TERMINAL, new_key)
    seen = await door.http.get(f"/v1/terminals/{TERMINAL}", headers=headers)
    assert [key["kid"] for key in seen.json()["keys"]] == [1, 0]
    assert [key["retired_at"] is None for key in seen.json()["keys"]] == [True, False]


async def test_row_25_a_stolen_id_with_another_key_gets_no_token(
    door: Door,
    centre: dict[str, str],
    city_settings: Any,  # noqa: ANN401
) -> None:
    code = (await door.activation_code(centre)).json()["activation_code"]
    await door.enrol(code, Ed25519PrivateKey.generate())
    former = demo_city.client_key(city_settings.clients_home, TERMINAL)
    for key in (former, Ed25519PrivateKey.generate()):
        refused = await door.token(TERMINAL, key)
        assert refused.status_code == 401
        assert refused.json()["error"] == "invalid_client"


@pytest.mark.parametrize("fault", ["wrong", "used", "replaced", "expired", "proof", "unknown"])
async def test_row_25_whatever_does_not_fit_has_one_answer(
    door: Door, centre: dict[str, str], fault: str
) -> None:
    """Why: an answer that tells apart would tell which codes exist."""
    key = Ed25519PrivateKey.generate()
    code = (await door.activation_code(centre)).json()["activation_code"]
    changes: dict[str, Any] = {}
    match fault:
        case "wrong":
            code = "0" * 20
        case "used":
            assert (await door.enrol(code, key)).status_code == 201
        case "replaced":
            await door.activation_code(centre)
        case "expired":
            door.clock.advance(hours=24)
        case "proof":
            changes["proof"] = b64(sign(Ed25519PrivateKey.generate(), b"CC1-E"))
        case _:
            changes["terminal_id"] = "bus-none"
    refused = await door.enrol(code, key, **changes)
    assert refused.status_code == 403
    assert refused.json()["code"] == "activation_refused"
    assert refused.json()["detail"] == "The activation was refused"


async def test_after_five_wrong_codes_the_right_one_is_burnt(
    door: Door, centre: dict[str, str]
) -> None:
    key = Ed25519PrivateKey.generate()
    code = (await door.activation_code(centre)).json()["activation_code"]
    for _ in range(5):
        assert (await door.enrol("0" * 20, key)).status_code == 403
    assert (await door.enrol(code, key)).status_code == 403
    fresh = (await door.activation_code(centre)).json()["activation_code"]
    assert (await door.enrol(fresh, key)).status_code == 201


async def test_four_wrong_codes_burn_nothing(door: Door, centre: dict[str, str]) -> None:
    key = Ed25519PrivateKey.generate()
    code = (await door.activation_code(centre)).json()["activation_code"]
    for _ in range(4):
        await door.enrol("0" * 20, key)
    assert (await door.enrol(code.lower().replace("-", ""), key)).status_code == 201


async def test_row_25_another_merchant_gets_no_code_for_the_terminal(
    door: Door,
    city_settings: Any,  # noqa: ANN401
) -> None:
    gate = await door.as_demo(demo_city.GATE_TERMINAL, city_settings.clients_home)
    refused = await door.activation_code(gate)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    seen = await door.http.get(f"/v1/terminals/{TERMINAL}", headers=gate)
    assert (seen.status_code, seen.json()["code"]) == (404, "terminal_unknown")


async def test_a_code_for_no_terminal_is_refused(door: Door, centre: dict[str, str]) -> None:
    refused = await door.activation_code(centre, "bus-none")
    assert (refused.status_code, refused.json()["code"]) == (404, "terminal_unknown")


async def test_row_25_a_revoked_terminal_is_out_and_comes_back_with_a_new_key(
    door: Door,
    centre: dict[str, str],
    city_settings: Any,  # noqa: ANN401
) -> None:
    since = door.clock.now - timedelta(hours=2)
    path = f"/v1/terminals/{TERMINAL}/revocation"
    revoked = await door.http.post(path, headers=centre, json={"since": since.isoformat()})
    assert revoked.status_code == 200
    (key,) = revoked.json()["keys"]
    assert key["revoked_at"] == since.isoformat().replace("+00:00", "Z")
    stolen = demo_city.client_key(city_settings.clients_home, TERMINAL)
    assert (await door.token(TERMINAL, stolen)).status_code == 401
    # Later news may only move the instant of doubt to the front.
    again = await door.http.post(path, headers=centre, json={})
    assert again.json()["keys"][0]["revoked_at"] == key["revoked_at"]
    code = (await door.activation_code(centre)).json()["activation_code"]
    fresh = Ed25519PrivateKey.generate()
    assert (await door.enrol(code, fresh)).json()["kid"] == 1
    assert (await door.token(TERMINAL, fresh)).status_code == 200


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(32))},
        {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(31))},
        {"kty": "OKP", "crv": "P-256", "x": b64(bytes(32))},
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp"},
        {"kty": "OKP", "crv": "Ed25519", "x": "A", "y": "A"},
        {"kty": "OKP", "crv": "Ed25519", "x": b64(b"\x58" + b"\x66" * 31), "y": b64(bytes(32))},
        {"kty": "EC", "crv": "P-256", "x": b64(bytes(32))},
        {"kty": "EC", "crv": "P-256", "x": b64(bytes(32)), "y": b64(b"\1" * 32)},
        {"kty": "RSA", "crv": "Ed25519", "x": b64(bytes(32))},
        jwk_of(Ed25519PrivateKey.generate()) | {"d": b64(bytes(32))},
    ],
)
async def test_a_key_that_is_none_is_refused_before_any_code_is_looked_at(
    door: Door, jwk: dict[str, str]
) -> None:
    refused = await door.enrol("0" * 20, Ed25519PrivateKey.generate(), public_key=jwk)
    assert (refused.status_code, refused.json()["code"]) == (422, "request_invalid")


async def test_a_proof_that_is_no_signature_is_refused(door: Door) -> None:
    refused = await door.enrol("0" * 20, Ed25519PrivateKey.generate(), proof="AAAA")
    assert refused.status_code == 422
