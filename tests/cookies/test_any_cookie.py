"""Whatever servers set: nothing raises, and no cookie goes where its server may not send it."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from publicsuffixlist import PublicSuffixList
from yarl import URL

from aioclient.cookies import CookieJar

from .test_interop import aiohttp_jar

SUFFIXES = PublicSuffixList()
LABELS = ["a", "bad", "example", "site", "com", "co", "uk", "github", "io", "xn--bcher-kva"]
ADDRESSES = ["127.0.0.1", "10.0.0.1", "127.0.0.1.", "[::1]", "[fe80::1]", "0.0.1"]
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
hosts = st.one_of(
    st.lists(st.sampled_from(LABELS), min_size=1, max_size=4).map(".".join),
    st.sampled_from([*ADDRESSES, "localhost", "site.example.", "bücher.example", "個人.香港"]),
    st.from_regex(r"\A[a-z0-9_-]{1,5}(\.[a-z0-9_-]{1,4}){0,3}\Z"),
)
paths = st.one_of(
    st.lists(st.sampled_from(["", "a", "ab", "b", "%2F", "ü"]), max_size=4).map(
        lambda parts: "/" + "/".join(parts)
    ),
    ANY_TEXT.map(lambda text: "/" + text.replace("?", "").replace("#", "")),
)


@dataclass
class Received:
    """One response's field, and what it may mean at most."""

    host: str
    is_secure: bool
    value: str
    attributes: list[tuple[str, str]]

    def field(self, name: str) -> str:
        return "; ".join(
            [f"{name}={self.value}", *[f"{key}={value}" for key, value in self.attributes]]
        )

    def may_go_to(self, host: str, path: str, is_secure: bool) -> bool:
        """Whether a browser could send it there: the rules again, in the plainest words."""
        said = {key.strip().lower(): value.strip(" \t") for key, value in self.attributes}
        domain = said.get("domain", "").removeprefix(".").lower()
        if host != self.host:
            if (
                is_address(host)
                or is_address(self.host)
                or not domain
                or SUFFIXES.is_public(domain)
            ):
                return False
            if not all(f".{each}".endswith(f".{domain}") for each in (host, self.host)):
                return False
        if "secure" in said and not is_secure:
            return False
        wanted = said.get("path", "")
        if wanted.startswith("/") and "\t" not in wanted:
            return path == wanted or path.startswith(wanted.rstrip("/") + "/")
        return True


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.rpartition(".")[2].isdigit()
    return True


attributes = st.one_of(
    st.tuples(
        st.sampled_from(["Domain", "domain", "DOMAIN "]), hosts | hosts.map(lambda h: "." + h)
    ),
    st.tuples(st.sampled_from(["Path", "path"]), paths),
    st.tuples(st.just("Secure"), st.just("")),
    st.tuples(
        st.sampled_from(["Max-Age", "Expires", "SameSite", "HttpOnly", "Domain", "Path", "x"]),
        ANY_TEXT,
    ),
)


@st.composite
def responses(draw: st.DrawFn) -> tuple[URL, str, list[tuple[str, str]]]:
    url = draw(urls)
    name = draw(st.sampled_from(["a", "a", "b", "__Secure-b", ""]))
    found = draw(st.lists(attributes, max_size=4))
    if draw(st.integers(0, 3)):
        # A part of the host's own name, which most domains of chance are not.
        parts = host_of(url).split(".")
        found.append(("Domain", ".".join(parts[draw(st.integers(0, len(parts) - 1)) :])))
    clean = [
        (key, value.replace(";", "").replace("\r", "").replace("\n", "")) for key, value in found
    ]
    return url, name, clean


@st.composite
def some_url(draw: st.DrawFn) -> URL:
    scheme = draw(st.sampled_from(["http", "https", "ws", "wss"]))
    host = draw(hosts)
    try:
        return URL(f"{scheme}://{host}{draw(paths)}")
    except ValueError:  # no host that yarl takes, such as "-.-"
        return URL(f"{scheme}://site.example/")


urls = some_url()


def host_of(url: URL) -> str:
    return (url.raw_host or "").removesuffix(".")


