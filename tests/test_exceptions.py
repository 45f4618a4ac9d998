"""The exception tree: aiohttp's own classes, ours below them, and as it is drawn."""

import asyncio
import copy
import json
import pickle
import re
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import client_exceptions
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

import aioclient
from aioclient import exceptions
from aioclient.exceptions import public, shown, shown_bad
from aioclient.message.origin import ConnectionKey
from aioclient.message.proxy import Proxy
from aioclient.message.request import RequestInfo
from aioclient.response.stream import LineTooLongError

OURS = [
    value
    for value in vars(exceptions).values()
    if isinstance(value, type)
    and issubclass(value, Exception)
    and value.__module__ == exceptions.__name__
    and not value.__name__.startswith("_")
]

NAMES = [name for name in exceptions.__all__ if name != "CALL_ERRORS"]  # of the classes


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
    return getattr({"asyncio": asyncio, "json": json, "ssl": ssl}[module], attribute)  # type: ignore[no-any-return]


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
    assert set(tree) == set(NAMES)
    for name, (bases, _) in tree.items():
        for other in tree:
            if other != name and bases and issubclass(named(name), named(other)):
                assert any(issubclass(named(base), named(other)) for base in bases), (
                    f"{name} is a {other}, which is not drawn"
                )


@pytest.mark.rows("S003-113")
@pytest.mark.parametrize("name", NAMES)
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
    """`except aiohttp.ClientError` catches every exception of ours that comes from the network, but the total timeout.

    That is so with aiohttp's, too; nor is its error for a body that is not JSON.
    """
    of_the_program = (
        exceptions.InvalidJSONError,
        exceptions.UndecodableJSONError,
        exceptions.StreamConsumedError,
    )
    apart = (exceptions.TotalTimeoutError, *of_the_program)
    assert issubclass(kind, exceptions.CALL_ERRORS) == (kind not in of_the_program)
    assert issubclass(kind, aiohttp.ClientError) == (kind not in apart)


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
    assert isinstance(error, aiohttp.ServerTimeoutError) == (
        kind is not exceptions.TotalTimeoutError
    )
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
            ("http://a.test/#access_token=x&state=1", "http://a.test/#***"),
            ("http://a.test/?a=b#/cb?id_token=x", "http://a.test/?a=b#***"),
            ("http://a.test/#token", "http://a.test/#token"),
            ("http://a.test/#a=b&=x", "http://a.test/#a=b&=x"),
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
            ("http://a b/#token=x", "'http://a b/#***'"),
            ("http://a b/?token=x#y", "'http://a b/?***'"),
            ("http://a b/#y?token=x", "'http://a b/#***'"),
            ("a\x1b\n", r"'a\x1b\n'"),
            (None, "'None'"),
            (b"u:p@x", '"***@x\'"'),
            ("x" * 400, repr("x" * 297 + "...")),
        ],
    )
    def test_what_is_no_url(self, given: object, text: str) -> None:
        """What cannot be parsed is shown escaped, without what may be a password, a query or a fragment."""
        assert shown_bad(given) == text


INFO = RequestInfo(
    URL("http://a.test/"), "GET", CIMultiDictProxy(CIMultiDict(A="b")), URL("http://a.test/#f")
)
FIELDS = CIMultiDictProxy(CIMultiDict([("X", "1"), ("X", "2")]))
KEY: Any = ConnectionKey(
    "a.test", 443, True, ssl.create_default_context(), None, Proxy("http://u:geheim@p.test"), True
)


class Unpicklable:
    """Stands for the response of a redirect, which holds sockets and locks."""

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("it holds a socket")

    def __deepcopy__(self, memo: object) -> "Unpicklable":
        raise TypeError("it holds a socket")


def of_response(kind: Any, **more: Any) -> Any:
    error = kind(INFO, (Unpicklable(),), status=404, message="no", headers=FIELDS)
    vars(error).update(more)
    return error


