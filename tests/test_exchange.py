"""One attempt of one request, and when it may be repeated: plain values, no socket."""

import pytest
from multidict import CIMultiDict
from yarl import URL

from aioclient import ClientTimeout, Request
from aioclient.body import MAKER, make_body
from aioclient.exchange import ALL, NOTHING, PART, Exchange, Sent, repeatable
from aioclient.message.body import Body
from aioclient.message.headers import DefaultHeaders
from aioclient.message.request import RequestOptions


class Session:
    """Stands for a session that is gone."""

    def __call__(self) -> None:
        return None


def request(
    method: str = "GET", body: Body | None = None, url: str = "http://a.test/p?q=1#f"
) -> Request:
    return Request(
        method,
        URL(url),
        DefaultHeaders(CIMultiDict({"X-Default": "1"})),
        None,
        body,
        RequestOptions(response_class=object, bodies=MAKER),
        ClientTimeout(),
        9.0,
        None,
        None,
        Session(),  # type: ignore[arg-type]
    )


def exchange(asked: Request, *, reused: bool, got_bytes: bool, sent: Sent) -> Exchange:
    result = Exchange(asked, asked.key, 1.0)
    result.reused, result.got_bytes, result.sent = reused, got_bytes, sent
    return result


class TestRepeatable:
    """RFC 9112, section 9.3.1: only what a server that closed an idle connection cannot have acted on."""

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
    @pytest.mark.parametrize("sent", list(Sent))
    def test_idempotent(self, method: str, sent: Sent) -> None:
        """On a connection that was used before, with nothing heard: whatever was sent."""
        assert repeatable(exchange(request(method), reused=True, got_bytes=False, sent=sent))

    @pytest.mark.parametrize("method", ["POST", "PATCH", "CONNECT", "LINK"])
    def test_others(self, method: str) -> None:
        """Only if nothing left."""
        asked = request(method)
        assert repeatable(exchange(asked, reused=True, got_bytes=False, sent=NOTHING))
        assert not repeatable(exchange(asked, reused=True, got_bytes=False, sent=PART))
        assert not repeatable(exchange(asked, reused=True, got_bytes=False, sent=ALL))

    @pytest.mark.parametrize("sent", list(Sent))
    def test_never(self, sent: Sent) -> None:
        """A fresh connection was not closed as idle; a server that has answered has read the request."""
        assert not repeatable(exchange(request(), reused=False, got_bytes=False, sent=sent))
        assert not repeatable(exchange(request(), reused=True, got_bytes=True, sent=sent))

    @pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
    @pytest.mark.parametrize("reused", [False, True])
    def test_refused(self, method: str, reused: bool) -> None:
        """RFC 9113, section 8.7: what the server says it has not worked on may, whatever its method."""
        body = make_body(b"data", None, json_serialize=str) if method != "GET" else None
        asked = exchange(request(method, body), reused=reused, got_bytes=True, sent=ALL)
        asked.refused = True
        assert repeatable(asked)

    async def test_a_refused_body_that_cannot_be_sent_twice(self) -> None:
        """It may not, once it was taken."""

        class Nowhere:
            async def write(self, chunk: bytes | bytearray | memoryview) -> None:
                """Take it."""

        body = make_body(iter([b"once"]), None, json_serialize=str)
        assert body is not None
        asked = exchange(request("POST", body), reused=False, got_bytes=True, sent=PART)
        asked.refused = True
        assert repeatable(asked)
        await body.write(Nowhere())
        assert not repeatable(asked)

    async def test_a_body_that_cannot_be_sent_twice(self) -> None:
        """It may, as long as nothing of it was taken."""

        class Nowhere:
            async def write(self, chunk: bytes | bytearray | memoryview) -> None:
                """Take it."""

        body = make_body(iter([b"once"]), None, json_serialize=str)
        assert body is not None
        asked = request("PUT", body)
        assert repeatable(exchange(asked, reused=True, got_bytes=False, sent=NOTHING))
        await body.write(Nowhere())
        assert not repeatable(exchange(asked, reused=True, got_bytes=False, sent=PART))


class TestCopies:
    """A request is a value: its copy asks for the same, and changes alone."""

    def test_the_same(self) -> None:
        asked = request("POST", make_body(b"data", None, json_serialize=str))
        asked.headers["X-Own"] = "1"
        asked.authorization = "Bearer t"
        copy = asked.copy()
        for name in ("method", "url", "real_url", "original_url", "content", "options", "timeout"):
            assert getattr(copy, name) is getattr(asked, name) or (
                getattr(copy, name) == getattr(asked, name)
            )
        assert copy.headers == asked.headers
        assert (copy.deadline, copy.key, copy.authorization) == (9.0, asked.key, "Bearer t")

    def test_changes_alone(self) -> None:
        asked = request()
        asked.headers["X-Own"] = "1"
        copy = asked.copy()
        copy.headers["X-Own"] = "2"
        copy.url = URL("https://b.test/")
        copy.method = "HEAD"
        copy.chunked = True
        assert asked.headers["X-Own"] == "1"
        assert (str(asked.url), asked.method, asked.chunked) == ("http://a.test/p?q=1", "GET", None)
        assert copy.original_url == asked.original_url
        assert copy.key != asked.key


def test_timings_of_an_exchange() -> None:
    """They grow as the moments come."""
    found = Exchange(request(), request().key, 1.0)
    assert found.timings.first_byte is None
    found.answered = 3.0
    assert (found.timings.first_byte, found.timings.body) == (2.0, None)
    found.ended = 3.5
    assert (found.timings.body, found.timings.total) == (0.5, 2.5)
    assert repr(found) == "<Exchange GET http://a.test/p?q=1#f: answered>"
