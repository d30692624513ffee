"""Who this terminal is: enrolling with an activation code, and what is kept of it.

The key is made first and its proof bound to terminal and code, so that a code overheard is of no
use without being first. The enrolment names its key file; both are in place when the enrolment file
is, and an attempt that was cut off leaves the earlier enrolment as it was.
"""

import hashlib
import re
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.terminal.home import TerminalHome
from adapters.terminal.key import TerminalKey, base64url, from_base64url, make_key, read_key
from adapters.terminal.server import Server
from codes import Algorithm, IssuerKey, KeyRing, KeyUse
from codes.suites import KeyFormError

TAG_ENROLMENT: Final = b"CC1-E"
# The last second that has an RFC 3339 text.
_END_OF_TIME_S: Final = 253_402_300_799
_ALGORITHMS: Final = {
    "ed25519": Algorithm.ED25519,
    "es256": Algorithm.ES256,
    "p256": Algorithm.ES256,
    "sm2-sm3": Algorithm.SM2_SM3,
    "sm2": Algorithm.SM2_SM3,
}
_CODE_SEPARATORS: Final = re.compile(r"[\s-]+")
_CODE_GROUP: Final = 5
_READ_AS: Final = str.maketrans("OIL", "011")


class EnrolmentError(Exception):
    """Enrolling, or reading the enrolment, did not succeed. ``code`` is stable."""

    code: ClassVar[str] = "enrolment_failed"


class NotEnrolledError(EnrolmentError):
    """There is no enrolment in this folder."""

    code = "not_enrolled"


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class PackageKey(_Kept):
    """A key that signs packages, pinned at enrolment until a package brings the next."""

    kid: Annotated[int, Field(ge=0, le=255)]
    algorithm: str
    public_key: str


class Granted(_Kept):
    """The server's answer to an enrolment."""

    client_id: str
    terminal_id: Annotated[str, Field(min_length=1, max_length=64)]
    merchant_id: str
    scene: str
    place: dict[str, Any]
    kid: Annotated[int, Field(ge=0, le=255)]
    token_url: str
    scopes: list[str]
    issuer_id: Annotated[int, Field(ge=0, le=0xFFFF)]
    package_keys: list[PackageKey]


class Enrolment(Granted):
    """What the terminal keeps: the answer, where the server is, and which file holds its key."""

    server_url: str
    key_file: str
    ca_file: str | None = None

    @property
    def pinned_ring(self) -> KeyRing:
        """The package keys of the enrolment. Raises ``EnrolmentError``."""
        try:
            return KeyRing(_issuer_key(self.issuer_id, key) for key in self.package_keys)
        except (KeyError, ValueError, KeyFormError) as error:
            raise EnrolmentError(f"package keys: {error!r}") from None


def _issuer_key(issuer_id: int, key: PackageKey) -> IssuerKey:
    return IssuerKey(
        issuer_id=issuer_id,
        kid=key.kid,
        algorithm=_ALGORITHMS[key.algorithm.lower()],
        public_key=from_base64url(key.public_key),
        not_before_s=0,
        not_after_s=_END_OF_TIME_S,
        uses=frozenset({KeyUse.PACKAGES}),
    )


def canonical_code(typed: str) -> str:
    """An activation code as the server prints it, whatever a person made of it.

    Crockford's base32: case and separators do not count, O is 0, I and L are 1.
    """
    letters = _CODE_SEPARATORS.sub("", typed).upper().translate(_READ_AS)
    groups = [letters[at : at + _CODE_GROUP] for at in range(0, len(letters), _CODE_GROUP)]
    return "-".join(groups)


def proof_message(terminal_id: str, activation_code: str) -> bytes:
    """What the new key signs to prove itself."""
    return TAG_ENROLMENT + terminal_id.encode() + b"\0" + activation_code.encode()


def enrol(
    home: TerminalHome,
    server: Server,
    *,
    server_url: str,
    terminal_id: str,
    activation_code: str,
    algorithm: Algorithm = Algorithm.ED25519,
    ca_file: str | None = None,
) -> Enrolment:
    """Make a key, enrol with it, keep both. The earlier enrolment stands until the new one does.

    Raises:
        EnrolmentError: the folder belongs to another terminal, or the answer makes no sense.
        ServerAwayError: no answer. The code may be used up: ask for a new one.
        ServerRefusedError: the code was refused.
    """
    earlier = _earlier(home)
    if earlier is not None and earlier.terminal_id != terminal_id:
        raise EnrolmentError(f"this folder belongs to terminal {earlier.terminal_id!r}")
    code = canonical_code(activation_code)
    key = make_key(algorithm)
    answer = server.enrol(
        {
            "terminal_id": terminal_id,
            "activation_code": code,
            "public_key": key.jwk,
            "proof": base64url(key.signing.sign(proof_message(terminal_id, code))),
        }
    )
    try:
        granted = Granted.model_validate(answer)
    except ValidationError as error:
        raise EnrolmentError(f"the server's answer: {error.errors()[0]['loc']}") from None
    if granted.terminal_id != terminal_id:
        raise EnrolmentError("the server enrolled another terminal")
    thumbprint = hashlib.sha256(key.signing.public_key.raw).hexdigest()[:16]
    enrolment = Enrolment(
        **granted.model_dump(),
        server_url=server_url,
        key_file=f"key-{thumbprint}.pem",
        ca_file=ca_file,
    )
    assert len(enrolment.pinned_ring) == len(granted.package_keys)
    home.write(home.folder / enrolment.key_file, key.to_pem())
    home.write(home.enrolment_file, enrolment.model_dump_json(indent=2).encode())
    if earlier is not None:
        (home.folder / earlier.key_file).unlink(missing_ok=True)
    return enrolment


def _earlier(home: TerminalHome) -> Enrolment | None:
    try:
        return read_enrolment(home)
    except NotEnrolledError:
        return None


def read_enrolment(home: TerminalHome) -> Enrolment:
    """The enrolment of this folder. Raises ``NotEnrolledError``, ``EnrolmentError``."""
    try:
        return Enrolment.model_validate_json(home.enrolment_file.read_bytes())
    except FileNotFoundError:
        raise NotEnrolledError(f"{home.folder} holds no enrolment; enrol first") from None
    except ValidationError as error:
        raise EnrolmentError(f"the enrolment file is damaged: {error.error_count()}") from None


def read_own_key(home: TerminalHome, enrolment: Enrolment) -> TerminalKey:
    """The key of an enrolment. Raises ``EnrolmentError``, ``KeyUnreadableError``."""
    try:
        return read_key((home.folder / enrolment.key_file).read_bytes())
    except FileNotFoundError:
        raise EnrolmentError("the key file is missing; enrol again") from None