def tls_error(kind: Any) -> Any:
    """Return what a failed handshake raises, which OpenSSL gives attributes."""
    error = kind(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    error.reason, error.verify_code = "WRONG_VERSION_NUMBER", 62
    return error


def reconnect_error() -> Exception:
    error = exceptions.WSReconnectError("ws://a.test", "refused", 3)
    error.__cause__ = exceptions.WSClosedError("ws://a.test", 1008, "go away")
    return error


def timeout(kind: Any) -> Any:
    return kind("GET", URL("http://a.test"), 5.0, "nothing came")


WSCLOSED = ("ws://a.test", 1001, "bye")
NOT_UTF_8 = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
REFUSED = ConnectionRefusedError(111, "Connect call failed")
# One error of each class, as it is raised: with TLS contexts, views of fields and responses in it.
SAMPLES: dict[str, Callable[[type], Exception]] = {
    "AddressNotAllowedError": lambda kind: kind(
        KEY, PermissionError(13, "private"), "10.0.0.1", "private"
    ),
    "ClientConnectionResetError": lambda kind: kind(104, "reset"),
    "ClientConnectorCertificateError": lambda kind: kind(
        KEY, tls_error(ssl.SSLCertVerificationError)
    ),
    "CertificateError": lambda kind: kind(KEY, tls_error(ssl.SSLCertVerificationError)),
    "ClientConnectorDNSError": lambda kind: kind(KEY, socket.gaierror(-2, "unknown")),
    "ClientConnectorError": lambda kind: kind(KEY, REFUSED),
    "ClientConnectorSSLError": lambda kind: kind(KEY, tls_error(ssl.SSLError)),
    "ClientOSError": lambda kind: kind(32, "pipe"),
    "ClientProxyConnectionError": lambda kind: kind(KEY, REFUSED),
    "ClientSSLError": lambda kind: kind(KEY, tls_error(ssl.SSLError)),
    **dict.fromkeys(
        ("CircuitOpenError", "NotSentError", "QueueFullError", "RateLimitedError"),
        lambda kind: kind("GET http://a/", "no room", 2.5, datetime(2030, 1, 1, tzinfo=UTC)),
    ),
    "ConnectError": lambda kind: kind(KEY, REFUSED),
    "HandshakeRefusedError": lambda kind: of_response(kind, body=b"no"),
    "InvalidJSONError": lambda kind: kind(
        "no", "x", 0, request_info=INFO, status=200, content_type="text/html", excerpt="x"
    ),
    "InvalidURL": lambda kind: kind("http://a b", "a space"),
    "InvalidUrlClientError": lambda kind: kind("http://a b", "a space"),
    "InvalidUrlRedirectClientError": lambda kind: kind("http://a b", "a space"),
    "NonHttpUrlClientError": lambda kind: kind("ftp://a", "ftp"),
    "NonHttpUrlRedirectClientError": lambda kind: kind("ftp://a", "ftp"),
    "LookupFailedError": lambda kind: kind(KEY, socket.gaierror(-2, "unknown")),
    "OAuth2Error": lambda kind: kind(URL("https://a.test/token"), 400, "invalid_grant", "words"),
    "ProxyConnectError": lambda kind: kind(KEY, REFUSED),
    "ProxyRefusedError": lambda kind: of_response(kind, proxy="http://p.test"),
    "ServerFingerprintMismatch": lambda kind: kind(b"1" * 32, b"2" * 32, "a.test", 443),
    "StatusError": lambda kind: of_response(kind, body=b"no", charset="latin1"),
    "TLSError": lambda kind: kind(KEY, tls_error(ssl.SSLError)),
    "UndecodableJSONError": lambda kind: kind(
        NOT_UTF_8, "utf-8", request_info=INFO, status=200, content_type="a/b", excerpt="x"
    ),
    "UnexpectedJSONError": lambda kind: kind(INFO, path="$.a", reason="no", found="int"),
    "UnixConnectError": lambda kind: kind("/run/x", KEY, FileNotFoundError(2, "none")),
    "WSClosedError": lambda kind: kind(*WSCLOSED),
    "WSReconnectError": lambda kind: reconnect_error(),
}
# aiohttp's own, of which only those below them are raised here.
FOREIGN = {
    "ClientHttpProxyError", "ClientResponseError", "ContentTypeError", "TooManyRedirects",
    "UnixClientConnectorError", "WSServerHandshakeError",
}  # fmt: skip


def sample(name: str) -> Any:
    """Return an error of the class *name* as it is raised."""
    kind = getattr(exceptions, name)
    if name in SAMPLES:
        error = SAMPLES[name](kind)
    elif issubclass(kind, aiohttp.ClientResponseError):
        error = of_response(kind)
    elif issubclass(kind, asyncio.TimeoutError) and kind in OURS:
        error = timeout(kind)
    else:
        error = kind("what went wrong")
    error.add_note("what to do")
    return error


def told(error: Any) -> dict[str, Any]:
    """Return what *error* says, without what stays behind."""
    state = {**vars(error)}
    for name in ("_history", "history"):
        state.pop(name, None)
    for name in ("_conn_key", "_ended_with"):
        state.pop(name, None)
    shown = {name: repr(value) for name, value in state.items() if name != "headers"}
    shown["text"] = str(error)
    shown["repr"] = repr(error) if "request_info" not in state else ""
    return shown


WAYS: dict[str, Callable[[Any], Any]] = {
    **{
        f"pickle-{number}": lambda error, number=number: pickle.loads(pickle.dumps(error, number))
        for number in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


class TestTravel:
    """Errors go from process to process (multiprocessing, Celery), and are copied to be raised again."""

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("name", sorted(set(NAMES) - FOREIGN))
    def test_each_class(self, name: str, way: str) -> None:
        """An error of any class arrives as one that says the same, without the responses that led to it."""
        error = sample(name)
        found = WAYS[way](error)
        assert type(found) is type(error)
        assert told(found) == told(error)
        assert found.__notes__ == ["what to do"]
        if isinstance(error, aiohttp.ClientResponseError):
            assert found.history == ()
            assert list(found.headers.items()) == [("X", "1"), ("X", "2")]
            assert list(found.request_info.headers.items()) == [("A", "b")]
        if isinstance(error, aiohttp.ClientConnectorError):
            assert (found.host, found.port) == (error.host, error.port)

    @pytest.mark.parametrize("name", ["ClientConnectorError", "AddressNotAllowedError"])
    def test_no_login_goes_along(self, name: str) -> None:
        """What a proxy is told, and how a server was trusted, stays behind."""
        error = sample(name)
        assert b"geheim" not in pickle.dumps(error)
        assert pickle.loads(pickle.dumps(error)).ssl == repr(KEY.ssl)

    def test_a_long_line(self) -> None:
        """The error for a line that is too long is one that aiohttp knows too, and arrives as well."""
        error = LineTooLongError(b"abc", 10)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
