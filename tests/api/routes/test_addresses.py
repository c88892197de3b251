"""What proxies say is believed of those that are configured, and of nobody else."""

import pytest
from starlette.types import Scope

from api.routes.addresses import NO_ADDRESS, caller_address, is_https, read_networks
from api.settings import Settings

PROXIES = "10.0.0.0/8 fd00::/8"


def scope_of(peer: str | None, *forwarded: str, proto: str | None = None, scheme: str = "http") -> Scope:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    if proto is not None:
        headers.append((b"x-forwarded-proto", proto.encode()))
    return {"type": "http", "scheme": scheme, "client": None if peer is None else (peer, 1), "headers": headers}


def test_without_trusted_proxies_nothing_forwarded_counts() -> None:
    assert caller_address(scope_of("10.0.0.1", "203.0.113.9"), "") == "10.0.0.1"


def test_somebody_else_cannot_pass_for_another_address() -> None:
    assert caller_address(scope_of("198.51.100.7", "203.0.113.9"), PROXIES) == "198.51.100.7"


def test_a_trusted_proxy_names_its_caller() -> None:
    assert caller_address(scope_of("10.0.0.1", "203.0.113.9"), PROXIES) == "203.0.113.9"


@pytest.mark.parametrize(
    "forwarded", [("1.2.3.4, 203.0.113.9",), ("1.2.3.4", "203.0.113.9"), ("x, 203.0.113.9, 10.2.3.4",)]
)
def test_what_a_caller_wrote_before_the_proxy_did_does_not_count(forwarded: tuple[str, ...]) -> None:
    assert caller_address(scope_of("10.0.0.1", *forwarded), PROXIES) == "203.0.113.9"


@pytest.mark.parametrize("forwarded", ["", "unknown", "203.0.113.9:4711x", ",", "'", "9" * 5000])
def test_an_address_that_cannot_be_read_counts_for_the_proxy(forwarded: str) -> None:
    assert caller_address(scope_of("10.0.0.1", forwarded), PROXIES) == "10.0.0.1"


def test_a_household_has_one_ipv6_address() -> None:
    found = {caller_address(scope_of(f"2001:db8:1:2:{last}::1"), "") for last in ("1", "abcd")}
    assert found == {"2001:db8:1:2::/64"}
    assert caller_address(scope_of("2001:db8:1:3::1"), "") not in found


def test_an_ipv4_address_in_ipv6_clothes_is_the_same_caller() -> None:
    assert caller_address(scope_of("::ffff:203.0.113.9"), "") == "203.0.113.9"


@pytest.mark.parametrize("peer", [None, "testclient", "/run/socket"])
def test_a_peer_without_an_address_is_local(peer: str | None) -> None:
    assert caller_address(scope_of(peer, "203.0.113.9"), PROXIES) == NO_ADDRESS


def test_the_protocol_is_believed_of_trusted_proxies_alone() -> None:
    assert is_https(scope_of("10.0.0.1", proto="https"), PROXIES)
    assert not is_https(scope_of("198.51.100.7", proto="https"), PROXIES)
    assert not is_https(scope_of("10.0.0.1", proto="https, http"), PROXIES)
    assert is_https(scope_of("198.51.100.7", scheme="https"), "")


def test_networks_that_cannot_be_read_are_refused() -> None:
    with pytest.raises(ValueError, match="proxy"):
        read_networks("proxy.example.org")


@pytest.mark.parametrize(
    "wrong",
    [
        {"trusted_proxies": "proxy.example.org"},
        {"trusted_proxies": "10.0.0.1/8"},
        {"cors_origins": "papers.example.org"},
        {"cors_origins": "https://papers.example.org/"},
        {"cors_origins": "https://papers.example.org ftp://x"},
    ],
)
def test_addresses_and_origins_that_cannot_be_are_told_at_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="is no"):
        Settings(**wrong)  # type: ignore[arg-type] # pydantic checks them


def test_several_proxies_and_origins_are_understood() -> None:
    Settings(trusted_proxies="10.0.0.1 fd00::/8", cors_origins="https://a.example http://localhost:8080")
