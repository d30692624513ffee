"""Check one row of a settlement file. Stand-alone: this file and Python.

    python check_row.py proof.json [public key of the settlement, Ed25519, hex]

``proof.json`` is what the service answers for a row. Prints what it shows and exits 0, or says what
is wrong and exits 1. The signature is checked where a key is given, by the package
``cryptography``; a key that came by another way than the proof is worth more than the proof's own.
The formats are those of ``statement_file``.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

TITLE = "cardcore settlement 1"


def climb(line: str, path: list[list[str]]) -> str:
    """From a line to the root of its tree."""
    running = hashlib.sha256(b"\x00\x05" + line.encode()).digest()
    for side, sibling in path:
        if side not in ("left", "right"):
            raise ValueError("a side is left or right")
        other = bytes.fromhex(sibling)
        pair = other + running if side == "left" else running + other
        running = hashlib.sha256(b"\x01" + pair).digest()
    return running.hex()


def head_fields(head: str) -> dict[str, str]:
    """The fields of a signed head. Raises ``ValueError`` where it has another form."""
    title, *lines = head.removesuffix("\n").split("\n")
    pairs = [line.split("=", 1) for line in lines]
    fields = {pair[0]: pair[1] for pair in pairs}
    if title != TITLE or not head.endswith("\n") or len(fields) != len(pairs):
        raise ValueError("this is no settlement head")
    return fields


def signature_holds(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the key has signed the message (RFC 8032)."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  (for signatures alone)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  (likewise)
        Ed25519PublicKey,
    )

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def check_row(proof: dict[str, Any], public_key: bytes | None = None) -> tuple[bool, str]:
    """Whether a proof holds, and what it shows or what is wrong.

    Args:
        proof: ``line``, ``path``, ``head`` and ``signature``.
        public_key: of the settlement, raw; None leaves the signature unchecked, and says so.
    """
    try:
        fields = head_fields(proof["head"])
        root = climb(proof["line"], proof["path"])
        signature = bytes.fromhex(proof["signature"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        return False, f"this is no row proof: {error}"
    if root != fields.get("root"):
        return False, "the line is not in the file"
    shown = f"the line is in the file of {fields.get('merchant_id')}, window {fields.get('window')}"
    if public_key is None:
        return True, f"{shown} (signature not checked: no key given)"
    if not signature_holds(public_key, proof["head"].encode(), signature):
        return False, "the signature of the head does not hold"
    return True, f"{shown}, version {fields.get('version')}, whose signature holds"


def main(arguments: list[str]) -> int:
    """Check the file named first, with the key named second."""
    proof = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    key = bytes.fromhex(arguments[1]) if len(arguments) > 1 else None
    holds, what = check_row(proof, key)
    print(what)  # noqa: T201  (its purpose)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
