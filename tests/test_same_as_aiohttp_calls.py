"""The same calls with aiohttp's session and with ours: what the server saw, and what came back.

Each difference is meant, and is named at its call with the reason; the page on moving from aiohttp tells them.
"""

import io
import re
import warnings
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import date
from http.cookies import SimpleCookie
from typing import Any, NamedTuple

import aiohttp
import pytest
from multidict import CIMultiDict, MultiDict
from yarl import URL

import aioclient
from aioclient.testing import RawConnection, RawServer, refused_port

from .loopback import answer


class Call(NamedTuple):
    """One call: its arguments are made anew for each session."""

    name: str
    make: Callable[[], dict[str, Any]]
    method: str = "GET"
    path: str = "/ok"
    session: Callable[[], dict[str, Any]] = dict


async def serve(conn: RawConnection) -> None:
    """Answer what the path asks for: a status, a redirect, a broken response."""
    while True:
        try:
            request = await conn.read_request()
        except ValueError:
            conn.send(answer(b"", status="400 Ambiguous"))
            return
        path = URL(request.target).path
        if match := re.fullmatch(r"/redirect/(\d+)", path):
            conn.send(answer(b"", "Location: /ok?moved=1", status=f"{match[1]} Moved"))
        elif match := re.fullmatch(r"/status/(\d+)", path):
            bare = request.method == "HEAD" or match[1] == "204"
            conn.send(answer(b"" if bare else b"why", status=f"{match[1]} Because"))
        elif path == "/loop":
            conn.send(answer(b"", "Location: /loop", status="302 Found"))
        elif path == "/to-ftp":
            conn.send(answer(b"", "Location: ftp://a.example/", status="302 Found"))
        elif path == "/to-nowhere":
            conn.send(answer(b"", "Location: http://", status="302 Found"))
        elif path == "/without-location":
            conn.send(answer(b"", status="302 Found"))
        elif path == "/cookie":
            conn.send(
                answer(b"", "Set-Cookie: seen=1; Path=/", "Location: /ok", status="302 Found")
            )
        elif path == "/drop":
            return
        elif path == "/short":
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            return
        elif path == "/not-http":
            conn.send(b"hello\r\n\r\n")
            return
        elif path == "/not-gzip":
            conn.send(answer(b"not gzip", "Content-Encoding: gzip"))
        elif path == "/html":
            conn.send(answer(b"<p>", "Content-Type: text/html"))
        elif request.method == "HEAD":
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        else:
            conn.send(answer(b'{"a": 1}', "Content-Type: application/json"))


async def pieces() -> AsyncIterator[bytes]:
    """Give a body in two pieces."""
    yield b"one"
    yield b"two"


def closed_file() -> io.BytesIO:
    file = io.BytesIO(b"file")
    file.close()
    return file


def at_an_offset() -> io.BytesIO:
    file = io.BytesIO(b"abcdef")
    file.seek(2)
    return file


def text_file() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO("ä".encode()), encoding="utf-8")


async def refuse(response: object) -> None:
    """Raise, whatever came."""
    raise LookupError


def with_data() -> dict[str, Any]:
    return {"data": b"body"}


def form_data() -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("file", b"content", filename="a.txt", content_type="text/plain")
    form.add_field("name", "väl")
    return form


def mixed() -> aiohttp.MultipartWriter:
    writer = aiohttp.MultipartWriter("mixed")
    writer.append("text")
    writer.append_json({"a": 1})
    return writer


VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

