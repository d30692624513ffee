"""``cardcore operator``: what it prints lets the operator in."""

import asyncio
import re
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from adapters.cli.main import app
from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import open_city
from cardcore.platform.errors import SignInRefusedError
from cardcore.platform.request import SignIn
from cardcore.platform.totp import one_time_password, step_of
from tests.adapters.platform.conftest import secret_of

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def installation(city_addresses: Addresses, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command finds the test city."""
    monkeypatch.setenv("CARDCORE_DATABASE_URL", city_addresses.database_url)
    monkeypatch.setenv("CARDCORE_HSM_SOCKET", str(city_addresses.hsm_socket))


def printed(*command: str) -> str:
    result = RUNNER.invoke(app, ["operator", *command])
    assert result.exit_code == 0, result.output
    return result.output


def sign_in(addresses: Addresses, settings: Settings, output: str) -> list[str]:
    password = re.search(r"密码: (\S+)", output)
    uri = re.search(r"(otpauth://\S+)", output)
    assert password is not None
    assert uri is not None
    totp = one_time_password(secret_of(uri[1]), step_of(datetime.now(UTC)))

    async def run() -> list[str]:
        async with open_city(addresses, settings) as city:
            request = SignIn(operator_id="zhang.wei", password=password[1], totp=totp)
            view, _ = await city.core.platform.operators.sign_in(request)
            return view.roles

    return asyncio.run(run())


def test_an_added_operator_can_sign_in_and_a_reset_replaces_both_factors(
    city_addresses: Addresses, city_settings: Settings
) -> None:
    first = printed("add", "zhang.wei", "--name", "张伟", "--role", "clerk", "--role", "auditor")
    assert sign_in(city_addresses, city_settings, first) == ["auditor", "clerk"]
    assert "张伟" in printed("list")
    second = printed("reset", "zhang.wei")
    with pytest.raises(SignInRefusedError):
        sign_in(city_addresses, city_settings, first)
    assert sign_in(city_addresses, city_settings, second) == ["auditor", "clerk"]


def test_a_disabled_operator_is_shown_as_such_until_enabled() -> None:
    printed("add", "zhang.wei", "--name", "张伟", "--role", "clerk")
    printed("disable", "zhang.wei")
    assert "disabled" in printed("list")
    printed("enable", "zhang.wei")
    assert "disabled" not in printed("list")


def test_a_refusal_is_told_and_ends_with_one() -> None:
    result = RUNNER.invoke(app, ["operator", "disable", "nobody"])
    assert result.exit_code == 1
    assert "operator_unknown" in result.output
