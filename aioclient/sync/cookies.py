"""The cookies of a blocking session: a mapping from names to values, backed by its jar."""

from collections.abc import Iterator, Mapping, MutableMapping
from email.utils import formatdate
from http.cookiejar import Cookie as StandardCookie
from http.cookiejar import CookieJar as StandardCookieJar
from http.cookies import Morsel
from typing import Any

from aiohttp.abc import AbstractCookieJar
from aiohttp.typedefs import LooseCookies
from yarl import URL

from ..cookies import CookieJar


class CookieConflictError(KeyError):
    """Several cookies have this name: pass ``domain=`` or ``path=`` to choose one."""


class Cookies(MutableMapping[str, str]):
    """Cookies by name. ``get()`` and ``set()`` take a domain and a path, in which cookies of one name differ.

    ``jar`` stores the cookies; it can save them to files and load them.
    """

    def __init__(self, jar: AbstractCookieJar) -> None:
        self.jar = jar

    def _found(self, name: str, domain: str | None, path: str | None) -> "list[Morsel[str]]":
        return [
            morsel
            for morsel in self.jar
            if morsel.key == name
            and (domain is None or morsel["domain"] == domain.lower().lstrip("."))
            and (path is None or (morsel["path"] or "/") == path)
        ]

    def get(  # type: ignore[override]
        self,
        name: str,
        default: str | None = None,
        domain: str | None = None,
        path: str | None = None,
    ) -> str | None:
        """Return the value of the cookie that matches; *default* if none does.

        Raises:
            CookieConflictError: several cookies match.
        """
        found = self._found(name, domain, path)
        if len(found) > 1:
            raise CookieConflictError(
                f"{len(found)} cookies are called {name!r}; say domain= or path="
            )
        return found[0].value if found else default

    def set(
        self, name: str, value: str | None, *, domain: str | None = None, path: str = "/"
    ) -> None:
        """Store a cookie for *domain* and its subdomains; the value None removes it.

        Without *domain* the cookie is sent to every host.
        """
        if value is None:
            for held in self._found(name, domain, None):
                self._remove(held)
            return
        if domain is None and path == "/":
            self.jar.update_cookies({name: value})
            return
        morsel: Morsel[str] = Morsel()
        morsel.set(name, value, value)
        morsel["path"] = path
        if domain is not None:
            morsel["domain"] = domain.lower().lstrip(".")
        self.jar.update_cookies({name: morsel})

    def _remove(self, wanted: "Morsel[str]") -> None:
        self.jar.clear(
            lambda morsel: (
                morsel.key == wanted.key
                and morsel["domain"] == wanted["domain"]
                and morsel["path"] == wanted["path"]
            )
        )

    def get_dict(self, domain: str | None = None, path: str | None = None) -> dict[str, str]:
        """Return the names and values of all cookies, or only those of *domain* or *path*."""
        return {
            morsel.key: morsel.value
            for morsel in self.jar
            if (domain is None or morsel["domain"] == domain)
            and (path is None or morsel["path"] == path)
        }

    def list_domains(self) -> list[str]:
        """Return the domains that have cookies, each once."""
        return list(dict.fromkeys(morsel["domain"] for morsel in self.jar if morsel["domain"]))

    def list_paths(self) -> list[str]:
        """Return the paths that have cookies, each once."""
        return list(dict.fromkeys(morsel["path"] for morsel in self.jar))

    def update(self, other: Any = (), /, **more: str) -> None:
        """Store several cookies: a mapping, pairs, a jar, one of ``http.cookiejar``, or those of another session."""
        if isinstance(other, Cookies):
            other = other.jar
        if isinstance(other, StandardCookieJar):
            for cookie in other:
                self._take(cookie)
            return
        if isinstance(other, AbstractCookieJar):
            for morsel in other:
                host = morsel["domain"]
                self.jar.update_cookies(
                    {morsel.key: morsel},
                    URL.build(scheme="https", host=host) if host else URL(),
                )
            return
        pairs: LooseCookies = other.items() if isinstance(other, Mapping) else other
        for name, value in [*pairs, *more.items()]:
            if isinstance(value, Morsel):
                self.jar.update_cookies({name: value})
            else:
                self.set(name, value)

    def _take(self, cookie: StandardCookie) -> None:
        """Store a *cookie* of the standard library."""
        morsel: Morsel[str] = Morsel()
        morsel.set(cookie.name, cookie.value or "", cookie.value or "")
        morsel["path"] = cookie.path
        morsel["secure"] = cookie.secure
        if cookie.expires is not None:
            morsel["expires"] = formatdate(cookie.expires, usegmt=True)
        host = cookie.domain.lstrip(".")
        if cookie.domain_specified:
            morsel["domain"] = host
        elif host.count(".") == 1:  # a name without a dot is "name.local" there
            host = host.removesuffix(".local")
        self.jar.update_cookies(
            {cookie.name: morsel}, URL.build(scheme="https", host=host) if host else URL()
        )

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: str) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        found = self._found(name, None, None)
        if not found:
            raise KeyError(name)
        for morsel in found:
            self._remove(morsel)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(morsel.key for morsel in self.jar))

    def __len__(self) -> int:
        return len(self.jar)

    def clear(self) -> None:
        """Remove all cookies."""
        self.jar.clear()

    def __repr__(self) -> str:
        return f"<Cookies: {len(self)} of {', '.join(self.list_domains()) or 'no domain'}>"


def cookies_for(cookies: Any, url: URL) -> Any:
    """Return the *cookies* that a call sends: of a jar, which has those of other hosts, the ones for *url*."""
    if isinstance(cookies, StandardCookieJar):
        standard, cookies = cookies, Cookies(CookieJar(unsafe=True))
        cookies.update(standard)
    if isinstance(cookies, Cookies):
        cookies = cookies.jar
    if isinstance(cookies, AbstractCookieJar):
        return {name: morsel.value for name, morsel in cookies.filter_cookies(url).items()}
    return cookies