@pytest.mark.rows("CK-02", "CK-03", "CK-04", "CK-09")
@settings(max_examples=250, deadline=None)
@given(st.lists(responses(), min_size=1, max_size=8), st.lists(urls, min_size=1, max_size=4))
def test_no_cookie_goes_astray(
    received: Sequence[tuple[URL, str, list[tuple[str, str]]]], asked: Sequence[URL]
) -> None:
    """A cookie goes to the host that set it, or within the domain that it named and was allowed to name."""
    jar = CookieJar(unsafe=True)
    known: dict[str, Received] = {}
    for number, (url, name, found) in enumerate(received):
        value = f"v{number}"
        known[value] = one = Received(host_of(url), url.scheme in ("https", "wss"), value, found)
        jar.update_cookies_from_headers([one.field(name)], url)
    siblings = [
        URL(f"https://{host}{url.raw_path}", encoded=True)
        for url, *_ in received
        for host in ("10.0.0.1", "x." + host_of(url).partition(".")[2])
    ]
    for url in [*asked, *siblings, *[url for url, *_ in received]]:
        header = jar.header_for(url)
        jar.filter_cookies(url).output()
        for pair in (header or "").split("; "):
            if pair:
                one = known[pair.rpartition("=")[2]]
                is_secure = url.scheme in ("https", "wss")
                assert one.may_go_to(host_of(url), url.raw_path, is_secure), (one, url)


@settings(deadline=None)
@given(
    st.lists(ANY_TEXT | st.binary(max_size=20).map(lambda b: b.decode("utf-8", "surrogateescape"))),
    urls,
)
def test_any_field_of_any_host(fields: list[str], url: URL) -> None:
    """No field of any host raises, in a jar of either kind, and what is stored can be saved, listed and sent."""
    for jar in (CookieJar(), CookieJar(unsafe=True, quote_cookie=False)):
        jar.update_cookies_from_headers(fields, url)
        header = jar.header_for(url)
        assert header is None or all(" " <= character != "\x7f" for character in header)
        jar.filter_cookies(url).output()
        assert len(list(jar)) == len(jar)
        jar.clear_domain(host_of(url))
        assert len(jar) == 0


SITE_HOSTS = ["site.example", "a.site.example", "b.a.site.example", "bsite.example", "a.test"]
SITE_PATHS = ["/", "/x", "/x/", "/x/y", "/xy", "/x/y/z"]
DATES = ["Wed, 15 Nov 2000 22:13:20 GMT", "Wednesday, 15-Nov-90 22:13:20 GMT", "never"]
plain_fields = st.tuples(
    st.sampled_from(SITE_HOSTS),
    st.sampled_from(SITE_PATHS),
    st.sampled_from(["", *SITE_HOSTS, ".site.example"]),
    st.sampled_from(["", *SITE_PATHS, "no-slash"]),
    st.sampled_from(["", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=600", "Max-Age=0"]),
    st.sampled_from(["", "Max-Age=-1", *[f"Expires={date}" for date in DATES]]),
    st.integers(0, 9),
)


@pytest.mark.rows("S003-103", "S003-105")
@settings(deadline=None)
@given(st.lists(plain_fields, min_size=1, max_size=12))
def test_same_as_aiohttp(received: list[tuple[str, str, str, str, str, str, int]]) -> None:
    """Where aiohttp's jar follows the RFC, ours and that one store and send the same.

    The name of each cookie says its domain and path: of several of one name aiohttp's jar chooses another one.
    """
    ours, theirs = CookieJar(), aiohttp_jar()
    for host, request_path, domain, path, first, second, value in received:
        attributes = [first, second]
        attributes += [f"Domain={domain}"] if domain else []
        attributes += [f"Path={path}"] if path else []
        name = f"{domain}-{path}" if domain and path else f"{host}-{request_path}-{domain}-{path}"
        field = "; ".join([f"{name.replace('/', '_')}={value}", *filter(None, attributes)])
        for jar in (ours, theirs):
            jar.update_cookies_from_headers([field], URL(f"https://{host}{request_path}"))
    for scheme in ("http", "https"):
        for host in SITE_HOSTS:
            for path in SITE_PATHS:
                url = URL(f"{scheme}://{host}{path}")
                assert ours.filter_cookies(url) == theirs.filter_cookies(url)
    assert {(m.key, m.value, m["domain"], m["path"]) for m in ours} == {
        (m.key, m.value, m["domain"], m["path"]) for m in theirs
    }
    assert ours.host_only_cookies == theirs.host_only_cookies
