"""Which addresses a fetch may connect to: public ones, and the administrator's exceptions.

Pure but for `resolve_checked`, which asks the resolver once; its answer is what is connected to.
"""

import ipaddress
import socket
from dataclasses import dataclass

from slipway_runtime.errors import BuildError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")
_AZURE = "168.63.129.16/32"  # a public number that is the host of every Azure machine
# Special, and global to (some versions of) ipaddress: protocol assignments, relays, old site-local
# addresses, documentation (https://www.iana.org/assignments/iana-ipv6-special-registry).
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "3fff::/20", "5f00::/16", _AZURE)
)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class AllowList:
    """HOST:PORT pairs that may be private, and may be spoken to without TLS."""

    pairs: frozenset[tuple[str, int]]

    def has(self, host: str, port: int) -> bool:
        """Whether the administrator named exactly this host and port."""
        return (host.lower(), port) in self.pairs


def parse_allow_list(text: str) -> AllowList:
    """Read `SLIPWAY_FETCH_ALLOW`: `HOST:PORT[,HOST:PORT…]`, IPv6 in brackets.

    Raises:
        ValueError: an entry is not HOST:PORT; it is named.
    """
    pairs = set()
    for entry in filter(None, (part.strip() for part in text.split(","))):
        host, _, port = entry.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f'Cannot read SLIPWAY_FETCH_ALLOW: "{entry}" is not HOST:PORT.')
        pairs.add((host.strip("[]").lower(), int(port)))
    return AllowList(frozenset(pairs))


def is_public(address: str) -> bool:
    """Whether an address is on the public internet, also when it is wrapped in another.

    >>> is_public("93.184.216.34"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    parsed: _Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        wrapped = parsed.ipv4_mapped or parsed.sixtofour
        if wrapped is None and parsed.teredo is not None:
            return False
        if wrapped is None and (parsed in _NAT64 or parsed in _NAT64_LOCAL):
            wrapped = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if wrapped is not None:
            parsed = wrapped
    if any(parsed in network for network in _SPECIAL):
        return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def resolve_checked(host: str, port: int, allowed: AllowList) -> tuple[str, ...]:
    """Resolve once and check every answer; connect to nothing else afterwards.

    Raises:
        BuildError: `URIForbidden` when any answer is not public and the pair is not allowed;
            `SourceUnavailable` when the name does not resolve.
    """
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BuildError(
            "SourceUnavailable",
            f'Cannot find host "{host}": {error}; check the address.',
            retryable=True,
        ) from error
    addresses = tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))
    if allowed.has(host, port):
        return addresses
    for address in addresses:
        if not is_public(address):
            raise BuildError(
                "URIForbidden",
                f'Host "{host}" is at {address}, which is not a public address; an administrator '
                f"can allow it with SLIPWAY_FETCH_ALLOW={host}:{port}.",
            )
    return addresses
