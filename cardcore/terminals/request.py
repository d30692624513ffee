"""What terminals and their owners send: enrolment."""

from typing import Annotated, Final, Literal, Self

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import StringConstraints, model_validator

from cardcore.base64url import decode_base64url
from cardcore.model import Instant, Model, PrintedNumber
from codes.suites import SIGNATURE_SIZE, Algorithm, KeyFormError, PublicKey, load_public_key

COORDINATE_SIZE: Final = 32
Base64URL = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_\-]{1,1024}$")]
_CURVES: Final = {("OKP", "Ed25519"): Algorithm.ED25519, ("EC", "P-256"): Algorithm.ES256}


def _sized(text: str, size: int) -> bytes:
    data = decode_base64url(text)
    if len(data) != size:
        raise ValueError(f"not {size} bytes")
    return data


class PublicKeyJWK(Model):
    """A public JSON Web Key: Ed25519 (RFC 8037) or P-256 (RFC 7518). Never a private one."""

    kty: Literal["OKP", "EC"]
    crv: Literal["Ed25519", "P-256"]
    x: Base64URL
    y: Base64URL | None = None

    @model_validator(mode="after")
    def _is_a_key(self) -> Self:
        self.key()
        return self

    @property
    def algorithm(self) -> Algorithm:
        """What the key signs with."""
        try:
            return _CURVES[self.kty, self.crv]
        except KeyError:
            raise ValueError(f"{self.kty} has no curve {self.crv}") from None

    def key(self) -> PublicKey:
        """The key, parsed strictly.

        Raises:
            ValueError: not a public key of its curve.
        """
        algorithm = self.algorithm
        x = _sized(self.x, COORDINATE_SIZE)
        if algorithm is Algorithm.ED25519:
            if self.y is not None:
                raise ValueError("an Ed25519 key has no y")
            return load_public_key(algorithm, x)
        if self.y is None:
            raise ValueError("a P-256 key needs its y")
        y = _sized(self.y, COORDINATE_SIZE)
        numbers = EllipticCurvePublicNumbers(
            int.from_bytes(x, "big"), int.from_bytes(y, "big"), SECP256R1()
        )
        try:
            point = numbers.public_key()
        except ValueError:
            raise KeyFormError("not a point of P-256") from None
        raw = point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        return load_public_key(algorithm, raw)

    def as_dict(self) -> dict[str, str]:
        """The key as clients are registered with."""
        return self.model_dump(exclude_none=True)


class EnrolmentRequest(Model):
    """A terminal's own key, with the proof that its holder knows the activation code.

    ``proof`` is the raw signature (64 bytes, base64url) of that key over ``CC1-E``, the terminal
    id, a zero byte and the activation code as it stands here.
    """

    terminal_id: PrintedNumber
    activation_code: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    public_key: PublicKeyJWK
    proof: Base64URL

    @model_validator(mode="after")
    def _proof_is_a_signature(self) -> Self:
        _sized(self.proof, SIGNATURE_SIZE)
        return self

    @property
    def signature(self) -> bytes:
        """The proof's 64 bytes."""
        return _sized(self.proof, SIGNATURE_SIZE)


class RevocationRequest(Model):
    """A terminal was stolen or opened. ``since``: when at the earliest; left out, now."""

    since: Instant | None = None
