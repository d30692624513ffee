"""SM3, HMAC-SM3 and SM4-GCM against published vectors, with all invalid cases."""

import json
from pathlib import Path
from typing import Any

import pytest

from codes.national import (
    GCM_NONCE_SIZES,
    AuthenticationError,
    hmac_sm3,
    sm3,
    sm4_gcm_open,
    sm4_gcm_seal,
    verify_hmac_sm3,
)


def _cases(test_data: Path, name: str) -> list[dict[str, Any]]:
    path = test_data / "vectors" / f"wycheproof_{name}_test.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    return [
        {"tag_size": group["tagSize"] // 8}
        | {key: bytes.fromhex(value) for key, value in case.items() if key in _BYTES}
        | {"valid": case["result"] == "valid"}
        for group in document["testGroups"]
        for case in group["tests"]
    ]


_BYTES = {"key", "iv", "aad", "msg", "ct", "tag"}


def test_the_sm3_examples_of_the_standard_hold() -> None:
    """Source: GB/T 32905, annex A."""
    assert sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3(b"abcd" * 16).hex() == (
        "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    )


def test_every_hmac_sm3_case_of_wycheproof_is_judged_right(test_data: Path) -> None:
    cases = _cases(test_data, "hmac_sm3")
    assert len(cases) == 174
    for case in cases:
        mac = hmac_sm3(case["key"], case["msg"])
        assert (mac[: case["tag_size"]] == case["tag"]) == case["valid"]
        if case["tag_size"] == 32 and case["valid"]:
            verify_hmac_sm3(case["key"], case["msg"], case["tag"])
        else:
            with pytest.raises(AuthenticationError):
                verify_hmac_sm3(case["key"], case["msg"], case["tag"])


def test_every_sm4_gcm_case_of_wycheproof_is_judged_right(test_data: Path) -> None:
    """How: nonces outside our limits (valid or not by the vectors) must be refused."""
    cases = _cases(test_data, "sm4_gcm")
    assert len(cases) == 104
    within = [case for case in cases if len(case["iv"]) in GCM_NONCE_SIZES]
    assert len(within) == 93
    for case in cases:
        sealed = case["ct"] + case["tag"]
        if case not in within:
            with pytest.raises(ValueError, match="nonce"):
                sm4_gcm_open(case["key"], case["iv"], sealed, case["aad"])
            with pytest.raises(ValueError, match="nonce"):
                sm4_gcm_seal(case["key"], case["iv"], case["msg"], case["aad"])
        elif case["valid"]:
            assert sm4_gcm_seal(case["key"], case["iv"], case["msg"], case["aad"]) == sealed
            assert sm4_gcm_open(case["key"], case["iv"], sealed, case["aad"]) == case["msg"]
        else:
            with pytest.raises(AuthenticationError):
                sm4_gcm_open(case["key"], case["iv"], sealed, case["aad"])


def test_sizes_are_kept() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        sm4_gcm_seal(bytes(15), bytes(12), b"", b"")
    with pytest.raises(AuthenticationError):
        sm4_gcm_open(bytes(16), bytes(12), bytes(15), b"")
