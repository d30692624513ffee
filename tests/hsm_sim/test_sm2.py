"""SM2: both providers against the standard's example, against each other and hostile input."""

import re
import sys
from pathlib import Path

import gmssl_fast
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsm_sim import sm2
from hsm_sim.der import der_of_halves, raw_of_der
from hsm_sim.interface import (
    AlgorithmUnavailableError,
    PublicKeyInvalidError,
    SignatureInvalidError,
)
from hsm_sim.sm2_libcrypto import LibcryptoProvider, _Key

GENERATOR = sm2.compress(sm2.GX, sm2.GY)


def _available(name: str) -> sm2.SM2Provider:
    try:
        return sm2.choose_provider((name,))
    except AlgorithmUnavailableError as problem:
        pytest.skip(str(problem))


@pytest.fixture(params=["libcrypto", "gmssl-fast"])
def provider(request: pytest.FixtureRequest) -> sm2.SM2Provider:
    return _available(request.param)


def test_the_process_has_a_provider_and_keeps_it() -> None:
    assert sm2.provider() is sm2.provider()
    assert sm2.provider().name


def test_the_example_of_the_data_folder_verifies(
    provider: sm2.SM2Provider, test_data: Path
) -> None:
    text = re.sub(r"\s+", " ", (test_data / "README.md").read_text(encoding="utf-8"))
    x, y = re.findall(r"public key ([0-9A-F]{64}) / ([0-9A-F]{64})", text)[0]
    r = re.findall(r"\br ([0-9A-F]{64})", text)[0]
    s = re.findall(r"\bs ([0-9A-F]{64})", text)[0]
    verifier = provider.verifier(sm2.compress(int(x, 16), int(y, 16)))
    verifier.verify(b"message digest", bytes.fromhex(r + s))


def test_a_signature_of_one_provider_is_accepted_by_the_other() -> None:
    ours, theirs = _available("libcrypto"), _available("gmssl-fast")
    for maker, checker in ((ours, theirs), (theirs, ours)):
        pair = maker.generate()
        checker.verifier(pair.public).verify(b"x", maker.signer(pair).sign(b"x"))
        maker.verifier(pair.public).verify(b"y", checker.signer(pair).sign(b"y"))


