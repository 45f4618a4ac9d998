"""DNS over HTTPS (RFC 8484): lookups that nobody on the network path can read or change."""

import asyncio
import math
import socket
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from .connectors.overrides import Overrides, ResolveLike
from .connectors.resolver import NUMERIC, TimedResult
from .connectors.tcp import TCPConnector
from .cookies import DummyCookieJar
from .exceptions import CALL_ERRORS, MissingExtraError, shown
from .message.origin import SSLOption, origin_of
from .session import ClientSession
from .session.urls import parsed

if TYPE_CHECKING:
    import dns.message

__all__ = ("DoHResolver",)

MEDIA_TYPE: Final = "application/dns-message"
MAX_SIZE: Final = 65535  # bytes of a DNS message (RFC 8484, section 6)
PADDING: Final = 128  # a multiple of this hides the length of the name (RFC 8467, section 4.1)
_FAMILIES: Final = {"AAAA": socket.AF_INET6, "A": socket.AF_INET}


class DoHResolver(AbstractResolver):
    """Resolve names with a server that speaks DNS over HTTPS; as ``TCPConnector(resolver=...)``.

    Use it as ``async with DoHResolver(...) as resolver``, around the session that uses it, or ``close()`` it. It has a
    session of its own, created at the first lookup. Results have a ``ttl``.

    Args:
        url: the server's ``https`` URL, such as ``"https://192.0.2.1/dns-query"``. Its host is an IP address, or a name
            whose addresses are in *resolve*: it is never looked up in plain DNS.
        resolve: as for ``TCPConnector``: ``{"dns.example:443": ["192.0.2.1", "2001:db8::1"]}``.
        timeout: seconds for one query.
        ssl: as for ``TCPConnector``.

    Raises:
        ValueError: the URL is not ``https``, or its host's address is not given.
        MissingExtraError: dnspython is not installed.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        resolve: ResolveLike | None = None,
        timeout: float = 5.0,
        ssl: SSLOption = True,
    ) -> None:
        if find_spec("dns") is None:
            raise MissingExtraError(
                'DoHResolver needs the package dnspython: pip install "aioclient[doh]"'
            )
        self._url = parsed(url)
        origin = origin_of(self._url)
        if origin.scheme != "https":
            raise ValueError(f"{shown(self._url)}: DNS over HTTPS needs an https URL")
        known = None if resolve is None else Overrides(resolve).find(origin.host, origin.port)
        if known is None and not origin.is_ip:
            raise ValueError(
                f"{shown(self._url)}: give the host's addresses, "
                f'as resolve={{"{origin.host}:{origin.port}": "192.0.2.1"}}, or an IP address in its place'
            )
        self._resolve = resolve
        self._timeout = timeout
        self._ssl = ssl
        self._session: ClientSession | None = None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of *host*, IPv6 first.

        Raises:
            OSError: there are none, or the server did not answer correctly.
        """
        kinds = [kind for kind, its in _FAMILIES.items() if family in (socket.AF_UNSPEC, its)]
        answers = await asyncio.gather(
            *(self._ask(host, kind) for kind in kinds), return_exceptions=True
        )
        found: list[ResolveResult] = []
        failure: OSError | None = None
        for kind, answer in zip(kinds, answers, strict=True):
            if isinstance(answer, OSError):
                failure = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                addresses, ttl = answer
                found += (_result(host, address, port, kind, ttl) for address in addresses)
        if not found:
            # One family without an address is normal; both are an error.
            raise failure or OSError(None, f"{host} has no address")
        return found

    async def close(self) -> None:
        """Close the session; running lookups fail."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _ask(self, host: str, kind: str) -> tuple[list[str], float]:
        """Return the addresses of one kind, and how many seconds they are valid."""
        question, wire = _question(host, kind)
        try:
            async with self._own_session().post(
                self._url,
                data=wire,
                headers={"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE},
                allow_redirects=False,
                max_body_size=MAX_SIZE,
                timeout=self._timeout,
            ) as response:
                if response.status != 200 or response.content_type != MEDIA_TYPE:
                    raise OSError(
                        None,
                        f"{shown(self._url)} answered the lookup of {host} with status {response.status} "
                        f"and {response.content_type}, not with {MEDIA_TYPE}",
                    )
                body = await response.read()
                age = response.headers.get("Age", "0")
        except CALL_ERRORS as error:
            raise OSError(None, f"lookup of {host}: {error}") from error
        addresses, ttl = _addresses(question, body)
        # The time in caches on the way counts (RFC 8484, section 5.1).
        return addresses, max(0.0, ttl - float(age)) if age.isascii() and age.isdigit() else ttl

    def _own_session(self) -> ClientSession:
        if self._session is None:
            connector = TCPConnector(resolve=self._resolve, ssl=self._ssl)
            self._session = ClientSession(connector=connector, cookie_jar=DummyCookieJar())
        return self._session


def _question(host: str, kind: str) -> "tuple[dns.message.QueryMessage, bytes]":
    import dns.exception
    import dns.message

    try:
        # The identifier is 0, so that equal queries are equal requests (RFC 8484, section 4.1).
        question = dns.message.make_query(host, kind, use_edns=0, pad=PADDING, id=0)
        return question, question.to_wire()
    except dns.exception.DNSException as error:
        raise OSError(None, f"{host!r} is not a name for DNS: {error}") from error


def _addresses(question: "dns.message.QueryMessage", body: bytes) -> tuple[list[str], float]:
    """Return the addresses in *body*, the answer to *question*, and how many seconds they are valid.

    Raises:
        OSError: it does not answer the question, or says that there is no address.
    """
    import dns.exception
    import dns.message
    import dns.rcode

    name = question.question[0].name.to_text(omit_final_dot=True)
    try:
        answer = dns.message.from_wire(body)
        if not isinstance(answer, dns.message.QueryMessage) or not question.is_response(answer):
            raise OSError(None, f"lookup of {name}: the answer is to another question")
        if answer.rcode() != dns.rcode.NOERROR:
            raise OSError(None, f"lookup of {name}: {dns.rcode.to_text(answer.rcode())}")
        found = answer.resolve_chaining()
    except dns.exception.DNSException as error:
        raise OSError(None, f"lookup of {name}: the answer is damaged: {error!r}") from error
    if found.answer is None:
        return [], math.inf
    return [record.address for record in found.answer], float(found.minimum_ttl)


def _result(host: str, address: str, port: int, kind: str, ttl: float) -> ResolveResult:
    return TimedResult(
        hostname=host,
        host=address,
        port=port,
        family=_FAMILIES[kind],
        proto=0,
        flags=NUMERIC,
        ttl=ttl,
    )
