"""Networks of an environment variable; settings read them before anything else is there."""

import ipaddress
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(text: str) -> tuple[Network, ...]:
    """네트워크 목록: `10.0.0.0/8, 192.0.2.7` as networks. Raises RuntimeError for a part that is none."""
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise RuntimeError(f"OMS_TRUSTED_PROXIES: {error}") from None


def address(text: str) -> Address | None:
    """주소; None for what is none. An IPv4 address that a socket of IPv6 shows is that IPv4 address."""
    try:
        found = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
