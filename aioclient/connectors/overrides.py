"""Given addresses that need no lookup, as curl's ``--resolve``: ``{"a.example:443": "127.0.0.1"}``.

The key is a host and a port; ``*`` as the host stands for all hosts without an entry of their own. The value is an IP
address or several, in the order in which they are tried. Host, SNI and certificate are those of the URL.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from ..message.origin import canonical_host
from ..message.urls import port_of

__all__ = ("Overrides", "ResolveLike")

ResolveLike = Mapping[str, str | Iterable[str]]


class Overrides:
    """Given addresses by host and port.

    Raises:
        ValueError: A key is not host and port, or a value is not an IP address.
    """

    __slots__ = ("_addresses",)

    def __init__(self, resolve: ResolveLike) -> None:
        self._addresses = {_place(key): _addresses(key, value) for key, value in resolve.items()}

    def find(self, host: str, port: int) -> tuple[str, ...] | None:
        """Return the given addresses of *host*, which may end with a dot; None if there are none."""
        known = self._addresses
        return known.get((host.rstrip("."), port)) or known.get(("*", port))

    def __bool__(self) -> bool:
        return bool(self._addresses)


def _place(key: str) -> tuple[str, int]:
    host, colon, digits = key.rpartition(":")
    port = port_of(digits)
    if not (host and colon and port):
        raise ValueError(f"resolve: {key!r} is not a host and port such as 'a.example:443'")
    if host == "*":
        return host, port
    try:
        name = canonical_host(host.removeprefix("[").removesuffix("]"))
    except ValueError as error:
        raise ValueError(f"resolve: {key!r} does not begin with a host: {error}") from error
    # An IPv6 zone in the form for dialling.
    return name.replace("%25", "%", 1), port


def _addresses(key: str, value: str | Iterable[str]) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else tuple(value)
    addresses = tuple(text.removeprefix("[").removesuffix("]") for text in texts)
    for address in addresses:
        try:
            ip_address(address)
        except ValueError as error:
            raise ValueError(
                f"resolve: {address!r} for {key!r} is not an IP address; a name would have to be looked up"
            ) from error
    if not addresses:
        raise ValueError(f"resolve: no address for {key!r}")
    return addresses
