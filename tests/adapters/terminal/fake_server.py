"""A server of terminals over real HTTP on loopback, with real codes and packages, that misbehaves.

It keeps the contract of docs/terminal.md in one process's memory, and can be told to lose replies,
to be away, to refuse batches, and to sign with the wrong key.
"""

import base64
import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

from codes import (
    Algorithm,
    FieldsAuthorisation,
    FieldsP,
    FieldsS,
    IssuerKey,
    KeyRing,
    KeyUse,
    Purpose,
    Scope,
    Status,
    authorise_d,
    issue_p,
    issue_s,
    make_d,
)
from codes.double_spend import chain_breaks
from codes.layout import Authorisation
from codes.signed_document import DocumentSigner
from codes.status_list import StatusList, pack
from codes.suites import PrivateKey, PublicKey, load_public_key, make_private_key
from codes.terminal_package import TerminalPackage, make_package
from codes.terminal_parameters import TariffClass, TerminalParameters
from codes.validator_record import RecordInvalidError, ValidatorRecord, read_record, verify_record
from tests.codes.city import run, signer_of

ISSUER_ID = 0x3704
KID = 7
TERMINAL = "bus-V0001"
MERCHANT = "shanting-bus"
CODE = "ABCDE-FGHJK-MNPQR-STVWX"
SENIOR = TariffClass(tariff_class=1, name_zh="老年卡", name_en="senior", concession="senior_65")
PARAMETERS = TerminalParameters(stale_cap_fen=100, tariff_classes=(SENIOR,))
ENTRIES = 4096
DAY_S = 86_400


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def key_of_jwk(jwk: dict[str, str]) -> PublicKey:
    x = unpadded(jwk["x"])
    if jwk["kty"] == "OKP":
        return load_public_key(Algorithm.ED25519, x)
    y = unpadded(jwk["y"])
    return load_public_key(Algorithm.ES256, bytes((2 | y[-1] & 1,)) + x)


class Issuer:
    """Issues codes and packages with a key in memory."""

    def __init__(self) -> None:
        self.key = make_private_key(Algorithm.ES256)
        self.version = 0
        self.list_version = 0
        self.statuses: dict[int, Status] = {}

    def ring(self, now_s: int) -> KeyRing:
        return KeyRing([self.public(now_s)])

    def public(self, now_s: int) -> IssuerKey:
        return IssuerKey(
            issuer_id=ISSUER_ID,
            kid=KID,
            algorithm=Algorithm.ES256,
            public_key=self.key.public_key.raw,
            not_before_s=now_s - 30 * DAY_S,
            not_after_s=now_s + 30 * DAY_S,
            uses=frozenset(KeyUse),
        )

    def package(
        self,
        now_s: int,
        *,
        life_s: int = DAY_S,
        list_age_s: int = 0,
        key: PrivateKey | None = None,
        kid: int = KID,
        without: tuple[str, ...] = (),
        **blobs: bytes,
    ) -> TerminalPackage:
        """The next version, with what stands in ``statuses``."""
        self.version += 1
        self.list_version += 1
        status_list = StatusList(
            issuer_id=ISSUER_ID,
            version=self.list_version,
            issued_at_s=now_s - list_age_s,
            expires_at_s=now_s - list_age_s + 2 * DAY_S,
            ttl_s=300,
            entry_count=ENTRIES,
            packed=pack(self.statuses, ENTRIES),
        )
        parts = {
            "keys": self.ring(now_s).to_json().encode(),
            "parameters": PARAMETERS.to_json(),
        } | blobs
        parts = {name: part for name, part in parts.items() if name not in without}
        return run(
            make_package(
                version=self.version,
                made_at_s=now_s,
                expires_at_s=now_s + life_s,
                blobs=parts,
                status_lists={ISSUER_ID: status_list},
                signer=DocumentSigner(
                    algorithm=Algorithm.ES256,
                    issuer_id=ISSUER_ID,
                    kid=kid,
                    sign=signer_of(key or self.key),
                ),
            )
        )

    def code_s(self, now_s: int, **changes: Any) -> str:  # noqa: ANN401  (any field)
        fields: dict[str, Any] = {
            "algorithm": Algorithm.ES256,
            "issuer_id": ISSUER_ID,
            "kid": KID,
            "token": os.urandom(8),
            "jti": os.urandom(8),
            "scope": Scope.BUS | Scope.COMMUNITY,
            "purpose": Purpose.PAY | Purpose.IDENTITY,
            "issued_at_s": now_s,
            "cap_fen": 2000,
        }
        return run(issue_s(FieldsS(**{**fields, **changes}), signer_of(self.key)))

    def code_p(self, now_s: int, **changes: Any) -> str:  # noqa: ANN401  (any field)
        fields: dict[str, Any] = {
            "algorithm": Algorithm.ES256,
            "issuer_id": ISSUER_ID,
            "kid": KID,
            "token": os.urandom(8),
            "status_index": 5,
            "scope": Scope.BUS | Scope.COMMUNITY,
            "purpose": Purpose.PAY | Purpose.IDENTITY,
            "issued_at_s": now_s,
            "validity_days": 30,
            "cap_fen": 2000,
        }
        return run(issue_p(FieldsP(**{**fields, **changes}), signer_of(self.key)))

    def phone(self, now_s: int, **changes: Any) -> "Phone":  # noqa: ANN401  (any field)
        device = make_private_key(Algorithm.ES256)
        fields: dict[str, Any] = {
            "algorithm": Algorithm.ES256,
            "issuer_id": ISSUER_ID,
            "kid": KID,
            "token": os.urandom(8),
            "status_index": 9,
            "scope": Scope.BUS | Scope.COMMUNITY,
            "purpose": Purpose.PAY | Purpose.IDENTITY,
            "authorised_at_s": now_s - 60,
            "validity_min": 1440,
            "cap_fen": 500,
            "cumulative_cap_fen": 1000,
            "uses_max": 6,
            "dynamic_ttl_s": 60,
            "device_algorithm": Algorithm.ES256,
            "device_key": device.public_key.raw,
        }
        fields |= changes
        return Phone(device, run(authorise_d(FieldsAuthorisation(**fields), signer_of(self.key))))


