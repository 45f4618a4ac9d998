"""Which servers may be connected to: a decision on plain values, for each address before it is dialled.

Protection against *server-side request forgery*: a program that fetches URLs from others must not be tricked into
fetching from its own machine, its neighbours, or the metadata service of its cloud. The address decides, not the name:
a name may resolve to a public address now and to 127.0.0.1 a moment later.

An IPv6 address may embed an IPv4 address, which is then judged too: IPv4-mapped (RFC 4291, 2.5.5.2), IPv4-compatible
(2.5.5.1), translated (RFC 2765), NAT64 (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380: server and client) and ISATAP
(RFC 5214).
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, NamedTuple, Self, cast

from ..message.origin import canonical_host

__all__ = ("AddressPolicy", "Denial")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The first match names the rule. From the IANA registries of special-purpose addresses; metadata services first.
_SPECIAL_IPV4: Final = tuple(
    (IPv4Network(network), rule)
    for network, rule in (
        ("169.254.169.254/32", "a cloud's metadata service"),
        ("169.254.170.2/32", "a cloud's metadata service (ECS)"),
        ("169.254.170.23/32", "a cloud's metadata service (EKS)"),
        ("100.100.100.200/32", "a cloud's metadata service (Alibaba)"),
        ("192.0.0.192/32", "a cloud's metadata service (Oracle)"),
        ("168.63.129.16/32", "a cloud's metadata service (Azure)"),
        ("0.0.0.0/8", "this host (RFC 1122, section 3.2.1.3)"),
        ("10.0.0.0/8", "private (RFC 1918)"),
        ("100.64.0.0/10", "shared by a carrier's NAT (RFC 6598)"),
        ("127.0.0.0/8", "loopback (RFC 1122, section 3.2.1.3)"),
        ("169.254.0.0/16", "link-local (RFC 3927)"),
        ("172.16.0.0/12", "private (RFC 1918)"),
        ("192.0.0.0/24", "for protocols (RFC 6890)"),
        ("192.0.2.0/24", "for documentation (RFC 5737)"),
        ("192.31.196.0/24", "for AS112 (RFC 7535)"),
        ("192.52.193.0/24", "for AMT (RFC 7450)"),
        ("192.88.99.0/24", "a 6to4 relay (RFC 7526)"),
        ("192.168.0.0/16", "private (RFC 1918)"),
        ("192.175.48.0/24", "for AS112 (RFC 7534)"),
        ("198.18.0.0/15", "for benchmarks (RFC 2544)"),
        ("198.51.100.0/24", "for documentation (RFC 5737)"),
        ("203.0.113.0/24", "for documentation (RFC 5737)"),
        ("224.0.0.0/4", "multicast (RFC 5771)"),
        ("240.0.0.0/4", "reserved (RFC 1112, section 4)"),
    )
)
_SPECIAL_IPV6: Final = tuple(
    (IPv6Network(network), rule)
    for network, rule in (
        ("fd00:ec2::254/128", "a cloud's metadata service (EC2)"),
        ("fd00:ec2::23/128", "a cloud's metadata service (EKS)"),
        ("fd20:ce::254/128", "a cloud's metadata service (Google)"),
        ("::/128", "unspecified (RFC 4291, section 2.5.2)"),
        ("::1/128", "loopback (RFC 4291, section 2.5.3)"),
        ("::/96", "IPv4-compatible (RFC 4291, section 2.5.5.1)"),
        ("::ffff:0:0:0/96", "IPv4-translated (RFC 2765)"),
        ("64:ff9b:1::/48", "for NAT64 of a local network (RFC 8215)"),
        ("100::/64", "discarded (RFC 6666)"),
        ("100:0:0:1::/64", "a dummy prefix (RFC 9780)"),
        ("2001:db8::/32", "for documentation (RFC 3849)"),
        ("2620:4f:8000::/48", "for AS112 (RFC 7534)"),
        ("3fff::/20", "for documentation (RFC 9637)"),
        ("5f00::/16", "for segment routing (RFC 9602)"),
        ("fc00::/7", "unique local (RFC 4193)"),
        ("fe80::/10", "link-local (RFC 4291, section 2.5.6)"),
        ("fec0::/10", "site-local (RFC 3879)"),
        ("ff00::/8", "multicast (RFC 4291, section 2.7)"),
    )
)
_IPV6_PROTOCOLS: Final = IPv6Network("2001::/23")
_IPV6_GLOBAL: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_TEREDO: Final = IPv6Network("2001::/32")
_SIX_TO_FOUR: Final = IPv6Network("2002::/16")
_COMPATIBLE: Final = IPv6Network("::/96")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_TRANSLATED: Final = IPv6Network("::ffff:0:0:0/96")
_ISATAP: Final = (
    0x5EFE  # the upper half of the interface identifier, without its universal/local bit
)
_LOOPBACK_NAME: Final = "localhost"  # and names below it (RFC 6761, section 6.3)
# A connection for http also carries ws.
_SCHEMES: Final = {"http": "http", "ws": "http", "https": "https", "wss": "https"}


class Denial(NamedTuple):
    """What is denied, and the rule that denies it; together they are a sentence."""

    subject: str
    rule: str
    address: str | None = None

    def __str__(self) -> str:
        return f"{self.subject} {self.rule}"


@dataclass(frozen=True, slots=True, init=False, repr=False)
class AddressPolicy:
    """Which servers a connector may connect to; as ``TCPConnector(address_policy=...)``.

    Every address is judged before it is dialled: the addresses of a name, those written in a URL, those of each
        redirect, and a proxy's own. Denied addresses of a name are left out; if none remains, the request fails with
        ``AddressNotAllowedError``.

    Args:
        public: Allow only addresses of the public internet: no private, loopback, link-local, multicast, reserved or
            otherwise special address, nor one that embeds such an address.
        networks: Allow these too; without *public*, only these. None: *public* alone decides.
        denied_networks: Deny these, whatever the other rules are.
        hosts: Allow only these hosts: ``"example.com"``, ``"*.example.com"`` (names below it, not itself), or an
            address. None for any.
        trusted_hosts: Do not judge the addresses of these hosts, written in the same way. This trusts everybody who
            controls their DNS.
        ports: Allow only these; None for any.
        schemes: Allow only these, ``"http"`` or ``"https"``; ``ws`` counts as ``http`` and ``wss`` as ``https``. None
            for both.

    Raises:
        ValueError: An argument is invalid.
    """

    public: bool
    networks: tuple[Network, ...] | None
    denied_networks: tuple[Network, ...]
    hosts: tuple[str, ...] | None
    trusted_hosts: tuple[str, ...]
    ports: frozenset[int] | None
    schemes: frozenset[str] | None

    def __init__(
        self,
        *,
        public: bool = False,
        networks: Iterable[str] | None = None,
        denied_networks: Iterable[str] = (),
        hosts: Iterable[str] | None = None,
        trusted_hosts: Iterable[str] = (),
        ports: Iterable[int] | None = None,
        schemes: Iterable[str] | None = None,
    ) -> None:
        values = (
            public,
            None if networks is None else _networks("networks", networks),
            _networks("denied_networks", denied_networks),
            None if hosts is None else _hosts("hosts", hosts),
            _hosts("trusted_hosts", trusted_hosts),
            None if ports is None else _ports(ports),
            None if schemes is None else _schemes(schemes),
        )
        for field, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, field.name, value)  # frozen for everything else

    @classmethod
    def public_only(
        cls,
        *,
        networks: Iterable[str] | None = None,
        denied_networks: Iterable[str] = (),
        hosts: Iterable[str] | None = None,
        trusted_hosts: Iterable[str] = (),
        ports: Iterable[int] | None = None,
        schemes: Iterable[str] | None = None,
    ) -> Self:
        """Return the policy for programs that fetch URLs from others: ``AddressPolicy(public=True, ...)``."""
        return cls(
            public=True,
            networks=networks,
            denied_networks=denied_networks,
            hosts=hosts,
            trusted_hosts=trusted_hosts,
            ports=ports,
            schemes=schemes,
        )

    def judge_target(self, scheme: str, host: str, port: int) -> Denial | None:
        """Return why a server must not be contacted, before its name is looked up; None if it may be.

        A host that is an address, or always the loopback, is judged as such. If a proxy looks the name up, this is the
        only possible check.
        """
        if self.schemes is not None and _SCHEMES[scheme] not in self.schemes:
            return Denial(f"the scheme {scheme}", f"is not in schemes={sorted(self.schemes)}")
        if self.ports is not None and port not in self.ports:
            return Denial(f"the port {port}", f"is not in ports={sorted(self.ports)}")
        if self.hosts is not None and not _is_among(host, self.hosts):
            return Denial(f"the host {host}", f"is not in hosts={sorted(self.hosts)}")
        if host == _LOOPBACK_NAME or host.endswith(f".{_LOOPBACK_NAME}"):
            on_ipv4 = self.judge_address(host, "127.0.0.1")
            return on_ipv4 and self.judge_address(host, "::1") and on_ipv4
        return self.judge_address(host, host) if _parsed(host) is not None else None

    def judge_address(self, host: str, address: str) -> Denial | None:
        """Return why *address*, one of those of *host*, must not be connected to; None if it may be."""
        if self.trusted_hosts and _is_among(host, self.trusted_hosts):
            return None
        found = _parsed(address)
        if found is None:
            return Denial(
                f"{address!r}", "is not an IP address, and is not looked up again", address
            )
        subject = f"the address {address}"
        stands_for = _embedded(found)
        for one in (found, *stands_for):
            for network in self.denied_networks:
                if one in network:
                    return Denial(subject, f"is in denied_networks: {network}", address)
        if self.networks is not None and any(found in network for network in self.networks):
            return None
        if self.public:
            for one in stands_for:
                rule = _special(one)
                if rule is not None:
                    return Denial(subject, f"stands for {one}, which is {rule}", address)
            rule = _special(found)
            return None if rule is None else Denial(subject, f"is {rule}", address)
        if self.networks is not None:
            return Denial(
                subject, f"is not in networks={[str(each) for each in self.networks]}", address
            )
        return None

    def __repr__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        shown = ", ".join(
            f"{name}={_plain(value)!r}"
            for name, value in values.items()
            if value not in (None, (), False)
        )
        return f"AddressPolicy({shown})"


def _plain(value: object) -> object:
    """Return a field's value in the form of the constructor's argument."""
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return sorted(value) if isinstance(value, frozenset) else value


def _parsed(text: str) -> Address | None:
    """Return *text* as an address, an IPv4-mapped one as the IPv4 address; None for a name."""
    try:
        # Without the IPv6 zone: it names an interface and does not change the kind of address.
        address = ip_address(text.partition("%")[0] if ":" in text else text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _embedded(address: Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses that an IPv6 address embeds."""
    if isinstance(address, IPv4Address):
        return ()
    number = int(address)
    low = IPv4Address(number & 0xFFFFFFFF)
    if address in _COMPATIBLE:
        return () if number <= 1 else (low,)
    if address in _NAT64 or address in _TRANSLATED:
        return (low,)
    if address in _SIX_TO_FOUR:
        return (IPv4Address(number >> 80 & 0xFFFFFFFF),)
    if address in _TEREDO:
        return IPv4Address(number >> 64 & 0xFFFFFFFF), IPv4Address(~number & 0xFFFFFFFF)
    if number >> 32 & 0xFDFFFFFF == _ISATAP:
        return (low,)
    return ()


