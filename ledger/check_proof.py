"""Check an inclusion proof. Stand-alone: Python's standard library and nothing else.

    python check_proof.py proof.json [public key of the seal, Ed25519, hex]

Prints what the proof shows and exits 0, or says what is wrong and exits 1. The formats are those
of the modules ``merkle`` and ``seals``; the signature check is RFC 8032, section 6.
"""

import hashlib
import json
import struct
import sys
from datetime import date
from pathlib import Path
from typing import Any

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]


def sha256(data: bytes) -> bytes:
    """The only hash there is here."""
    return hashlib.sha256(data).digest()


def climb(running: bytes, path: list[list[str]]) -> bytes:
    """From a leaf hash to the root of its tree."""
    for side, sibling in path:
        other = bytes.fromhex(sibling)
        running = sha256(b"\x01" + (other + running if side == "left" else running + other))
    return running


def transfer_leaf(t: dict[str, Any]) -> bytes:
    """Leaf hash of the transfer's canonical bytes."""
    names = ("id", "debit_account_id", "credit_account_id", "pending_id", "user_data_128",
             "reverses_id")  # fmt: skip
    return sha256(
        b"\x00\x02"
        + b"".join(bytes.fromhex(t[name]) for name in names)
        + struct.pack(">QQQq8Q", t["amount"], t["user_data_64"], t["timestamp"],
                      t["effective_at"], *t["counters"])
        + struct.pack(">IIIiHH", t["user_data_32"], t["timeout"], t["ledger"],
                      t["effective_on"], t["code"], t["flags"])
    )  # fmt: skip


def chain_hash(b: dict[str, Any], root: bytes) -> bytes:
    """What the batch adds to the chain of its shard."""
    return sha256(
        b"ledger batch 1" + bytes.fromhex(b["previous_chain"])
        + struct.pack(">hqqqi", b["shard"], b["number"], b["first_timestamp"],
                      b["last_timestamp"], b["rows"]) + root
    )  # fmt: skip


def seal_message(s: dict[str, Any], root: bytes) -> bytes:
    """What the seal's key has signed."""
    day = (date.fromisoformat(s["day"]) - date(1970, 1, 1)).days
    return (
        b"ledger seal 1"
        + struct.pack(">qiq", s["number"], day, s["sealed_at"])
        + bytes.fromhex(s["previous"]) + root + struct.pack(">q", s["batches"])
    )  # fmt: skip


def add(p: Point, q: Point) -> Point:
    """Sum of two points of edwards25519 in extended coordinates."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar: int, p: Point) -> Point:
    """Scalar multiple of a point."""
    q: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            q = add(q, p)
        p = add(p, p)
        scalar >>= 1
    return q


def decompress(data: bytes) -> Point:
    """The point with this encoding; ``ValueError`` where there is none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x_squared = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x_squared, (P + 3) // 8, P)
    if (x * x - x_squared) % P:
        x = x * SQRT_MINUS_1 % P
    if y >= P or (x * x - x_squared) % P or (x == 0 and sign):
        raise ValueError("not a point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def signature_holds(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature is of this key over this message."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    try:
        a, r = decompress(public_key), decompress(signature[:32])
    except ValueError:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    base_y = 4 * pow(5, P - 2, P) % P
    left = multiply(s, decompress(base_y.to_bytes(32, "little")))
    right = add(r, multiply(int.from_bytes(digest, "little") % L, a))
    return (
        (left[0] * right[2] - right[0] * left[2]) % P
        == 0
        == (left[1] * right[2] - right[1] * left[2]) % P
    )


def check(proof: dict[str, Any], public_key: bytes | None) -> tuple[bool, str]:
    """Whether the proof holds, and what it shows or what is wrong."""
    batch, seal = proof["batch"], proof["seal"]
    root = climb(transfer_leaf(proof["transfer"]), proof["path"])
    if chain_hash(batch, root).hex() != batch["chain"]:
        return False, "the transfer is not in the batch"
    shown = f"the transfer is in batch {batch['number']} of shard {batch['shard']}"
    if seal is None:
        return True, f"{shown}, which is not sealed yet"
    leaf = sha256(b"\x00\x04" + struct.pack(">hq", batch["shard"], batch["number"])
                  + bytes.fromhex(batch["chain"]))  # fmt: skip
    seal_root = climb(leaf, seal["path"])
    if seal_root.hex() != seal["root"]:
        return False, "the batch is not in the seal"
    shown += f", under seal {seal['number']} of {seal['day']}"
    if public_key is None:
        return True, f"{shown} (signature not checked: no key given)"
    message = seal_message(seal, seal_root)
    if not signature_holds(public_key, message, bytes.fromhex(seal["signature"])):
        return False, "the signature of the seal does not hold"
    return True, f"{shown}, whose signature holds"


def main() -> int:
    """Read the proof and the key from the command line."""
    if len(sys.argv) not in (2, 3):
        print(__doc__)  # noqa: T201  (a script speaks on stdout)
        return 2
    proof = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    holds, shown = check(proof, bytes.fromhex(sys.argv[2]) if len(sys.argv) == 3 else None)
    print(("holds: " if holds else "DOES NOT HOLD: ") + shown)  # noqa: T201  (as above)
    return 0 if holds else 1


if __name__ == "__main__":  # pragma: no cover  (a test runs the script as one)
    sys.exit(main())