def test_any_flipped_bit_of_signature_or_message_is_refused(provider: sm2.SM2Provider) -> None:
    pair = provider.generate()
    verifier = provider.verifier(pair.public)
    signature = provider.signer(pair).sign(b"fare")
    for index in range(0, 64 * 8, 37):
        changed = bytearray(signature)
        changed[index // 8] ^= 1 << index % 8
        with pytest.raises(SignatureInvalidError):
            verifier.verify(b"fare", bytes(changed))
    with pytest.raises(SignatureInvalidError):
        verifier.verify(b"fire", signature)
    verifier.verify(b"fare", signature)  # a refusal leaves the verifier usable


@pytest.mark.parametrize(
    "signature",
    [
        bytes(64),
        bytes(31) + b"\1" + bytes(32),
        bytes(32) + bytes(31) + b"\1",
        sm2.N.to_bytes(32, "big") + bytes(31) + b"\1",
        bytes(31) + b"\1" + sm2.N.to_bytes(32, "big"),
        b"\xff" * 64,
        b"\1" * 63,
        b"\1" * 65,
        b"",
    ],
)
def test_halves_outside_the_group_are_refused(provider: sm2.SM2Provider, signature: bytes) -> None:
    with pytest.raises(SignatureInvalidError):
        provider.verifier(GENERATOR).verify(b"m", signature)


@pytest.mark.parametrize(
    "public_key",
    [
        b"",
        b"\4" + GENERATOR[1:],
        b"\0" * 33,
        GENERATOR + b"\0",
        b"\2" + sm2.P.to_bytes(32, "big"),  # x outside the field
        b"\2" + (3).to_bytes(32, "big"),  # no point has this x
    ],
)
def test_bytes_that_are_no_point_are_refused(provider: sm2.SM2Provider, public_key: bytes) -> None:
    with pytest.raises(PublicKeyInvalidError):
        provider.verifier(public_key)


@given(scalar=st.integers(min_value=1, max_value=sm2.N - 2))
def test_decompression_undoes_compression_for_both_signs_of_y(scalar: int) -> None:
    """Why: half of all keys have an odd y; taking the wrong root accepts nobody's signature."""
    library = LibcryptoProvider()
    public = _public_of(library, scalar)
    x, y = sm2.decompress(public)
    assert (y * y - (x**3 + sm2.A * x + sm2.B)) % sm2.P == 0
    assert sm2.compress(x, y) == public
    opposite = bytes((public[0] ^ 1,)) + public[1:]
    assert sm2.decompress(opposite) == (x, sm2.P - y)


def _public_of(library: LibcryptoProvider, scalar: int) -> bytes:
    return _Key.private(library._library, scalar.to_bytes(32, "big")).public()


def test_halves_of_two_different_pairs_are_refused(provider: sm2.SM2Provider) -> None:
    one, other = provider.generate(), provider.generate()
    with pytest.raises(PublicKeyInvalidError):
        provider.signer(sm2.SM2KeyPair(private=one.private, public=other.public))


@pytest.mark.parametrize("scalar", [0, sm2.N - 1, sm2.N])
def test_a_scalar_outside_the_standards_range_is_refused(scalar: int) -> None:
    library = _available("libcrypto")
    with pytest.raises(PublicKeyInvalidError):
        library.signer(sm2.SM2KeyPair(private=scalar.to_bytes(32, "big"), public=GENERATOR))


def test_a_private_key_does_not_show_in_logs() -> None:
    pair = sm2.provider().generate()
    assert pair.private.hex() not in repr(pair)
    assert repr(pair.private) not in repr(pair)


@given(r=st.integers(1, sm2.N - 1), s=st.integers(1, sm2.N - 1))
def test_raw_and_der_signatures_are_one_to_one(r: int, s: int) -> None:
    assert raw_of_der(der_of_halves(r, s)) == r.to_bytes(32, "big") + s.to_bytes(32, "big")


class _CarelessProvider:
    """Accepts everything: what a broken library would look like."""

    name = "careless"

    def generate(self) -> sm2.SM2KeyPair:
        raise AssertionError

    def signer(self, pair: sm2.SM2KeyPair) -> "_CarelessProvider":
        return self

    def verifier(self, public_key: bytes) -> "_CarelessProvider":
        return self

    def sign(self, message: bytes) -> bytes:
        return message

    def verify(self, message: bytes, signature: bytes) -> None:
        return None


def test_a_library_that_accepts_everything_fails_its_self_test() -> None:
    with pytest.raises(AssertionError, match="changed signature"):
        sm2.self_test(_CarelessProvider())


def test_without_a_library_the_refusal_tells_why() -> None:
    with pytest.raises(AlgorithmUnavailableError):
        sm2.choose_provider(())
    with pytest.raises(OSError, match="no-such-library"):
        LibcryptoProvider("no-such-library.so.3")


def test_a_library_that_is_absent_or_old_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gmssl_fast", None)
    monkeypatch.delitem(sys.modules, "hsm_sim.sm2_gmssl", raising=False)
    monkeypatch.setattr("hsm_sim.sm2_libcrypto._VERSION_MIN", 1 << 60)
    with pytest.raises(AlgorithmUnavailableError, match=r"older than.*gmssl-fast: .*Error"):
        sm2.choose_provider(("libcrypto", "gmssl-fast"))


def test_a_provider_has_a_name(provider: sm2.SM2Provider) -> None:
    assert re.match(r"(OpenSSL|gmssl-fast) [0-9]", provider.name)


def test_bytes_the_library_cannot_read_make_no_key() -> None:
    """Why: a null pointer handed on to the library would end the process."""
    with pytest.raises(PublicKeyInvalidError):
        _Key.of_public(LibcryptoProvider()._library, b"\xff" * 33)


def test_a_library_that_raises_instead_of_refusing_is_a_refusal() -> None:
    gmssl = _available("gmssl-fast")
    verifier = gmssl.verifier(GENERATOR)

    class Raising:
        def verify(self, message: bytes, signature: bytes) -> bool:
            raise gmssl_fast.GmsslError("unreadable")

    verifier._key = Raising()  # type: ignore[attr-defined]
    with pytest.raises(SignatureInvalidError):
        verifier.verify(b"m", b"\1" * 64)