def _special(address: Address) -> str | None:
    """Return what is special about *address*; None if it belongs to the public internet."""
    if isinstance(address, IPv4Address):
        return next((rule for network, rule in _SPECIAL_IPV4 if address in network), None)
    for network, rule in _SPECIAL_IPV6:
        if address in network:
            return rule
    if address in _IPV6_PROTOCOLS and address not in _TEREDO:
        return "for protocols (RFC 2928)"
    if address not in _IPV6_GLOBAL and address not in _NAT64:
        return "not global unicast (RFC 4291, section 2.4)"
    return None


def _networks(argument: str, texts: Iterable[str]) -> tuple[Network, ...]:
    if isinstance(texts, str):
        raise ValueError(f"{argument} must be an iterable of networks, found the str {texts!r}")
    networks: list[Network] = []
    for text in texts:
        try:
            network = ip_network(str(text))  # a number would be one address
            if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
                raise ValueError("IPv4-mapped addresses are judged as IPv4; write the IPv4 network")
            networks.append(network)
        except ValueError as error:
            raise ValueError(
                f"{argument}: {_short(text)} is not a network such as '10.0.0.0/8': {str(error)[:300]}"
            ) from error
    return tuple(networks)


def _short(value: object) -> str:
    """Return the ``repr`` of a caller's value, or its beginning."""
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:297]}..."


