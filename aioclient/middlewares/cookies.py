"""The step for cookies: each attempt gets the jar's cookies, and the jar gets those of the response (RFC 6265)."""

from collections.abc import Callable, Mapping
from http.cookies import Morsel, SimpleCookie

from aiohttp.abc import AbstractCookieJar
from multidict import CIMultiDict
from yarl import URL

from ..chain import Handler
from ..message.headers import COOKIE, SET_COOKIE
from ..message.request import Request
from ..response.client_response import ClientResponse

_quote = SimpleCookie().value_encode

HeaderFor = Callable[[URL, Mapping[str, str] | None], str | None]


class Cookies:
    """The step that connects a session's jar to its requests.

    With an explicit ``Cookie`` field the jar is not used. Cookies given with a request are sent with it and not stored.

    Attributes:
        header_for: returns the ``Cookie`` field for a URL and the cookies of a call, of any kind of jar.
    """

    __slots__ = ("_size", "header_for", "jar")

    def __init__(self, jar: AbstractCookieJar) -> None:
        self.jar: AbstractCookieJar = jar
        self.header_for: HeaderFor = self._header_of_morsels
        # filter_cookies() of a user's own jar may return other cookies than the jar counts.
        self._size: Callable[[], int] = lambda: 1
        if _makes_fields(type(jar)):
            self.header_for = jar.header_for  # type: ignore[attr-defined]
            self._size = jar.__len__

    async def exchange(self, request: Request, handler: Handler) -> ClientResponse:
        """Send *request* with the jar's cookies, and store the cookies of the response."""
        if request.cookies is None and not self._size():
            request.cookie = None
        else:
            request.cookie = self._field(request)
        response = await handler(request)
        if SET_COOKIE in response.headers:
            try:
                self.jar.update_cookies_from_headers(
                    response.headers.getall(SET_COOKIE), request.url
                )
            except BaseException:
                response.close()  # nothing else will get it
                raise
        return response

    def field_for(self, request: Request) -> str | None:
        """Return the ``Cookie`` field for *request* at this moment; None if there are no cookies."""
        return None if request.cookies is None and not self._size() else self._field(request)

    def _field(self, request: Request) -> str | None:
        if COOKIE in request.fields:
            return None
        return self.header_for(request.url, request.cookies)

    def _header_of_morsels(self, url: URL, cookies: Mapping[str, str] | None) -> str | None:
        values = dict(_coded(name, value) for name, value in self.jar.filter_cookies(url).items())
        if cookies is not None:
            values.update(cookies)
        return "; ".join([f"{name}={value}" for name, value in values.items()]) or None


def with_cookies(fields: "CIMultiDict[str]", cookies: Mapping[str, str]) -> "CIMultiDict[str]":
    """Return a copy of *fields* with *cookies* added to its ``Cookie`` field, replacing those of the same name."""
    sent = "; ".join(fields.getall(COOKIE)).split(";")
    pairs = [f"{name}={value}" for name, value in cookies.items()]
    pairs += [pair.strip() for pair in sent if pair.partition("=")[0].strip() not in cookies]
    result = fields.copy()
    result[COOKIE] = "; ".join(filter(None, pairs))
    return result


def _makes_fields(jar: type[AbstractCookieJar]) -> bool:
    """Tell whether a jar makes the text of a ``Cookie`` field itself, and caches it, as ours does.

    aiohttp's interface has only morsels. A subclass of ours that overrides ``filter_cookies`` must be respected.
    """
    for kind in jar.__mro__:
        if "header_for" in vars(kind):
            return True
        if "filter_cookies" in vars(kind):
            return False
    return False


def _coded(name: str, value: "Morsel[str] | str") -> tuple[str, str]:
    """Return the name (that of the morsel itself) and the value as they are sent."""
    # It is text if the jar filled its cookie by update(), which makes no morsels.
    if isinstance(value, Morsel):
        return value.key or name, value.coded_value
    return name, _quote(value)[1]
