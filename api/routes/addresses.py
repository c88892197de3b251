"""Where a request comes from: what proxies say is believed of those that are configured, and of nobody else."""

import ipaddress
from functools import lru_cache
from typing import Final, TypeAlias

from starlette.datastructures import Headers
from starlette.types import Scope

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

HOME_BITS: Final = 64  # of an IPv6 address: one household or machine has all that share them
NO_ADDRESS: Final = "local"  # a peer without an address, such as one that came through a socket file
MOST_HOPS: Final = 20


@lru_cache(maxsize=8)
def read_networks(text: str) -> tuple[Network, ...]:
    """Return the addresses and networks of a space-separated list; raises ValueError for anything else."""
    return tuple(ipaddress.ip_network(part) for part in text.split())


def caller_address(scope: Scope, trusted_proxies: str) -> str:
    """Return the address to which a request is counted: the nearest one that is no trusted proxy."""
    client = scope.get("client")
    peer = None if not client else _parse(client[0])
    if peer is None:
        return NO_ADDRESS
    networks = read_networks(trusted_proxies)
    if networks and _is_trusted(peer, networks):
        hops = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")
        for hop in reversed(hops[-MOST_HOPS:]):
            forwarded = _parse(hop.strip())
            if forwarded is None:  # nobody trusted wrote this
                break
            peer = forwarded
            if not _is_trusted(peer, networks):
                break
    if isinstance(peer, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((peer, HOME_BITS), strict=False))
    return str(peer)


def is_https(scope: Scope, trusted_proxies: str) -> bool:
    """True when the caller's browser speaks TLS, with us or with a trusted proxy."""
    if scope.get("scheme") == "https":
        return True
    client, networks = scope.get("client"), read_networks(trusted_proxies)
    if not client or not networks:
        return False
    peer = _parse(client[0])
    if peer is None or not _is_trusted(peer, networks):
        return False
    return Headers(scope=scope).get("x-forwarded-proto", "").rpartition(",")[2].strip().lower() == "https"


def _is_trusted(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped
