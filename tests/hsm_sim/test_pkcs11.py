"""The PKCS#11 token beyond the contract: what the token itself refuses, and what it keeps."""

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, ObjectClass

from adapters.pkcs11 import PKCS11HSM
from hsm_sim.interface import (
    Algorithm,
    HSMUnavailableError,
    KeyUsage,
    KeyUsageRefusedError,
    WrappedDataInvalidError,
)
from tests.hsm_sim.conftest import TOKEN_PIN


def test_a_wrong_pin_or_token_or_library_is_unavailable(softhsm_library: str) -> None:
    for library, token, pin in (
        (softhsm_library, "cardcore", "0000"),
        (softhsm_library, "another", TOKEN_PIN),
        ("/no/such/library.so", "cardcore", TOKEN_PIN),
    ):
        with pytest.raises(HSMUnavailableError) as caught:
            PKCS11HSM(library, token, pin)
        assert pin not in str(caught.value)


async def test_keys_stay_on_the_token(token_hsm: PKCS11HSM, softhsm_library: str) -> None:
    info = await token_hsm.generate("issuer@1", Algorithm.P256, KeyUsage.SIGN)
    signature = await token_hsm.sign("issuer@1", b"m")
    token_hsm.close()
    async with PKCS11HSM(softhsm_library, "cardcore", TOKEN_PIN) as again:
        assert await again.describe("issuer@1") == info
        await again.verify("issuer@1", b"m", signature)


async def test_secrets_cannot_be_read_from_the_token(token_hsm: PKCS11HSM) -> None:
    await token_hsm.generate("pair", Algorithm.P256, KeyUsage.SIGN)
    await token_hsm.generate("aes", Algorithm.AES256, KeyUsage.WRAP)
    await token_hsm.generate("root", Algorithm.AES256, KeyUsage.DERIVE)
    await token_hsm.derive(
        "root", b"c", child="child", algorithm=Algorithm.HMAC_SHA256, usage=KeyUsage.MAC
    )
    secret_classes = (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY)
    found = 0
    for object_class in secret_classes:
        for key in token_hsm.session.get_objects({Attribute.CLASS: object_class}):
            assert key[Attribute.SENSITIVE]
            assert not key[Attribute.EXTRACTABLE]
            with pytest.raises(pkcs11.AttributeSensitive):
                key[Attribute.VALUE]
            found += 1
    assert found == 4


async def test_keys_of_other_kinds_are_left_alone(token_hsm: PKCS11HSM) -> None:
    token_hsm.session.generate_key(KeyType.AES, 128, label="short", store=True)
    token_hsm.session.generate_key(KeyType.DES3, label="old", store=True)
    assert await token_hsm.list_keys() == []
    info = await token_hsm.generate("short", Algorithm.AES256, KeyUsage.MAC)
    assert await token_hsm.describe("short") == info


async def test_a_key_pair_cannot_be_derived(token_hsm: PKCS11HSM) -> None:
    await token_hsm.generate("root", Algorithm.AES256, KeyUsage.DERIVE)
    with pytest.raises(KeyUsageRefusedError):
        await token_hsm.derive(
            "root", b"", child="c", algorithm=Algorithm.P256, usage=KeyUsage.SIGN
        )


async def test_a_token_that_fails_is_unavailable_not_a_refusal(token_hsm: PKCS11HSM) -> None:
    await token_hsm.generate("aes", Algorithm.AES256, KeyUsage.WRAP)
    wrapped = await token_hsm.wrap("aes", b"secret", context=b"")
    for key in list(token_hsm.session.get_objects()):
        key.destroy()  # behind its back, as a failing device might
    with pytest.raises(HSMUnavailableError) as caught:
        await token_hsm.unwrap("aes", wrapped, context=b"")
    assert caught.value.retryable
    assert not isinstance(caught.value, WrappedDataInvalidError)
