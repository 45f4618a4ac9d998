"""NO_PROXY: the hosts that are reached without a proxy.

====================  ============================================================================
``a.test``            the host, and all below it; so does ``.a.test``
``*.a.test``          all below it
``a.test:8080``       the same, on this port only; a port may follow addresses too
``192.0.2.1``         the address, in any spelling; ``::1``, ``[::1]`` and ``[::1]:8080`` are IPv6
``192.0.2.0/24``      a network; ``127/8`` is ``127.0.0.0/8``
``localhost``         the loopback interface: ``localhost``, all below it, ``127.0.0.0/8``, ``::1``
``*``                 every host
====================  ============================================================================

Commas or spaces separate the entries. Hosts and entries are compared in a canonical form: lower case, A-label, no
trailing dot, no zone of an IPv6 address, an IPv4-mapped address as the IPv4 one. Names are never looked up, so an entry
with an address never matches a name, except ``localhost``, which is always the loopback interface (RFC 6761, section
6.3). Any other entry matches nothing.
"""

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from ...message.origin import canonical_host
from ...message.urls import MAX_URL, port_of

_SEPARATOR = re.compile(r"[,\s]+")
_LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
_LOCALHOST = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
_MAPPED = IPv6Network("::ffff:0:0/96")
_ZONE = re.compile(r"%[^/]*")
_SHORT_NETWORK = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3}){0,2})/([0-9]{1,2})")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Bypass:
    """The hosts that a ``NO_PROXY`` names.

    Raises:
        ValueError: It has more than 64 Ki characters. Ignoring some would send requests to a proxy that must not see
            them.
    """

    __slots__ = ("_below", "_everything", "_hosts", "_networks")

    def __init__(self, text: str = "") -> None:
        if len(text) > MAX_URL:
            raise ValueError(
                f"no_proxy has {len(text)} characters, more than the {MAX_URL} allowed"
            )
        self._everything = False
        # By name: the ports of its entries, None for any.
        self._hosts: dict[str, set[int | None]] = {}
        self._below: dict[str, set[int | None]] = {}
        self._networks: list[tuple[Network, int | None]] = []
        for entry in _SEPARATOR.split(text):
            if entry == "*":
                self._everything = True
            elif entry:
                self._add(entry)

    def _add(self, entry: str) -> None:
        host, port = _split_port(entry)
        network = _network(host)
        if network is not None:
            self._networks.append((network, port))
            return
        only_below = host.startswith("*.")
        name = canonical_name(host.removeprefix("*").removeprefix("."))
        if name is None:
            return
        self._below.setdefault(name, set()).add(port)
        if not only_below:
            self._hosts.setdefault(name, set()).add(port)
            if name == "localhost":
                self._networks += [(loopback, port) for loopback in _LOOPBACK]

    def covers(self, host: str, port: int) -> bool:
        """Tell whether *host*, in the form of ``Origin.host``, is reached without a proxy at *port*."""
        if self._everything:
            return True
        host = host.partition("%")[0]
        addresses = _addresses(host)
        for network, only_port in self._networks if addresses else ():
            if only_port in (None, port) and any(address in network for address in addresses):
                return True
        if addresses and host != "localhost" and not host.endswith(".localhost"):
            return False
        if _names(self._hosts.get(host), port):
            return True
        dot = host.find(".")
        while dot >= 0:
            if _names(self._below.get(host[dot + 1 :]), port):
                return True
            dot = host.find(".", dot + 1)
        return False

    def __bool__(self) -> bool:
        return bool(self._everything or self._hosts or self._below or self._networks)


def canonical_name(host: str) -> str | None:
    """Return a host name in the form of ``Origin.host``, or None if it is not a valid host name."""
    try:
        name = canonical_host(host.rstrip("."))
    except ValueError:
        return None
    return None if "*" in name or "%" in name else name


def _names(ports: set[int | None] | None, port: int) -> bool:
    return ports is not None and (None in ports or port in ports)


def _addresses(host: str) -> tuple[Address, ...]:
    """Return the address that *host* is; for ``localhost`` and names below it, both of its addresses."""
    if host == "localhost" or host.endswith(".localhost"):
        return _LOCALHOST
    try:
        return (_unmapped(ip_address(host)),)
    except ValueError:
        return ()


def _unmapped(address: Address) -> Address:
    if address.version == 6 and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _network(text: str) -> Network | None:
    """Return the network, or the address as a network, of an entry; None if it is neither."""
    if (short := _SHORT_NETWORK.fullmatch(text)) is not None:
        missing = 3 - short[1].count(".")
        text = f"{short[1]}{'.0' * missing}/{short[2]}"
    try:
        network = ip_network(_ZONE.sub("", text).rstrip("."), strict=False)
    except ValueError:
        return None
    if network.version == 6 and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        return ip_network(f"{mapped}/{network.prefixlen - 96}")
    return network


def _split_port(entry: str) -> tuple[str, int | None]:
    """Return the host of an entry without brackets, and its port."""
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        colon, digits = rest[:1], rest[1:]
    elif entry.count(":") == 1:
        host, colon, digits = entry.partition(":")
    else:
        return entry, None
    if not colon:
        return host, None
    port = port_of(digits) if colon == ":" else None
    # With an invalid port it is not a host either.
    return (host, port) if port else ("", None)