CALLS = [
    *(Call(f"{verb}", dict, verb) for verb in (*VERBS, "PROPFIND", "report")),
    *(Call(f"{verb} with data", with_data, verb) for verb in VERBS),
    # Bodies
    Call("data str", lambda: {"data": "väl"}, "POST"),
    Call("data bytes", lambda: {"data": b"\x00\xff"}, "POST"),
    Call("data bytearray", lambda: {"data": bytearray(b"ab")}, "POST"),
    Call("data memoryview", lambda: {"data": memoryview(b"ab")}, "POST"),
    Call("data empty bytes", lambda: {"data": b""}, "POST"),
    Call("data empty str", lambda: {"data": ""}, "POST"),
    Call("data empty dict", lambda: {"data": {}}, "POST"),
    Call("data empty list", lambda: {"data": []}, "POST"),
    Call("data dict", lambda: {"data": {"a": "1 2", "b": "ä&="}}, "POST"),
    Call("data dict of int", lambda: {"data": {"a": 1}}, "POST"),
    Call("data dict of None", lambda: {"data": {"a": None}}, "POST"),
    Call("data pairs", lambda: {"data": [("a", "1"), ("a", "2")]}, "POST"),
    Call("data multidict", lambda: {"data": MultiDict([("a", "1"), ("a", "2")])}, "POST"),
    Call("data dict with a file", lambda: {"data": {"f": io.BytesIO(b"file")}}, "POST"),
    Call("data dict of bytes", lambda: {"data": {"a": b"1"}}, "POST"),
    Call("data FormData", lambda: {"data": form_data()}, "POST"),
    Call("data MultipartWriter", lambda: {"data": mixed()}, "POST"),
    Call("data BytesIO", lambda: {"data": io.BytesIO(b"file")}, "POST"),
    Call("data StringIO", lambda: {"data": io.StringIO("text")}, "POST"),
    Call("data closed file", lambda: {"data": closed_file()}, "POST"),
    Call("data async generator", lambda: {"data": pieces()}, "POST"),
    Call("data generator", lambda: {"data": (piece for piece in (b"one", b"two"))}, "POST"),
    Call("data int", lambda: {"data": 5}, "POST"),
    Call("json dict", lambda: {"json": {"a": ["ä", None, 1.5]}}, "POST"),
    Call("json None", lambda: {"json": None}, "POST"),
    Call("json 0", lambda: {"json": 0}, "POST"),
    Call("json False", lambda: {"json": False}, "POST"),
    Call("json empty dict", lambda: {"json": {}}, "POST"),
    Call("json empty str", lambda: {"json": ""}, "POST"),
    Call("json NaN", lambda: {"json": float("nan")}, "POST"),
    Call("json set", lambda: {"json": {1}}, "POST"),
    Call("json and data", lambda: {"json": 1, "data": b"a"}, "POST"),
    Call("json and empty data", lambda: {"json": 1, "data": b""}, "POST"),
    Call(
        "json with a Content-Type", lambda: {"json": 1, "headers": {"Content-Type": "a/b"}}, "POST"
    ),
    Call("json on GET", lambda: {"json": 1}),
    Call("chunked bytes", lambda: {"data": b"body", "chunked": True}, "POST"),
    Call("chunked without a body", lambda: {"chunked": True}, "POST"),
    Call("compress", lambda: {"data": b"body" * 20, "compress": "deflate"}, "POST"),
    Call("compress True", lambda: {"data": b"body" * 20, "compress": True}, "POST"),
    Call("compress gzip", lambda: {"data": b"body" * 20, "compress": "gzip"}, "POST"),
    Call("compress nothing", lambda: {"compress": "gzip"}, "POST"),
    Call("compress an empty body", lambda: {"data": b"", "compress": "gzip"}, "POST"),
    Call("compress unknown", lambda: {"data": b"b", "compress": "lzma"}, "POST"),
    Call(
        "compress with a Content-Encoding",
        lambda: {"data": b"b", "compress": True, "headers": {"Content-Encoding": "gzip"}},
        "POST",
    ),
    Call("expect100 without a body", lambda: {"expect100": True}),
    Call(
        "a Content-Length that is right",
        lambda: {"data": b"body", "headers": {"Content-Length": "4"}},
        "POST",
    ),
    Call(
        "a Transfer-Encoding of one's own",
        lambda: {"data": b"body", "headers": {"Transfer-Encoding": "chunked"}},
        "POST",
    ),
    # URL and params
    Call("params dict", lambda: {"params": {"a": "1 2", "b": "ä/?"}}),
    Call("params list values", lambda: {"params": {"a": [1, 2]}}),
    Call("params pairs", lambda: {"params": [("a", "1"), ("a", "2")]}),
    Call("params str", lambda: {"params": "a=1%202&b"}),
    Call("params int and float", lambda: {"params": {"a": 1, "b": 1.5}}),
    Call("params bool", lambda: {"params": {"a": True}}),
    Call("params None value", lambda: {"params": {"a": None}}),
    Call("params with a query", lambda: {"params": {"b": "2"}}, path="/ok?a=1"),
    Call("params str with a query", lambda: {"params": "b=2"}, path="/ok?a=1"),
    Call("params over a query of that name", lambda: {"params": {"a": "2"}}, path="/ok?a=1"),
    Call("params and a fragment", lambda: {"params": {"a": "1"}}, path="/ok#part"),
    Call("params empty", lambda: {"params": {}}, path="/ok?a=1"),
    Call("a fragment", dict, path="/ok#part"),
    Call("a path to quote", dict, path="/ä b/%2F%20?q=ü x"),
    Call("a path with dots", dict, path="/a/../b/./c"),
    Call("an empty query", dict, path="/ok?"),
    Call("a path of two slashes", dict, path="//a//b"),
    # Headers
    Call("headers dict", lambda: {"headers": {"X-A": "1", "x-b": "ä"}}),
    Call("headers multidict", lambda: {"headers": CIMultiDict([("X-A", "1"), ("X-A", "2")])}),
    Call("headers pairs", lambda: {"headers": [("X-A", "1"), ("X-A", "2")]}),
    Call(
        "headers over defaults",
        lambda: {"headers": {"accept": "a/b", "Accept-Encoding": "identity"}},
    ),
    Call("headers of the session", dict, session=lambda: {"headers": {"X-A": "1"}}),
    Call(
        "headers over the session's",
        lambda: {"headers": {"x-a": "2"}},
        session=lambda: {"headers": {"X-A": "1"}},
    ),
    Call("headers int", lambda: {"headers": {"X-A": 1}}),
    Call(
        "headers None value",
        lambda: {"headers": {"X-A": None}},
        session=lambda: {"headers": {"X-A": "1"}},
    ),
    Call("headers bytes value", lambda: {"headers": {"X-A": b"1"}}),
    Call("headers with a line break", lambda: {"headers": {"X-A": "1\r\nX-B: 2"}}),
    Call("headers with a space in a name", lambda: {"headers": {"X A": "1"}}),
    Call("headers Host", lambda: {"headers": {"Host": "a.example"}}),
    Call("headers Connection close", lambda: {"headers": {"Connection": "close"}}),
    Call("headers long", lambda: {"headers": {"X-A": "a" * 100_000}}),
    Call("skip_auto_headers", lambda: {"skip_auto_headers": ["User-Agent", "accept"]}),
    Call(
        "skip_auto_headers Content-Type",
        lambda: {"data": b"a", "skip_auto_headers": ["Content-Type"]},
        "POST",
    ),
    Call("HTTP/1.0", dict, session=lambda: {"version": aiohttp.HttpVersion10}),
    # Cookies
    Call("cookies dict", lambda: {"cookies": {"a": "1", "b": "2"}}),
    Call("cookies morsels", lambda: {"cookies": SimpleCookie("a=1; b=2")}),
    Call("cookies with a space", lambda: {"cookies": {"a": "1 2"}}),
    Call("cookies int", lambda: {"cookies": {"a": 1}}),
    Call(
        "cookies and a Cookie field", lambda: {"cookies": {"a": "1"}, "headers": {"Cookie": "b=2"}}
    ),
    Call("cookies of the session", dict, session=lambda: {"cookies": {"a": "1"}}),
    Call(
        "cookies over the session's",
        lambda: {"cookies": {"a": "2"}},
        session=lambda: {"cookies": {"a": "1"}},
    ),
    Call("cookies set by a redirect of an IP address", dict, path="/cookie"),
    Call("cookies with a redirect", lambda: {"cookies": {"a": "1"}}, path="/redirect/302"),
    # Credentials
    Call("auth", lambda: {"auth": aiohttp.BasicAuth("user", "pass")}),
    Call("auth of the session", dict, session=lambda: {"auth": aiohttp.BasicAuth("user", "pass")}),
    Call(
        "auth and an Authorization field",
        lambda: {"auth": aiohttp.BasicAuth("u"), "headers": {"Authorization": "x"}},
    ),
    Call(
        "auth of the session and an Authorization field",
        lambda: {"headers": {"Authorization": "x"}},
        session=lambda: {"auth": aiohttp.BasicAuth("u")},
    ),
    Call("auth and credentials in the URL", lambda: {"auth": aiohttp.BasicAuth("u")}, path="@/ok"),
    Call("credentials in the URL", dict, path="@/ok"),
    Call("auth tuple", lambda: {"auth": ("user", "pass")}),
    Call("auth with a redirect", lambda: {"auth": aiohttp.BasicAuth("u")}, path="/redirect/302"),
    # Redirects
    *(
        Call(
            f"redirect {status} of {verb}",
            with_data if verb in ("POST", "PUT") else dict,
            verb,
            f"/redirect/{status}",
        )
        for status in (300, 301, 302, 303, 304, 307, 308)
        for verb in ("GET", "POST", "PUT", "HEAD")
    ),
    Call("redirect of HEAD when asked", lambda: {"allow_redirects": True}, "HEAD", "/redirect/302"),
    Call("redirect not followed", lambda: {"allow_redirects": False}, path="/redirect/302"),
    Call("redirect with params", lambda: {"params": {"a": "1"}}, path="/redirect/302"),
    Call("redirect with a fragment", dict, path="/redirect/302#part"),
    Call("redirect 307 of a generator", lambda: {"data": pieces()}, "POST", "/redirect/307"),
    Call("redirect 303 of a generator", lambda: {"data": pieces()}, "POST", "/redirect/303"),
    Call("redirect 307 of a file", lambda: {"data": io.BytesIO(b"file")}, "POST", "/redirect/307"),
    Call(
        "redirect 302 of json",
        lambda: {"json": 1, "headers": {"X-A": "1"}},
        "POST",
        "/redirect/302",
    ),
    Call("redirect in a loop", lambda: {"max_redirects": 3}, path="/loop"),
    Call("redirect and max_redirects 1", lambda: {"max_redirects": 1}, path="/redirect/302"),
    Call("redirect and max_redirects 0", lambda: {"max_redirects": 0}, path="/redirect/302"),
    Call("redirect to ftp", dict, path="/to-ftp"),
    Call("redirect to no host", dict, path="/to-nowhere"),
    Call("redirect without Location", dict, path="/without-location"),
    # Status
    Call("status 404", dict, path="/status/404"),
    Call("status 404 that raises", lambda: {"raise_for_status": True}, path="/status/404"),
    Call(
        "status 404 that raises by the session",
        dict,
        path="/status/404",
        session=lambda: {"raise_for_status": True},
    ),
    Call(
        "status 404 that does not",
        lambda: {"raise_for_status": False},
        path="/status/404",
        session=lambda: {"raise_for_status": True},
    ),
    Call(
        "status 500 of HEAD that raises", lambda: {"raise_for_status": True}, "HEAD", "/status/500"
    ),
    Call("status 204", dict, path="/status/204"),
    # Errors
    Call("server drops", dict, path="/drop"),
    Call("server drops a POST", lambda: {"data": b"a"}, "POST", "/drop"),
    Call("body too short", dict, path="/short"),
    Call("no HTTP", dict, path="/not-http"),
    Call("no gzip", dict, path="/not-gzip"),
    Call("refused", dict, path="!refused"),
    Call("no such host", dict, path="!http://nowhere.invalid/"),
    Call("no URL", dict, path="!http://"),
    Call("relative URL", dict, path="!/ok"),
    Call("other scheme", dict, path="!ftp://a.example/"),
    Call("port too large", dict, path="!http://a.example:99999/"),
    Call("bad method", dict, "GE T"),
    Call("timeout 0", lambda: {"timeout": 0}),
    Call("timeout None", lambda: {"timeout": None}),
    Call("timeout 5", lambda: {"timeout": 5}),
    Call("timeout ClientTimeout", lambda: {"timeout": aiohttp.ClientTimeout(total=5, sock_read=2)}),
    Call("timeout negative", lambda: {"timeout": -1}),
    Call("timeout NaN", lambda: {"timeout": float("nan")}),
    Call("timeout True", lambda: {"timeout": True}),
    Call("timeout str", lambda: {"timeout": "5"}),
    Call("timeout ClientTimeout(0)", lambda: {"timeout": aiohttp.ClientTimeout(total=0)}),
    Call("base_url", dict, path="!ok?a=1", session=lambda: {"base_url": "SERVER/api/"}),
    Call(
        "base_url and a path from the root",
        dict,
        path="!/ok",
        session=lambda: {"base_url": "SERVER/api/"},
    ),
    Call("base_url without a slash", dict, path="!ok", session=lambda: {"base_url": "SERVER/api"}),
    # What is rarer
    Call("a method in mixed case", with_data, "Post"),
    Call("headers of any character", lambda: {"headers": {"X-A": "ÿ 😀\t", "X-B": ""}}),
    Call("params iterator", lambda: {"params": iter([("a", "1")])}),
    Call("params with a plus", lambda: {"params": {"q": "a+b c&d %20"}}),
    Call("params NaN", lambda: {"params": {"a": float("nan")}}),
    Call("data at an offset", lambda: {"data": at_an_offset()}, "POST"),
    Call("data text file", lambda: {"data": text_file()}, "POST"),
    Call("data payload", lambda: {"data": aiohttp.JsonPayload({"a": 1})}, "POST"),
    Call("data empty FormData", lambda: {"data": aiohttp.FormData()}, "POST"),
    Call(
        "data form with a type of one's own",
        lambda: {"data": {"a": "1"}, "headers": {"Content-Type": "a/b"}},
        "POST",
    ),
    Call(
        "json_serialize",
        lambda: {"json": 1},
        "POST",
        session=lambda: {"json_serialize": lambda _: "é"},
    ),
    Call("json date", lambda: {"json": date(2020, 1, 1)}, "POST"),
    Call("cookies pairs", lambda: {"cookies": [("a", "1"), ("a", "2")]}),
    Call("cookies with =", lambda: {"cookies": {"a": "x=y"}}),
    Call("cookies with quotes", lambda: {"cookies": {"a": '"x"'}}),
    Call("cookies not ASCII", lambda: {"cookies": {"a": "ä"}}),
    Call("cookies with a bad name", lambda: {"cookies": {"a b": "1"}}),
    Call(
        "an Authorization field with a redirect",
        lambda: {"headers": {"Authorization": "x"}},
        path="/redirect/302",
    ),
    Call(
        "redirect 302 of a typed body",
        lambda: {"data": b"x", "headers": {"Content-Type": "a/b"}},
        "POST",
        "/redirect/302",
    ),
    Call("redirect 307 of a form", lambda: {"data": form_data()}, "POST", "/redirect/307"),
    Call(
        "redirect 307 compressed",
        lambda: {"data": b"x" * 50, "compress": True},
        "POST",
        "/redirect/307",
    ),
    Call(
        "redirect 307 chunked",
        lambda: {"data": b"x" * 50, "chunked": True},
        "POST",
        "/redirect/307",
    ),
    Call(
        "redirect 302 chunked",
        lambda: {"data": b"x" * 50, "chunked": True},
        "POST",
        "/redirect/302",
    ),
    Call(
        "HTTP/1.0 of unknown length",
        lambda: {"data": pieces()},
        "POST",
        session=lambda: {"version": aiohttp.HttpVersion10},
    ),
    Call("timeout tuple", lambda: {"timeout": (1, 2)}),
    Call("a line break in the URL", dict, path="/a\nb"),
    Call("a space in the host", dict, path="!http://exa mple/"),
    Call("raise_for_status of one's own", lambda: {"raise_for_status": refuse}, path="/status/404"),
    Call("unknown argument", lambda: {"verify": False}),
]


