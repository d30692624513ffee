"""The public keys a verifier trusts: issuer id and key id to algorithm, key and window.

A ring is a value: adding a key makes a new ring. Its JSON form travels in the terminal package and
is all that an outside verifier needs. It never holds a secret. Source: docs/codes.md.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, Self

from codes.suites import Algorithm, KeyFormError, PublicKey, load_public_key

KEYS_MAX: Final = 4096
_ALGORITHM_NAME: Final = {
    Algorithm.ED25519: "ed25519",
    Algorithm.SM2_SM3: "sm2-sm3",
    Algorithm.ES256: "es256",
}
_ALGORITHM_OF_NAME: Final = {name: algorithm for algorithm, name in _ALGORITHM_NAME.items()}


class KeyRingError(ValueError):
    """The ring's JSON is not a ring, or two keys share one name."""


class KeyUse(Enum):
    """What a key's signatures are believed for. A code key cannot sign a package, or reverse."""

    CODES = "codes"
    LISTS = "lists"
    PACKAGES = "packages"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKey:
    """One public key of one issuer.

    ``not_before_s`` and ``not_after_s`` are Unix seconds UTC: signatures are believed while
    ``not_before_s <= now < not_after_s``. ``public_key`` is raw: 32 bytes (Ed25519) or a compressed
    point of 33 bytes. Raises ``KeyFormError`` when the key does not parse.
    """

    issuer_id: int
    kid: int
    algorithm: Algorithm
    public_key: bytes
    not_before_s: int
    not_after_s: int
    uses: frozenset[KeyUse] = frozenset({KeyUse.CODES})
    key: PublicKey = field(init=False, repr=False, compare=False)
    signs_codes: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (0 <= self.issuer_id <= 0xFFFF and 0 <= self.kid <= 0xFF):
            raise KeyFormError("issuer id or key id out of range")
        if self.not_before_s >= self.not_after_s:
            raise KeyFormError("the key's window is empty")
        object.__setattr__(self, "key", load_public_key(self.algorithm, self.public_key))
        object.__setattr__(self, "signs_codes", KeyUse.CODES in self.uses)

    def is_current(self, now_s: int) -> bool:
        """Is ``now_s`` inside the window?"""
        return self.not_before_s <= now_s < self.not_after_s


class KeyRing:
    """Keys by (issuer id, key id). Immutable."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Iterable[IssuerKey] = ()) -> None:
        self._keys: dict[tuple[int, int], IssuerKey] = {}
        for key in keys:
            name = (key.issuer_id, key.kid)
            if name in self._keys:
                raise KeyRingError(f"two keys are named issuer {name[0]} kid {name[1]}")
            self._keys[name] = key
        if len(self._keys) > KEYS_MAX:
            raise KeyRingError(f"more than {KEYS_MAX} keys")

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[IssuerKey]:
        return (self._keys[name] for name in sorted(self._keys))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyRing) and self._keys == other._keys

    def __hash__(self) -> int:
        return hash(frozenset(self._keys.items()))

    def get(self, issuer_id: int, kid: int) -> IssuerKey | None:
        """The key, whether or not its window is open."""
        return self._keys.get((issuer_id, kid))

    def with_key(self, key: IssuerKey) -> "KeyRing":
        """A ring with one more key. Raises ``KeyRingError`` when its name is taken."""
        return KeyRing((*self, key))

    def without(self, issuer_id: int, kid: int) -> "KeyRing":
        """A ring without this key, for example after a compromise. Unknown names are ignored."""
        return KeyRing(key for key in self if (key.issuer_id, key.kid) != (issuer_id, kid))

    def to_json(self) -> str:
        """``{"keys": [{issuer_id, kid, algorithm, public_key, not_before, not_after, uses}]}``.

        Keys in hex, instants in RFC 3339 UTC, sorted: one ring has one text.
        """
        return json.dumps(
            {"keys": [_to_object(key) for key in self]}, separators=(",", ":"), sort_keys=True
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Undo ``to_json``. Raises ``KeyRingError``."""
        try:
            document = json.loads(text)
            return cls(_from_object(entry) for entry in document["keys"])
        except KeyRingError:
            raise
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise KeyRingError(f"not a key ring: {error}") from None


def _to_object(key: IssuerKey) -> dict[str, Any]:
    return {
        "issuer_id": key.issuer_id,
        "kid": key.kid,
        "algorithm": _ALGORITHM_NAME[key.algorithm],
        "public_key": key.public_key.hex(),
        "not_before": _instant(key.not_before_s),
        "not_after": _instant(key.not_after_s),
        "uses": sorted(use.value for use in key.uses),
    }


def _from_object(entry: dict[str, Any]) -> IssuerKey:
    issuer_id, kid = entry["issuer_id"], entry["kid"]
    if type(issuer_id) is not int or type(kid) is not int:
        raise KeyRingError("issuer_id and kid must be integers")
    return IssuerKey(
        issuer_id=issuer_id,
        kid=kid,
        algorithm=_ALGORITHM_OF_NAME[entry["algorithm"]],
        public_key=bytes.fromhex(entry["public_key"]),
        not_before_s=_unix_s(entry["not_before"]),
        not_after_s=_unix_s(entry["not_after"]),
        uses=frozenset(KeyUse(use) for use in entry.get("uses", ("codes",))),
    )


def _instant(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _unix_s(instant: str) -> int:
    moment = datetime.fromisoformat(instant)
    if moment.tzinfo is None:
        raise KeyRingError("an instant needs its zone")
    return int(moment.timestamp())