@dataclass
class Phone:
    """A phone that makes class D codes."""

    device: PrivateKey
    authorisation: Authorisation
    counter: int = 0

    def code(self, now_s: int, **changes: Any) -> str:  # noqa: ANN401  (any argument)
        self.counter += 1
        values: dict[str, Any] = {"made_at_s": now_s, "counter": self.counter} | changes
        return run(make_d(self.authorisation, signer_of(self.device), **values))


@dataclass
class FakeServer:
    """The server's memory and its tempers."""

    issuer: Issuer = field(default_factory=Issuer)
    wall_s: Callable[[], float] = time.time
    url: str = ""
    scene: str = "bus"
    place: dict[str, str] = field(default_factory=lambda: {"vehicle": "V0001"})
    codes: set[str] = field(default_factory=lambda: {CODE})
    keys: dict[int, PublicKey] = field(default_factory=dict)
    jwk: dict[str, str] = field(default_factory=dict)
    packages: list[TerminalPackage] = field(default_factory=list)
    container: bytes | None = None  # sent instead of the newest package
    forms: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    used_proofs: set[str] = field(default_factory=set)
    # Everything that was taken in, in order of arrival, and the bodies of all uploads.
    booked: list[ValidatorRecord] = field(default_factory=list)
    uploads: list[dict[str, Any]] = field(default_factory=list)
    review: set[str] = field(default_factory=set)  # reasons of review by terminal text
    lost_replies: int = 0  # so many next replies to uploads are lost after the work is done
    away: bool = False
    batch_max: int = 500
    poison: set[int] = field(default_factory=set)  # sequence numbers no batch may contain
    answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer
    lock: Lock = field(default_factory=Lock)

    def publish(self, **changes: Any) -> TerminalPackage:  # noqa: ANN401  (any argument)
        package = self.issuer.package(int(self.wall_s()), **changes)
        self.packages.append(package)
        return package

    @property
    def sequence_numbers(self) -> list[int]:
        return [record.sequence_no for record in self.booked]

    def chain_is_whole(self) -> bool:
        """Of each key of the terminal."""
        chains = [[one for one in self.booked if one.kid == kid] for kid in self.keys]
        return all(chain_breaks(chain) == [] for chain in chains)

    # What it answers

    def enrol(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        code, terminal = body["activation_code"], body["terminal_id"]
        key = key_of_jwk(body["public_key"])
        key.verify(unpadded(body["proof"]), b"CC1-E" + terminal.encode() + b"\0" + code.encode())
        if code not in self.codes:
            return 403, {"code": "activation_refused"}
        self.codes.remove(code)
        kid = len(self.keys)
        self.keys[kid] = key
        self.jwk = body["public_key"]
        return 201, {
            "client_id": terminal,
            "terminal_id": terminal,
            "merchant_id": MERCHANT,
            "merchant_name_zh": "公交",
            "merchant_name_en": "Bus",
            "scene": self.scene,
            "place": self.place,
            "kid": kid,
            "token_url": f"{self.url}/v1/oauth/token",
            "scopes": ["terminals:read", "records:write"],
            "issuer_id": ISSUER_ID,
            "package_keys": [
                {
                    "kid": KID,
                    "algorithm": "es256",
                    "public_key": base64.urlsafe_b64encode(self.issuer.key.public_key.raw)
                    .rstrip(b"=")
                    .decode(),
                }
            ],
            "server_time": self.instant(),
        }

    def token(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        algorithm = {"OKP": "EdDSA", "EC": "ES256"}[self.jwk["kty"]]
        try:
            claims = jwt.decode(
                form["client_assertion"][0],
                jwt.PyJWK(self.jwk, algorithm=algorithm),
                algorithms=[algorithm],
                audience=f"{self.url}/v1/oauth/token",
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            return 401, {"error": "invalid_client"}
        fresh = 0 < claims["exp"] - self.wall_s() <= 300
        if not fresh or claims["jti"] in self.used_proofs:
            return 401, {"error": "invalid_client"}
        self.used_proofs.add(claims["jti"])
        token = os.urandom(8).hex()
        self.tokens.add(token)
        return 200, {"access_token": token, "expires_in": 600}

    def terminal_package(self, etag: str, held: str) -> tuple[int, bytes, dict[str, str]]:
        if self.container is not None:
            return 200, self.container, {"Package-Form": "whole"}
        if not self.packages:
            return 404, b'{"code":"not_found"}', {}
        newest = self.packages[-1]
        headers = {"ETag": f'"{newest.etag}"'}
        if etag == f'"{newest.etag}"':
            return 304, b"", headers
        base = next((one for one in self.packages if one.etag == held), None)
        headers["Package-Form"] = "whole" if base is None else "delta"
        self.forms.append(headers["Package-Form"])
        return 200, newest.container(base), headers

    def records(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.uploads.append(body)
        if len(body["records"]) > self.batch_max:
            return 413, {"code": "body_too_large"}
        datas = [unpadded(one) for one in body["records"]]
        if self.poison & {read_record(data).sequence_no for data in datas}:
            return 422, {"code": "request_invalid"}
        results = [self._record(index, data) for index, data in enumerate(datas)]
        answer = {
            "results": results,
            "gaps": [],
            "server_time": self.instant(),
            "clock_skew_ms": 0,
        }
        return 200, self.answer(answer)

    def _record(self, index: int, data: bytes) -> dict[str, Any]:
        try:
            record = verify_record(data, self.keys[read_record(data).kid])
        except (RecordInvalidError, KeyError):
            return {"index": index, "record_id": None, "state": "rejected", "reason": "signature"}
        known = [one for one in self.booked if one.record_id == record.record_id]
        if not known:
            self.booked.append(record)
        state = "duplicate" if known else "booked"
        reason = None
        if record.place.line_id in self.review:
            state, reason = "review", "over_limit"
        return {
            "index": index,
            "record_id": str(record.record_id),
            "state": state,
            "reason": reason,
            "order_id": str(record.record_id),
        }

    def instant(self) -> str:
        return datetime.fromtimestamp(self.wall_s(), UTC).isoformat()


class _Handler(BaseHTTPRequestHandler):
    fake: FakeServer

    def do_GET(self) -> None:
        if not self._is_let_in():
            return
        query = parse_qs(urlsplit(self.path).query)
        with self.fake.lock:
            status, content, headers = self.fake.terminal_package(
                self.headers.get("If-None-Match", ""), query.get("held", [""])[0]
            )
        self._send(status, content, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.fake.away:
            self._send(503, b"away", {"Retry-After": "0"})
            return
        lose = False
        with self.fake.lock:
            if self.path == "/v1/enrolments":
                status, answer = self.fake.enrol(json.loads(body))
            elif self.path == "/v1/oauth/token":
                status, answer = self.fake.token(parse_qs(body.decode()))
            elif not self._is_let_in():
                return
            else:
                status, answer = self.fake.records(json.loads(body))
                lose = self.fake.lost_replies > 0 and status == 200
                self.fake.lost_replies -= lose
        if lose:
            self.close_connection = True
            return
        self._send(status, json.dumps(answer).encode(), {})

    def _is_let_in(self) -> bool:
        if self.fake.away:
            self._send(503, b"away", {})
            return False
        if self.headers.get("Authorization", "").removeprefix("Bearer ") in self.fake.tokens:
            return True
        self._send(401, b'{"code":"token_invalid"}', {})
        return False

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(content)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header by the fake's clock."""
        return super().date_time_string(self.fake.wall_s() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401  (http.server's)
        pass


@contextlib.contextmanager
def serving(fake: FakeServer) -> Iterator[FakeServer]:
    """``fake`` on a port of its own."""
    handler = type("Handler", (_Handler,), {"fake": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