class Difference(NamedTuple):
    """What is not the same, in calls of these names, and why."""

    why: str
    parts: set[str]
    calls: tuple[str, ...]


WITH_CONTENT = ("POST", "PUT", "PATCH")

INTENDED = [
    Difference(
        "a request without content has no Content-Type: there is nothing that it describes",
        {"request"},
        (
            *WITH_CONTENT,
            "json None",
            "compress nothing",
        ),
    ),
    Difference(
        "Content-Length: 0 only where a body is usual (RFC 9110, section 8.6)",
        {"request"},
        ("DELETE", "PROPFIND", "report"),
    ),
    Difference(
        "no expectation without content (RFC 9110, section 10.1.1)",
        {"request"},
        ("expect100 without a body",),
    ),
    Difference(
        "a form field None is refused, not sent as the text 'None'",
        {"request", "response", "error"},
        ("data dict of None",),
    ),
    Difference(
        "an iterable of bytes is a body", {"request", "response", "error"}, ("data generator",)
    ),
    Difference(
        "chunked=True without a body is refused",
        {"request", "response", "error"},
        ("chunked without a body",),
    ),
    Difference(
        "a coding that is not known is refused; aiohttp labels deflate with its name",
        {"request", "response", "error"},
        ("compress unknown",),
    ),
    Difference(
        "Transfer-Encoding goes out alone; aiohttp adds a Content-Length, which is request smuggling",
        {"request", "response", "error"},
        ("a Transfer-Encoding of one's own",),
    ),
    Difference(
        "params as text are encoded already, as documented; aiohttp encodes their % again",
        {"request", "response"},
        ("params str",),
    ),
    Difference(
        "None as a value of a header removes the session's",
        {"request", "response", "error"},
        ("headers None value",),
    ),
    Difference(
        "a header name that is no token is refused",
        {"request", "response", "error"},
        ("headers with a space in a name",),
    ),
    Difference(
        "a cookie of a call that needs quotes is refused: how to encode it is the server's matter",
        {"request", "response", "error"},
        ("cookies with a space",),
    ),
    Difference(
        "an Authorization field of the call goes before the session's auth",
        {"request", "response", "error"},
        ("auth of the session and an Authorization field",),
    ),
    Difference(
        "(login, password) is a spelling of auth",
        {"request", "response", "error"},
        ("auth tuple",),
    ),
    Difference(
        "a redirect inherits the fragment (RFC 9110, section 10.2.2)",
        {"response"},
        ("redirect with a fragment",),
    ),
    Difference(
        "max_redirects is how many are followed; in aiohttp one less, and 0 is no limit. The error has the last status",
        {"request", "error"},
        ("redirect in a loop",),
    ),
    Difference(
        "see above",
        {"request", "response", "error"},
        ("redirect and max_redirects 1", "redirect and max_redirects 0"),
    ),
    Difference(
        "history has what led to another response, and not the response itself",
        {"response"},
        ("redirect without Location",),
    ),
    Difference(
        "only a reused connection that was closed is tried again, a new one is not",
        {"request"},
        ("server drops",),
    ),
    Difference(
        "no status was received, so the error's is 0; aiohttp says 400",
        {"error"},
        ("no HTTP",),
    ),
    Difference(
        "an iterator of pairs is params",
        {"request", "response", "error"},
        ("params iterator",),
    ),
    Difference(
        "cookies of a call are sent as they are, if they can be: what = and UTF-8 mean is the server's matter",
        {"request", "response"},
        ("cookies with =", "cookies with quotes", "cookies not ASCII"),
    ),
    Difference("the error also has the request's URL", {"error"}, ("refused", "no such host")),
    Difference("ValueError, not http.cookies.CookieError", {"error"}, ("cookies with a bad name",)),
    Difference(
        "fields that describe the body are dropped with it",
        {"request"},
        ("redirect 302 of a typed body",),
    ),
    Difference(
        "HTTP/1.0 has no chunks: a body of unknown length is refused",
        {"request", "response", "error"},
        ("HTTP/1.0 of unknown length",),
    ),
    Difference(
        "(connect, read) is a spelling of timeout",
        {"request", "response", "error"},
        ("timeout tuple",),
    ),
    Difference(
        "a control character in a URL is refused, not dropped",
        {"request", "response", "error"},
        ("a line break in the URL",),
    ),
    Difference(
        "a bad host is refused before a resolver is asked",
        {"error"},
        ("a space in the host",),
    ),
    Difference(
        "a timeout that is no number of seconds is refused",
        {"request", "response", "error"},
        ("timeout negative", "timeout NaN", "timeout True"),
    ),
]
# Names of calls, and (parts, why).
DIFFERENT = {
    name: (difference.parts, difference.why) for difference in INTENDED for name in difference.calls
}


