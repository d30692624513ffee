"""``cardcore keys list`` tells which keys sign."""

import json

import pytest
from typer.testing import CliRunner

from adapters.cli.main import app
from adapters.infrastructure import Addresses

KINDS = {("codes", "ed25519"), ("codes", "p256"), ("packages", "ed25519"), ("lists", "ed25519")}


def test_the_keys_of_an_installation_are_listed(
    city_addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    url = ["--database-url", city_addresses.database_url]
    shown = json.loads(CliRunner().invoke(app, ["keys", "list", "--json", *url]).stdout)
    assert {(one["use"], one["suite"]) for one in shown["keys"]} == KINDS
    assert {one["state"] for one in shown["keys"]} == {"signing"}
    assert shown["access_epochs"] == [1]
    table = CliRunner().invoke(app, ["keys", "list", *url])
    assert table.exit_code == 0
    assert "签发中 signing" in table.stdout
