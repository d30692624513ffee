"""When and where webhooks are sent (fault 30)."""

import ipaddress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.platform.errors import WebhookURLRefusedError
from cardcore.platform.webhook_schedule import (
    TRIES_MAX,
    WAITS,
    Outcome,
    may_reach,
    outcome_of,
    require_fit_url,
    wait_after,
)

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


def test_the_schedule_is_about_three_days_and_every_wait_is_used() -> None:
    waits = [wait_after(left) for left in range(TRIES_MAX - 1, 0, -1)]
    assert tuple(waits) == WAITS
    assert timedelta(days=2.5) < sum(waits, timedelta(0)) < timedelta(days=3.5)


@given(st.integers(100, 599))
def test_every_status_has_one_meaning(status: int) -> None:
    outcome = outcome_of(status)
    assert (outcome is Outcome.DELIVERED) == (200 <= status <= 299)
    assert (outcome is Outcome.REDIRECTED) == (300 <= status <= 399)
    assert (outcome is Outcome.GONE) == (status == 410)


@pytest.mark.parametrize(
    ("address", "reachable"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.251", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
        ("2001:0:0:0:0:0:0:1", False),
    ],
)
def test_row_30_only_what_the_internet_reaches_is_reached(address: str, reachable: bool) -> None:
    assert may_reach(ipaddress.ip_address(address), []) == reachable


def test_a_named_private_network_is_reached_and_no_other() -> None:
    assert may_reach(ipaddress.ip_address("127.0.0.1"), LOOPBACK)
    assert may_reach(ipaddress.ip_address("::ffff:127.0.0.1"), LOOPBACK)
    assert not may_reach(ipaddress.ip_address("10.0.0.1"), LOOPBACK)
    assert not may_reach(ipaddress.ip_address("::1"), LOOPBACK)


@pytest.mark.parametrize(
    "url", ["https://a.example/x?y=1", "https://8.8.8.8:8443/", "https://[2001:4860:4860::8888]/"]
)
def test_a_plain_https_url_is_fit(url: str) -> None:
    require_fit_url(url, [])


def test_plain_http_is_fit_only_where_private_networks_are_named() -> None:
    require_fit_url("http://127.0.0.1:9/x", LOOPBACK)
    with pytest.raises(WebhookURLRefusedError):
        require_fit_url("http://a.example/", [])


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/",
        "https:///x",
        "https://user:secret@a.example/",
        "https://a.example/#x",
        "https://a.example:0/",
        "https://a.example:99999/",
        "https://[::1",
        "https://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest",
        "https://a.example\\@b.example/",
        "https://a.example/ x",
        "https://ä.example/",
        "https://a.example/" + "x" * 500,
        "javascript:alert(1)",
        "",
    ],
)
def test_row_30_a_url_that_hides_where_it_leads_is_refused(url: str) -> None:
    with pytest.raises(WebhookURLRefusedError):
        require_fit_url(url, [])