def _hosts(argument: str, texts: Iterable[str]) -> tuple[str, ...]:
    if isinstance(texts, str):
        raise ValueError(f"{argument} must be an iterable of hosts, found the str {texts!r}")
    return tuple(_host(argument, text) for text in texts)


def _host(argument: str, text: str) -> str:
    """Return *text* in the form of URLs: lower case, A-labels, no trailing dot."""
    if not isinstance(cast(object, text), str):
        raise ValueError(f"{argument}: a host is a str, found {type(text).__name__}")
    name = text.removeprefix("*.")
    try:
        if "*" in name:
            raise ValueError("'*' is only allowed as the first label")
        host = canonical_host(name)
    except ValueError as error:
        raise ValueError(
            f"{argument}: {_short(text)} is not a host such as 'example.com' or '*.example.com': {error}"
        ) from error
    return host if name == text else f"*.{host}"


def _is_among(host: str, patterns: tuple[str, ...]) -> bool:
    host = host.rstrip(".").lower()
    return any(
        host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
        for pattern in patterns
    )


def _ports(numbers: Iterable[int]) -> frozenset[int]:
    ports = frozenset(numbers)
    for port in ports:
        if not (type(port) is int and 0 < port < 65536):
            raise ValueError(
                f"ports: {_short(port)} is not a valid port; give numbers from 1 to 65535"
            )
    return ports


def _schemes(names: Iterable[str]) -> frozenset[str]:
    if isinstance(names, str):
        raise ValueError(f"schemes must be an iterable of schemes, found the str {names!r}")
    schemes = frozenset(names)
    for scheme in schemes:
        if scheme not in _SCHEMES:
            raise ValueError(f"schemes: {scheme!r} is not supported; give 'http' or 'https'")
    return frozenset(_SCHEMES[scheme] for scheme in schemes)
