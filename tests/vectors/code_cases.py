"""The vectors of ``codes.json``: every class and suite, and what must be refused and why."""

import json
from collections.abc import Callable
from typing import Any, Final

from codes import (
    Algorithm,
    Authorisation,
    FieldsAuthorisation,
    FieldsP,
    FieldsS,
    Purpose,
    Scope,
    authorise_d,
    base45,
    context_of,
    issue_p,
    issue_s,
    make_d,
)
from tests.vectors.vector_keys import ALGORITHMS, ISSUER_ID, NOW_S, OUT_OF_DATE_KID, Keys, Sign

DEVICE_SUITES: Final = (
    (Algorithm.ED25519, Algorithm.ED25519),
    (Algorithm.ED25519, Algorithm.ES256),
    (Algorithm.SM2_SM3, Algorithm.SM2_SM3),
    (Algorithm.SM2_SM3, Algorithm.ES256),
    (Algorithm.ES256, Algorithm.ES256),
)
ORDER: Final = {
    Algorithm.ES256: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    Algorithm.SM2_SM3: 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123,
    Algorithm.ED25519: 2**252 + 27742317777372353535851937790883648493,
}


class CodeVectors:
    """Collects the vectors of ``codes.json``."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._count = 0
        self.vectors: list[dict[str, Any]] = []

    def _unique(self) -> bytes:
        self._count += 1
        return self._count.to_bytes(8, "big")

    async def s(self, algorithm: Algorithm = Algorithm.ES256, **changes: Any) -> str:  # noqa: ANN401  (any field)
        """A class S code good for paying up to 20 yuan on a bus."""
        sign = changes.pop("sign", self._keys.sign("issuer", algorithm))
        fields: dict[str, Any] = {
            "algorithm": algorithm,
            "issuer_id": ISSUER_ID,
            "kid": algorithm,
            "token": self._unique(),
            "jti": self._unique(),
            "scope": Scope.BUS,
            "purpose": Purpose.PAY | Purpose.IDENTITY,
            "issued_at_s": NOW_S,
            "cap_fen": 2000,
        }
        return await issue_s(FieldsS(**(fields | changes)), sign)

    async def authorisation(
        self,
        issuer: Algorithm = Algorithm.ES256,
        device: Algorithm = Algorithm.ES256,
        **changes: Any,  # noqa: ANN401  (any field)
    ) -> Authorisation:
        """An authorisation of a day, 20 yuan a use, 100 yuan or 20 uses in all."""
        fields: dict[str, Any] = {
            "algorithm": issuer,
            "issuer_id": ISSUER_ID,
            "kid": issuer,
            "token": self._unique(),
            "status_index": 5,
            "scope": Scope.BUS,
            "purpose": Purpose.PAY | Purpose.IDENTITY,
            "authorised_at_s": NOW_S - 3600,
            "validity_min": 1440,
            "cap_fen": 2000,
            "cumulative_cap_fen": 10_000,
            "uses_max": 20,
            "dynamic_ttl_s": 30,
            "device_algorithm": device,
            "device_key": self._keys.key("device", device).public_key.raw,
        }
        return await authorise_d(
            FieldsAuthorisation(**(fields | changes)), self._keys.sign("issuer", issuer)
        )

    async def d(self, granted: Authorisation | None = None, **changes: Any) -> str:  # noqa: ANN401  (any field)
        """A class D code made now."""
        granted = granted or await self.authorisation()
        sign = changes.pop("sign", self._keys.sign("device", granted.device_algorithm))
        return await make_d(granted, sign, **({"made_at_s": NOW_S, "counter": 7} | changes))

    async def p(self, algorithm: Algorithm = Algorithm.ES256, **changes: Any) -> str:  # noqa: ANN401  (any field)
        """A printed code for a community gate."""
        fields: dict[str, Any] = {
            "algorithm": algorithm,
            "issuer_id": ISSUER_ID,
            "kid": algorithm,
            "token": self._unique(),
            "status_index": 6,
            "scope": Scope.COMMUNITY,
            "purpose": Purpose.IDENTITY,
            "issued_at_s": NOW_S - 86_400,
            "validity_days": 365,
        }
        return await issue_p(FieldsP(**(fields | changes)), self._keys.sign("issuer", algorithm))

    def add(self, note: str, text: str, expect: str, **how: Any) -> None:  # noqa: ANN401  (any member)
        """One vector; ``how`` changes the policy, or names now, status, amount or earlier texts."""
        policy = {
            "scope": Scope.BUS.value,
            "needs": Purpose.PAY.value,
            "domain": 0,
            "place_ids": [],
            "context_required": False,
            "user_verified_required": False,
            "online": False,
            "skew_s": 30,
            "list_age_max_s": 7200,
            "stale_cap_fen": None,
        }
        status = {"issued_at_s": NOW_S - 60, "expires_at_s": NOW_S + 10**8, "statuses": {}}
        vector: dict[str, Any] = {
            "id": len(self.vectors) + 1,
            "note": note,
            "text": text,
            "now_s": how.pop("now_s", NOW_S),
            "amount_fen": how.pop("amount_fen", 0),
            "status": how.pop("status", status),
            "presented_before": how.pop("before", []),
        }
        vector |= {"policy": policy | how, "expect": expect}
        self.vectors.append(vector)


GATE: Final[dict[str, Any]] = {"scope": Scope.COMMUNITY.value, "needs": Purpose.IDENTITY.value}


def _with_bytes(text: str, change: Callable[[bytearray], None]) -> str:
    data = bytearray(base45.decode(text[3:]))
    change(data)
    return "M1:" + base45.encode(bytes(data))


def _flip(text: str, place: int) -> str:
    def change(data: bytearray) -> None:
        data[place] ^= 1

    return _with_bytes(text, change)


def _set(text: str, start: int, value: bytes) -> str:
    def change(data: bytearray) -> None:
        data[start : start + len(value)] = value

    return _with_bytes(text, change)


async def _add_good(v: CodeVectors) -> None:
    for algorithm in ALGORITHMS:
        name = algorithm.name
        place = "bus-4711"
        context = context_of(place, algorithm)
        v.add(f"S {name}", await v.s(algorithm), "accepted", amount_fen=2000)
        bound = await v.s(algorithm, context=context, domain=7, flags=0x83, tariff_class=9)
        v.add(f"S {name}, place and domain", bound, "accepted", place_ids=[place], domain=7)
        v.add(f"P {name}", await v.p(algorithm, flags=0xE0), "accepted", **GATE)
    for issuer, device in DEVICE_SUITES:
        granted = await v.authorisation(issuer, device)
        note = f"D issuer {issuer.name}, device {device.name}"
        v.add(note, await v.d(granted, flags=0xE2), "accepted", amount_fen=200)


async def _add_forms(v: CodeVectors) -> None:
    good = await v.s()
    data = base45.decode(good[3:])
    for note, text in (
        ("empty", ""),
        ("prefix only", "M1:"),
        ("prefix of another version", "M2:" + good[3:]),
        ("prefix in lower case", "m1:" + good[3:]),
        ("all in lower case", good.lower()),
        ("no prefix", good[3:]),
        ("space before", " " + good),
        ("line end after", good + "\n"),
        ("one character short", good[:-1]),
        ("one byte short", "M1:" + base45.encode(data[:-1])),
        ("one byte more", "M1:" + base45.encode(data + b"\0")),
        ("emoji", "M1:" + "😀" * 40),
        ("full-width letters", "Ｍ１：" + good[3:]),
        ("4 kB", "M1:" + "0" * 4093),
        ("base45 group above 65535", "M1::::" + good[6:]),
    ):
        v.add(f"form: {note}", text, "code_invalid")
    d = await v.d()
    p = await v.p()
    for letter, text, places in (
        ("S", good, {"version": (0, b"\x21"), "class": (0, b"\x14"), "suite": (1, b"\x40"),
                     "suite with device": (1, b"\x33"), "scope bit": (13, b"\x02"),
                     "flag": (38, b"\x10"), "reserved byte": (39, b"\x01")}),
        ("D", d, {"version": (0, b"\x22"), "suite": (1, b"\x12"), "scope bit": (17, b"\x02"),
                  "validity 0": (24, b"\0\0"), "validity 10081": (24, b"\x27\x61"),
                  "dynamic life 14": (31, b"\x0e"), "dynamic life 61": (31, b"\x3d"),
                  "flag": (139, b"\x10")}),
        ("P", p, {"suite": (1, b"\x11"), "scope bit": (17, b"\x02"), "validity 0": (24, b"\0\0"),
                  "flag": (28, b"\x01"), "reserved byte": (29, b"\x01")}),
    ):  # fmt: skip
        how = GATE if letter == "P" else {}
        for name, (start, value) in places.items():
            v.add(f"{letter} illegal {name}", _set(text, start, value), "code_invalid", **how)


async def _add_flips(v: CodeVectors) -> None:
    for algorithm in ALGORITHMS:
        s, p = await v.s(algorithm), await v.p(algorithm)
        for place in (2, 4, 5, 13, 15, 19, 21, 23, 25, 26, 37, 38, 40, 72, 103):
            v.add(f"S {algorithm.name} bit flipped in byte {place}", _flip(s, place), "refused")
        for place in (2, 4, 5, 16, 18, 19, 23, 25, 27, 28, 30, 62, 93):
            note = f"P {algorithm.name} bit flipped in byte {place}"
            v.add(note, _flip(p, place), "refused", **GATE)
    for issuer, device in DEVICE_SUITES:
        d = await v.d(await v.authorisation(issuer, device))
        for place in (2, 4, 5, 16, 18, 19, 23, 25, 27, 29, 30, 33, 70, 131, 134, 138, 139, 202):
            note = f"D {issuer.name} {device.name} bit flipped in byte {place}"
            v.add(note, _flip(d, place), "refused")


async def _add_signatures(v: CodeVectors) -> None:
    def fixed(signature: bytes) -> Sign:
        async def sign(_: bytes) -> bytes:
            return signature

        return sign

    for algorithm in (Algorithm.ES256, Algorithm.SM2_SM3):
        order = ORDER[algorithm]
        one, end = (1).to_bytes(32, "big"), order.to_bytes(32, "big")
        for note, signature in (
            ("r = 0", bytes(32) + one),
            ("s = 0", one + bytes(32)),
            ("r = n", end + one),
            ("s = n", one + end),
            ("all ones", b"\xff" * 64),
            ("DER", bytes.fromhex("303e021d") + bytes(60)),
        ):
            text = await v.s(algorithm, sign=fixed(signature))
            v.add(f"{algorithm.name} signature {note}", text, "code_invalid")
    twin = await v.s()
    data = base45.decode(twin[3:])
    high_s = ORDER[Algorithm.ES256] - int.from_bytes(data[72:], "big")
    flipped = "M1:" + base45.encode(data[:72] + high_s.to_bytes(32, "big"))
    v.add("ES256 twin with the other s verifies", flipped, "accepted")
    v.add("ES256 twin is the same code", flipped, "code_replayed", before=[twin])
    text = await v.s(Algorithm.ED25519)
    data = base45.decode(text[3:])
    high_s = ORDER[Algorithm.ED25519] + int.from_bytes(data[72:], "little")
    malleable = "M1:" + base45.encode(data[:72] + high_s.to_bytes(32, "little"))
    v.add("ED25519 s above the order", malleable, "code_invalid")
    small = await v.s(Algorithm.ED25519, sign=fixed(b"\x01" + bytes(63)))
    v.add("ED25519 commitment of small order", small, "code_invalid")
    bad_keys = {
        Algorithm.ES256: {
            "x above the prime": b"\x02" + b"\xff" * 32,
            "x of no point": b"\x02" + bytes(31) + b"\x01",
            "uncompressed mark": b"\x04" + bytes(32),
        },
        Algorithm.SM2_SM3: {"x above the prime": b"\x02" + b"\xff" * 32},
        Algorithm.ED25519: {
            "small order": b"\x01" + bytes(31),
            "y above the prime": b"\xf0" + b"\xff" * 30 + b"\x7f",
        },
    }
    for issuer, device in (
        (Algorithm.ES256, Algorithm.ES256),
        (Algorithm.SM2_SM3, Algorithm.SM2_SM3),
        (Algorithm.ED25519, Algorithm.ED25519),
    ):
        for note, key in bad_keys[device].items():
            granted = await v.authorisation(issuer, device, device_key=key)
            v.add(f"D device key {device.name}: {note}", await v.d(granted), "code_invalid")

    async def as_printed(message: bytes) -> bytes:
        sign = v._keys.sign("issuer", Algorithm.ES256)
        return await sign(b"CC1-P" + message[5:])

    v.add("S signed under the tag of P", await v.s(sign=as_printed), "code_invalid")


async def _add_windows(v: CodeVectors) -> None:
    s, d, p = await v.s(), await v.d(), await v.p()
    for note, text, now_s, expect, how in (
        ("S last second", s, NOW_S + 60, "accepted", {}),
        ("S one second late", s, NOW_S + 61, "code_expired", {}),
        ("S earliest second", s, NOW_S - 30, "accepted", {}),
        ("S from the future", s, NOW_S - 31, "clock_skew", {}),
        ("S without tolerance", s, NOW_S + 31, "code_expired", {"skew_s": 0}),
        ("S eight hours late", s, NOW_S + 28_800, "code_expired", {}),
        ("S eight hours early", s, NOW_S - 28_800, "clock_skew", {}),
        ("D last second", d, NOW_S + 60, "accepted", {}),
        ("D one second late", d, NOW_S + 61, "code_expired", {}),
        ("D from the future", d, NOW_S - 31, "clock_skew", {}),
        ("P last second", p, NOW_S + 364 * 86_400 + 30, "accepted", GATE | _fresh(365)),
        (
            "P one second late",
            p,
            NOW_S + 364 * 86_400 + 31,
            "code_expired",
            GATE | _fresh(365),
        ),
        ("P from the future", p, NOW_S - 86_431, "clock_skew", GATE),
    ):
        v.add(f"window: {note}", text, expect, now_s=now_s, **how)
    ended = await v.authorisation(authorised_at_s=NOW_S - 600, validity_min=10)
    v.add("window: D at the end of its authorisation", await v.d(ended), "accepted")
    after = await v.d(ended)
    v.add("window: D after its authorisation", after, "code_expired", now_s=NOW_S + 1)
    unknown = await v.s(kid=0x63)
    v.add("issuer: unknown kid", unknown, "code_invalid")
    v.add("issuer: unknown issuer", await v.s(issuer_id=1), "code_invalid")
    v.add("issuer: key out of date", await v.s(kid=OUT_OF_DATE_KID), "code_invalid")
    other = await v.s(kid=Algorithm.ED25519)
    v.add("issuer: suite of another key", other, "code_invalid")


def _fresh(days: int) -> dict[str, Any]:
    at_s = NOW_S + days * 86_400 - 90_000
    return {
        "status": {"issued_at_s": at_s, "expires_at_s": NOW_S + 10**8, "statuses": {}},
        "list_age_max_s": 10**6,
    }


async def _add_rights(v: CodeVectors) -> None:
    context = context_of("bus-4711", Algorithm.ES256)
    pay, identity = Purpose.PAY.value, Purpose.IDENTITY.value
    for note, changes, expect, how in (
        ("other scene", {"scope": Scope.HOSPITAL}, "scene_not_allowed", {}),
        ("several scenes", {"scope": Scope.HOSPITAL | Scope.BUS}, "accepted", {}),
        ("identity code asked to pay", {"purpose": identity}, "purpose_not_allowed", {}),
        ("online required", {"purpose": pay | 4}, "ask_online", {}),
        ("online required, online", {"purpose": pay | 4}, "accepted", {"online": True}),
        ("other domain", {"domain": 7}, "domain_not_allowed", {"domain": 8}),
        ("domain where there is none", {"domain": 7}, "domain_not_allowed", {}),
        ("other place", {"context": context}, "context_mismatch", {"place_ids": ["bus-4712"]}),
        ("one of two places", {"context": context}, "accepted", {"place_ids": ["x", "bus-4711"]}),
        ("place demanded", {}, "context_mismatch", {"context_required": True}),
        ("user verification", {}, "user_verification_required", {"user_verified_required": True}),
        ("at the cap", {}, "accepted", {"amount_fen": 2000}),
        ("above the cap", {}, "cap_exceeded", {"amount_fen": 2001}),
        ("no cap", {"cap_fen": 0}, "cap_exceeded", {"amount_fen": 1}),
    ):
        v.add(f"rights: {note}", await v.s(**changes), expect, **how)
    granted = await v.authorisation(cumulative_cap_fen=100)
    text = await v.d(granted)
    v.add("caps: cumulative", text, "cap_cumulative_exceeded", amount_fen=110)
    none = await v.authorisation(uses_max=0)
    v.add("caps: no offline use left", await v.d(none), "cap_count_exceeded")
    v.add("caps: offline uses do not count online", await v.d(none), "accepted", online=True)
    printed = await v.p(scope=Scope.BUS, purpose=Purpose.PAY, cap_fen=500)
    v.add("P paying offline", printed, "ask_online", amount_fen=100)
    v.add("P paying online", printed, "accepted", amount_fen=100, online=True)
    gate = await v.p()
    v.add("P shown twice", gate, "accepted", before=[gate], **GATE)
    for text in (await v.s(), await v.d()):
        v.add("replay", text, "code_replayed", before=[text])


async def _add_status(v: CodeVectors) -> None:
    d, p = await v.d(), await v.p()
    for status, expect in (
        (1, "code_revoked"),
        (2, "code_suspended"),
        (3, "ask_online"),
    ):
        listed = {"issued_at_s": NOW_S, "expires_at_s": NOW_S + 9, "statuses": {"5": status}}
        v.add(f"status {status} of D", d, expect, status=listed)
        listed = {**listed, "statuses": {"6": status}}
        v.add(f"status {status} of P", p, expect, status=listed, **GATE)
    v.add("status: no list", d, "list_stale", status=None)
    old = {"issued_at_s": NOW_S - 7201, "expires_at_s": NOW_S + 9, "statuses": {}}
    v.add("status: list too old", d, "list_stale", status=old)
    for amount_fen, expect in ((200, "accepted"), (201, "list_stale")):
        note = f"status: old list, stale cap 200, amount {amount_fen}"
        v.add(note, d, expect, status=old, stale_cap_fen=200, amount_fen=amount_fen)
    over = {"issued_at_s": NOW_S - 60, "expires_at_s": NOW_S - 1, "statuses": {}}
    v.add("status: list expired", d, "list_stale", status=over)


async def code_vectors(keys: Keys) -> dict[str, Any]:
    """The document of ``codes.json``."""
    vectors = CodeVectors(keys)
    for add in (
        _add_good,
        _add_forms,
        _add_flips,
        _add_signatures,
        _add_windows,
        _add_rights,
        _add_status,
    ):
        await add(vectors)
    return {"key_ring": json.loads(keys.ring().to_json()), "vectors": vectors.vectors}