class Outcome(NamedTuple):
    """What the server saw, what came back, and what was raised."""

    request: object
    response: dict[str, object]
    error: Exception | None


async def outcome(library: Any, call: Call, server: RawServer, refused: str) -> Outcome:
    """Make the call with a session of *library*; tell what came of it."""
    before = len(server.requests)
    response: dict[str, object] = {}
    error: Exception | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", aioclient.SharedCookiesWarning)
        settings = {
            name: value.replace("SERVER/", server.url()) if isinstance(value, str) else value
            for name, value in call.session().items()
        }
        try:
            async with library.ClientSession(**settings) as session:
                url, arguments = url_of(call, server, refused), call.make()
                if call.method in VERBS:
                    pending = getattr(session, call.method.lower())(url, **arguments)
                else:
                    pending = session.request(call.method, url, **arguments)
                async with pending as received:
                    response.update(await told_by(received))
                    response["jar"] = sorted(cookie.key for cookie in session.cookie_jar)
                    response["json"] = await received.json()
        except Exception as caught:  # noqa: BLE001  (which one is what is compared)
            error = caught
    seen = [
        (
            request.method,
            request.target,
            request.version,
            fields((name.decode(), value.decode()) for name, value in request.headers),
            without_boundary(request.body),
        )
        for request in server.requests[before:]
    ]
    return Outcome(seen, response, error)


