"""Which public keys are let in."""

import base64
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cardcore.platform.client_keys import fit_key, thumbprint
from cardcore.platform.errors import KeyUnfitError

# RFC 8037, appendix A.3.
RFC_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
RFC_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def of_p256() -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    return dict(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True))


def test_the_thumbprint_is_that_of_the_standard() -> None:
    assert thumbprint(fit_key(RFC_KEY)) == RFC_THUMBPRINT


def test_only_the_members_that_count_are_kept() -> None:
    assert fit_key({**RFC_KEY, "kid": "1", "use": "sig"}) == RFC_KEY
    key = of_p256()
    assert fit_key({**key, "alg": "ES256"}) == {
        name: key[name] for name in ("kty", "crv", "x", "y")
    }


def changed(**members: object) -> dict[str, Any]:
    return {**of_p256(), **members}


ZERO = base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"kty": "RSA", "n": "AQAB", "e": "AQAB"}, id="of another kind"),
        pytest.param({**RFC_KEY, "crv": "X25519"}, id="for another use"),
        pytest.param({**RFC_KEY, "x": RFC_KEY["x"] + "="}, id="padded"),
        pytest.param({**RFC_KEY, "x": RFC_KEY["x"][:-1]}, id="too short"),
        pytest.param({**RFC_KEY, "x": 7}, id="not text"),
        pytest.param({**RFC_KEY, "x": "é" * 43}, id="not base64"),
        pytest.param(changed(x=ZERO, y=ZERO), id="off the curve"),
        pytest.param(
            dict(jwt.algorithms.OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True)),
            id="private",
        ),
    ],
)
def test_an_unfit_key_is_refused(jwk: dict[str, Any]) -> None:
    with pytest.raises(KeyUnfitError):
        fit_key(jwk)
