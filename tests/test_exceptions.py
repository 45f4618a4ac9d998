"""The exception tree: aiohttp's own classes, ours below them, and as it is drawn."""

import asyncio
import pickle
import re
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp import client_exceptions
from yarl import URL

import aioclient
from aioclient import exceptions
from aioclient.exceptions import public, shown, shown_bad

OURS = [
    value
    for value in vars(exceptions).values()
    if isinstance(value, type)
    and issubclass(value, Exception)
    and value.__module__ == exceptions.__name__
    and not value.__name__.startswith("_")
]


def drawn() -> dict[str, tuple[list[str], bool]]:
    """Return the tree of the docstring: the bases of each name, and whether it is marked as ours."""
    tree: dict[str, tuple[list[str], bool]] = {}
    above: list[str] = []
    for line in (exceptions.__doc__ or "").splitlines():
        found = re.match(r"^    ([│├└─ ]*)(\w+)( \*)?(?: \(\+ ([\w.]+)\))?( \*)?", line)
        if found is None:
            continue
        indent, name, star, other, late_star = found.groups()
        depth = len(indent) // 4
        above[depth:] = [name]
        bases = above[depth - 1 : depth] if depth else []
        tree[name] = ([*bases, *([other] if other else [])], bool(star or late_star))
    return tree


def named(name: str) -> type:
    """Return the class of a name in the tree."""
    for place in (exceptions, __builtins__):
        found = place.get(name) if isinstance(place, dict) else getattr(place, name, None)
        if found is not None:
            return found  # type: ignore[no-any-return]
    module, _, attribute = name.rpartition(".")
    return getattr({"asyncio": asyncio, "ssl": ssl}[module], attribute)  # type: ignore[no-any-return]


@pytest.mark.rows("S003-110")
def test_the_drawn_tree_is_true() -> None:
    """Each class stands below the class that it is drawn under, with its other bases, and ours are marked."""
    tree = drawn()
    assert len(tree) > 40
    for name, (bases, ours) in tree.items():
        for base in bases:
            assert issubclass(named(name), named(base)), f"{name} under {base}"
        assert ours == (named(name) in OURS), name


@pytest.mark.rows("S003-110")
def test_the_drawn_tree_is_whole() -> None:
    """Every public exception is drawn, and none is drawn elsewhere than under its nearest base."""
    tree = drawn()
    assert set(tree) == set(exceptions.__all__)
    for name, (bases, _) in tree.items():
        for other in tree:
            if other != name and bases and issubclass(named(name), named(other)):
                assert any(issubclass(named(base), named(other)) for base in bases), (
                    f"{name} is a {other}, which is not drawn"
                )


@pytest.mark.rows("S003-113")
@pytest.mark.parametrize("name", exceptions.__all__)
def test_each_is_importable(name: str) -> None:
    """Each exception can be imported from aioclient; aiohttp's are the same objects."""
    assert getattr(aioclient, name) is getattr(exceptions, name)
    if getattr(exceptions, name) not in OURS:
        assert getattr(aioclient, name) is getattr(client_exceptions, name)


@pytest.mark.rows("S003-113")
def test_none_is_forgotten() -> None:
    """Every client exception that aiohttp exports is exported here too."""
    for name in client_exceptions.__all__:
        assert name in exceptions.__all__, name


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_ours_are_client_errors(kind: type[Exception]) -> None:
    """`except aiohttp.ClientError` catches every exception of ours."""
    assert issubclass(kind, aiohttp.ClientError)


@pytest.mark.parametrize(
    "kind",
    [
        exceptions.TotalTimeoutError,
        exceptions.PoolTimeoutError,
        exceptions.ConnectTimeoutError,
        exceptions.ReadTimeoutError,
    ],
)
def test_timeouts(kind: Any) -> None:
    """A timeout is an asyncio.TimeoutError, and says method, URL, phase and limit."""
    error = kind("GET", URL("http://u:geheim@a.test/?token=geheim"), 5.0, "nothing came")
    assert isinstance(error, asyncio.TimeoutError)
    assert isinstance(error, aiohttp.ServerTimeoutError)
    assert re.fullmatch(
        r"GET http://a\.test/\?token=\*\*\*: nothing came within \w+=5\.0 s", str(error)
    )
    assert "geheim" not in repr(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


class TestShown:
    @pytest.mark.parametrize(
        ("url", "text"),
        [
            ("http://a.test/x?y=z#f", "http://a.test/x?y=z#f"),
            ("http://u:p@a.test:8080/", "http://a.test:8080/"),
            (
                "http://a.test/?access_token=x&API_KEY=y&a=b",
                "http://a.test/?access_token=***&API_KEY=***&a=b",
            ),
            ("http://a.test/?code=1&code=2", "http://a.test/?code=***"),
            ("http://a.test/" + "x" * 400, "http://a.test/" + "x" * 283 + "..."),
        ],
    )
    def test_a_url(self, url: str, text: str) -> None:
        """A URL is shown without credentials and at most 300 characters of it."""
        assert shown(URL(url)) == text

    def test_public(self) -> None:
        """A URL without secrets is the same object."""
        url = URL("http://a.test/?a=b")
        assert public(url) is url

    @pytest.mark.parametrize(
        ("given", "text"),
        [
            ("http://u:p@a b/", "'***@a b/'"),
            ("http://a b/?token=x", "'http://a b/?***'"),
            ("a\x1b\n", r"'a\x1b\n'"),
            (None, "'None'"),
            (b"u:p@x", '"***@x\'"'),
            ("x" * 400, repr("x" * 297 + "...")),
        ],
    )
    def test_what_is_no_url(self, given: object, text: str) -> None:
        """What cannot be parsed is shown escaped, without what may be a password or a query."""
        assert shown_bad(given) == text