def url_of(call: Call, server: RawServer, refused: str) -> str:
    if call.path == "!refused":
        return refused
    if call.path.startswith("!"):
        return call.path[1:]
    if call.path.startswith("@"):
        return server.url(call.path[1:]).replace("//", "//user:pass@")
    return server.url(call.path)


async def told_by(response: Any) -> dict[str, object]:
    """Return what a response of either library tells."""
    framing = {"content-length", "transfer-encoding", "connection", "expect", "content-type"}
    asked = fields(response.request_info.headers.items())
    return {
        "status": (response.status, response.reason, response.method),
        "url": (response.url, response.real_url),
        "history": [(past.status, past.url, past.method) for past in response.history],
        "asked": [(name, value) for name, value in asked if name not in framing],
        "body": await response.read(),
    }


def fields(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return header fields in one order, without what names the library or is drawn by lot."""
    return sorted(
        (name.lower(), re.sub(r'boundary="?[^;"]+"?', "boundary=B", value))
        for name, value in pairs
        if name.lower() != "user-agent"
    )


def without_boundary(body: bytes) -> bytes:
    boundary = body[2 : body.find(b"\r\n")]
    return body.replace(boundary, b"B") if body.startswith(b"--") else body


def differences(theirs: Outcome, ours: Outcome) -> set[str]:
    """Return what is not the same."""
    found = set()
    if theirs.request != ours.request:
        found.add("request")
    if theirs.response != ours.response:
        found.add("response")
    if told_by_error(theirs.error) != told_by_error(ours.error):
        found.add("error")
    if not (
        isinstance(ours.error, type(theirs.error))
        if theirs.error is not None
        else ours.error is None
    ):
        found.add("error")
    return found


def told_by_error(error: Exception | None) -> dict[str, object]:
    """Return the attributes of an error that code looks at."""
    told: dict[str, object] = {
        name: str(getattr(error, name))
        for name in ("status", "host", "port", "errno", "url")
        if getattr(error, name, None) is not None
    }
    status = getattr(error, "status", None) or 0
    if status >= 400 and isinstance(error, aiohttp.ClientResponseError):
        told["message"] = error.message
    return told


@pytest.fixture
def refused() -> Iterator[str]:
    """The URL of a port that refuses connections."""
    with refused_port() as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize("call", [pytest.param(call, id=call.name) for call in CALLS])
@pytest.mark.filterwarnings("ignore::aioclient.InvalidJSONWarning")
async def test_call(call: Call, refused: str) -> None:
    """The same call asks for the same and gives the same, but for what is different on purpose."""
    async with RawServer(serve) as server:
        theirs = await outcome(aiohttp, call, server, refused)
        ours = await outcome(aioclient, call, server, refused)
    parts, why = DIFFERENT.get(call.name, (set(), ""))
    assert differences(theirs, ours) == parts, f"{why}\n{theirs}\n{ours}"


def test_names() -> None:
    """Each difference that is meant is one of a call that is made."""
    assert DIFFERENT.keys() <= {call.name for call in CALLS}
