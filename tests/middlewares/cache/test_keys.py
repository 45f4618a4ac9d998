"""Keys (RFC 9111, section 2), what makes stored responses invalid (section 4.4), and No-Vary-Search."""

import pytest
from yarl import URL

from aioclient.message.origin import origin_of
from aioclient.middlewares.cache.invalidation import invalidated
from aioclient.middlewares.cache.keys import ignored_by, space_of, uri_of

from .values import fields_of


@pytest.mark.rows("CACHE-07")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://a.example", "http://a.example/"),
        ("HTTP://A.Example:80/#x", "http://a.example/"),
        ("http://user:secret@a.example/", "http://a.example/"),
        ("https://a.example:443/p?q=1#f", "https://a.example/p?q=1"),
        ("https://a.example:80/", "https://a.example:80/"),
        ("http://[::1]:8080/a%2Fb", "http://[::1]:8080/a%2Fb"),
    ],
)
def test_uris(text: str, expected: str) -> None:
    """One spelling for one resource: no login, no fragment, no default port."""
    assert uri_of(URL(text, encoded="%" in text)) == expected


@pytest.mark.rows("CACHE-07")
def test_other_uris() -> None:
    """What may lead to another response is in the key: scheme, port, query, and a Host field of another name."""
    texts = [
        "http://a.example/",
        "https://a.example/",
        "http://a.example:81/",
        "http://a.example/?",
        "http://a.example/?a",
    ]
    assert len({uri_of(URL(text)) for text in texts}) == 4  # an empty query is none to yarl
    assert uri_of(URL("http://a.example/"), "b.example") != uri_of(URL("http://a.example/"))


@pytest.mark.rows("CACHE-03", "CACHE-09")
def test_spaces() -> None:
    """No two lists of parts read the same."""
    lists = [
        ("a", "bc"),
        ("ab", "c"),
        ("abc", ""),
        ("", "abc"),
        ("1:a", ""),
        ("__proto__", ""),
        ("", ""),
    ]
    assert len({space_of(*parts) for parts in lists}) == len(lists)
    assert space_of("", "") == ""


@pytest.mark.rows("CACHE-06")
class TestInvalidation:
    URL = URL("http://a.example/items/1?q")

    def of(self, method: str, status: int, *lines: str) -> list[str]:
        found = invalidated(method, self.URL, origin_of(self.URL), status, fields_of(*lines))
        return [str(url) for url in found]

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"])
    def test_unsafe(self, method: str) -> None:
        """The URI of an unsafe request that did not fail."""
        assert self.of(method, 204) == ["http://a.example/items/1?q"]
        assert self.of(method, 303) == ["http://a.example/items/1?q"]
        assert self.of(method, 404) == []
        assert self.of(method, 500) == []

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
    def test_safe(self, method: str) -> None:
        """A safe method changes nothing."""
        assert self.of(method, 200, "Location: /") == []

    def test_locations(self) -> None:
        """Location and Content-Location too, if they are of the same origin."""
        assert self.of("POST", 201, "Location: 2", "Content-Location: /all") == [
            "http://a.example/items/1?q",
            "http://a.example/items/2",
            "http://a.example/all",
        ]
        for other in (
            "http://b.example/",
            "https://a.example/",
            "http://a.example:8080/",
            "http://[",
            "//",
        ):
            assert self.of("POST", 201, f"Location: {other}") == ["http://a.example/items/1?q"]


class TestNoVarySearch:
    URI = "http://a.example/p?b=2&a=1&c=3"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("key-order", "a=1&b=2&c=3"),
            ("params", ""),
            ('params=("a" "x")', "b=2&c=3"),
            ('params, except=("a")', "a=1"),
            ('key-order, params=("c")', "a=1&b=2"),
            ("key-order=?1, params=?0", "a=1&b=2&c=3"),
        ],
    )
    def test_applied(self, text: str, expected: str) -> None:
        """What does not count is left out."""
        ignored = ignored_by(fields_of(f"No-Vary-Search: {text}"))
        assert ignored is not None
        assert ignored.applied(self.URI) == f"http://a.example/p?{expected} *"
        assert ignored.applied("http://a.example/p") == "http://a.example/p"

    @pytest.mark.parametrize(
        "text", ["", "params=?0", "key-order=?0", "params=1", "KEY-ORDER", "params=("]
    )
    def test_says_nothing(self, text: str) -> None:
        """What is empty, or cannot be read, changes nothing."""
        assert ignored_by(fields_of(f"No-Vary-Search: {text}")) is None

    def test_encoded_names(self) -> None:
        """Names of parameters are compared decoded."""
        ignored = ignored_by(fields_of('No-Vary-Search: params=("a b")'))
        assert ignored is not None
        assert ignored.applied("http://a.example/?a+b=1&a%20b=2&c=3") == "http://a.example/?c=3 *"
