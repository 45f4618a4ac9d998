"""Spellings of earlier aiohttp releases work, and warn once at the line that uses them; contradictions raise."""

import asyncio
import contextlib
import re
import ssl
import sys
import warnings
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

import aioclient
from aioclient import ClientSession, ClientTimeout, LegacyParameterWarning

from .loopback import OK, answer, moved, names
from .servers.either import RawServer
from .test_session import late, sent, silent

pytestmark = pytest.mark.both_protocols


@contextlib.contextmanager
def legacy(*texts: str, category: type[Warning] = LegacyParameterWarning) -> Iterator[None]:
    """Expect one warning for each text, in this order, that names a line of the calling test."""
    test = sys._getframe(2)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield
    assert [warning.category for warning in found] == [category] * len(texts), found
    for warning, text in zip(found, texts, strict=True):
        assert text in str(warning.message)
        code = test.f_code
        assert warning.filename == code.co_filename
        lines = {line for _, _, line in code.co_lines() if line is not None}
        assert warning.lineno in lines, f"{warning.lineno} is not in {code.co_name}"


class TestTimeouts:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            pytest.param("read_timeout", {"total": 7}, id="S003-10"),
            pytest.param("conn_timeout", {"connect": 7}, id="S003-11"),
        ],
    )
    async def test_each_is_one_limit(self, old: str, new: dict[str, float]) -> None:
        """Each old limit is one of today's; the other defaults stay."""
        with legacy(f"{old} is deprecated; use timeout=ClientTimeout({next(iter(new))}=...)"):
            session = ClientSession(**{old: 7})  # type: ignore[arg-type]
        default = {"total": 300, "sock_connect": 30}
        assert session.timeout == ClientTimeout(**{**default, **new})
        await session.close()

    @pytest.mark.rows("S003-10")
    @pytest.mark.virtual_clock
    async def test_read_timeout_counts(self) -> None:
        """read_timeout ends a call; None and 0 lift the limit."""
        async with RawServer(silent) as server:
            with legacy("read_timeout"):
                session = ClientSession(read_timeout=5)
            with pytest.raises(aioclient.TotalTimeoutError, match="total=5 s"):
                await session.get(server.url())
            await session.close()
        async with RawServer(late) as server:
            for none in (None, 0):
                with legacy("read_timeout"):
                    session = ClientSession(read_timeout=none)
                assert (await session.get(server.url())).status == 200
                await session.close()

    @pytest.mark.rows("S003-11")
    @pytest.mark.virtual_clock
    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_conn_timeout_counts(self) -> None:
        """conn_timeout limits the wait for a connection, the pool's queue included; None and 0 lift it."""
        async with RawServer(silent) as server:
            with legacy("conn_timeout"):
                session = ClientSession(conn_timeout=5, connector=aioclient.TCPConnector(limit=1))
            holder = asyncio.create_task(session.get(server.url()))
            await asyncio.sleep(0)
            with pytest.raises(aioclient.PoolTimeoutError, match="connect=5 s"):
                await session.get(server.url())
            holder.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await holder
            await session.close()
        for none in (None, 0):
            with legacy("conn_timeout"):
                session = ClientSession(conn_timeout=none)
            assert session.timeout.connect is None
            await session.close()

    @pytest.mark.parametrize(
        ("old", "timeout"),
        [
            pytest.param("read_timeout", 5, id="S003-10-number"),
            pytest.param("read_timeout", None, id="S003-10-none"),
            pytest.param("conn_timeout", (1, 2), id="S003-11-pair"),
            pytest.param("conn_timeout", ClientTimeout(total=1), id="S003-11-value"),
        ],
    )
    async def test_old_and_new(self, old: str, timeout: Any) -> None:
        """Together with timeout= each raises, before it warns: neither goes before the other."""
        with pytest.raises(ValueError, match=f"{old} and timeout are both given"):
            ClientSession(timeout=timeout, **{old: 5})  # type: ignore[arg-type]


class TestLoop:
    @pytest.mark.rows("S003-02")
    async def test_of_a_session(self) -> None:
        """loop= is taken and warned of when it is the running loop; None says nothing."""
        with legacy("loop= is deprecated; leave it out"):
            session = ClientSession(loop=asyncio.get_running_loop())
        await session.close()
        with legacy():
            session = ClientSession(loop=None)
        await session.close()

    @pytest.mark.rows("S003-02")
    async def test_another_one(self) -> None:
        """A loop that does not run here raises, of a session and of a one-shot call."""
        other = asyncio.new_event_loop()
        with legacy("loop="), pytest.raises(RuntimeError, match="is not the running event loop"):
            ClientSession(loop=other)
        with legacy("loop="), pytest.raises(RuntimeError, match="is not the running event loop"):
            await aioclient.request("GET", "http://127.0.0.1:1/", loop=other)
        with legacy("loop="), pytest.raises(RuntimeError, match="is not the running event loop"):
            async with aioclient.request("GET", "http://127.0.0.1:1/", loop=other):
                raise AssertionError("not reached")
        other.close()

    @pytest.mark.rows("S003-02")
    def test_none_runs(self) -> None:
        """Without a running loop there is no session unless loop= names the one that will run."""
        with pytest.raises(RuntimeError, match="inside an async function"):
            ClientSession()
        loop = asyncio.new_event_loop()
        with legacy("loop="):
            session = ClientSession(loop=loop)

        async def use() -> int:
            async with RawServer.replies([OK]) as server, session:
                return (await session.get(server.url())).status

        assert loop.run_until_complete(use()) == 200
        loop.close()

    @pytest.mark.rows("S003-68")
    async def test_of_a_call(self) -> None:
        """A one-shot call takes loop= as well."""
        async with RawServer.replies([OK], repeat=True) as server:
            with legacy("loop="):
                response = await aioclient.request(
                    "GET", server.url(), loop=asyncio.get_running_loop()
                )
            assert response.status == 200

    @pytest.mark.rows("S003-22")
    async def test_the_property(self) -> None:
        """session.loop is the session's loop, and warns."""
        async with ClientSession() as session:
            with legacy("session.loop is deprecated; use asyncio.get_running_loop()"):
                assert session.loop is asyncio.get_running_loop()


Call = Callable[[ClientSession, str], Coroutine[Any, Any, object]]


async def awaited(session: ClientSession, url: str) -> None:
    with legacy("encoding="):
        await session.post(url, data="ä", encoding="latin1")


async def entered(session: ClientSession, url: str) -> None:
    with legacy("encoding="):
        async with session.post(url, data="ä", encoding="latin1") as response:
            await response.read()


async def by_request(session: ClientSession, url: str) -> None:
    with legacy("encoding="):
        await session.request("POST", url, data="ä", encoding="latin1")


async def in_a_task(session: ClientSession, url: str) -> None:
    with legacy("encoding="):
        task = asyncio.create_task(session.post(url, data="ä", encoding="latin1"))
        await task


async def gathered(session: ClientSession, url: str) -> None:
    with legacy("encoding="):
        await asyncio.gather(session.post(url, data="ä", encoding="latin1"))


async def one_shot(session: ClientSession, url: str) -> None:
    with legacy("encoding="):
        await aioclient.post(url, data="ä", encoding="latin1")


async def one_shot_entered(session: ClientSession, url: str) -> None:
    with legacy("encoding="):
        async with aioclient.request("POST", url, data="ä", encoding="latin1"):
            pass


async def one_shot_in_a_task(session: ClientSession, url: str) -> None:
    with legacy("encoding="):
        await asyncio.create_task(aioclient.post(url, data="ä", encoding="latin1"))


class TestEncoding:
    @pytest.mark.rows("S003-45")
    @pytest.mark.parametrize(
        "call",
        [
            awaited,
            entered,
            by_request,
            in_a_task,
            gathered,
            one_shot,
            one_shot_entered,
            one_shot_in_a_task,
        ],
    )
    async def test_whichever_way_it_is_called(self, call: Call) -> None:
        """encoding= is used, and the warning names the line of the call, in a task too."""
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            await call(session, server.url())
        assert server.requests[0].body == b"\xe4"

    @pytest.mark.rows("S003-45", "S003-68")
    @pytest.mark.parametrize(
        ("data", "encoding", "body", "content_type"),
        [
            ("ä", "latin1", b"\xe4", "text/plain; charset=latin1"),
            ({"a": "ä"}, "latin1", b"a=%E4", "application/x-www-form-urlencoded; charset=latin1"),
            ([("a", "ä")], "utf-8", b"a=%C3%A4", "application/x-www-form-urlencoded"),
            (b"\xff", "latin1", b"\xff", "application/octet-stream"),
            ("ä", None, b"\xc3\xa4", "text/plain; charset=utf-8"),
            (None, "latin1", b"", None),
        ],
    )
    async def test_what_it_is_for(
        self, data: Any, encoding: Any, body: bytes, content_type: str | None
    ) -> None:
        """It is the charset of text and forms; nothing else depends on it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LegacyParameterWarning)
            request = await sent(method="POST", data=data, encoding=encoding)
        assert (request.body, request.value("Content-Type")) == (body, content_type)

    @pytest.mark.rows("S003-45")
    async def test_json_does_not_change(self) -> None:
        """JSON is UTF-8 whatever it says, and data= besides is refused as ever."""
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            with legacy("encoding="):
                await session.post(server.url(), json="ä", encoding="latin1")
            with legacy("encoding="), pytest.raises(ValueError, match="at the same time"):
                await session.post(server.url(), json="ä", data="x", encoding="latin1")
        assert server.requests[0].body == b'"\\u00e4"'


class TestChunked:
    @pytest.mark.rows("S003-34")
    @pytest.mark.parametrize(("chunked", "coding"), [(1024, "chunked"), (1, "chunked"), (0, None)])
    async def test_a_number(self, chunked: int, coding: str | None) -> None:
        """A size of chunks means chunks of any size, and 0 none."""
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            with legacy(f"chunked={chunked} is deprecated; use chunked=True"):
                await session.post(server.url(), data=b"x", chunked=chunked)  # type: ignore[arg-type]
        assert server.requests[0].value("Transfer-Encoding") == coding

    @pytest.mark.rows("S003-34")
    async def test_what_it_cannot_be(self) -> None:
        """Anything else raises."""
        with pytest.raises(TypeError, match="chunked must be a bool or None, found str"):
            await sent(method="POST", data=b"x", chunked="yes")


class TestTls:
    @pytest.mark.rows("S003-40", "S003-41", "S003-42")
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("verify_ssl", False),
            ("fingerprint", bytes(32)),
            ("ssl_context", ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)),
        ],
    )
    async def test_in_a_task(self, name: str, value: Any) -> None:
        """The older TLS settings are warned of at the line of the call, whoever awaits it."""
        async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
            with legacy(f"{name} is deprecated"):
                task = asyncio.create_task(session.get(server.url(), **{name: value}))  # type: ignore[arg-type]
                await task
            with legacy(f"{name} is deprecated"):
                await asyncio.gather(aioclient.get(server.url(), **{name: value}))  # type: ignore[arg-type]

    @pytest.mark.rows("S003-40", "S003-41", "S003-42")
    async def test_two_of_them(self) -> None:
        """Two of them raise where they are given, and nothing is warned of."""
        async with ClientSession() as session:
            with legacy(), pytest.raises(ValueError, match="mutually exclusive"):
                session.get("https://a.test/", ssl=False, verify_ssl=False)


class TestRedirects:
    @pytest.mark.rows("S003-21")
    async def test_setting_requote(self) -> None:
        """requote_redirect_url can be set, warns, and counts from the next request on."""
        async with (
            RawServer.replies([moved("/a%2Fb|"), OK, moved("/a%2Fb|"), OK]) as server,
            ClientSession() as session,
        ):
            assert session.requote_redirect_url is True
            await session.get(server.url())
            with legacy("setting session.requote_redirect_url is deprecated"):
                session.requote_redirect_url = False
            assert session.requote_redirect_url is False
            await session.get(server.url())
        assert [request.target for request in server.requests][1:4:2] == ["/a%2Fb%7C", "/a%2Fb|"]


class TestSharedCookies:
    @pytest.mark.rows("S003-03")
    async def test_they_are_warned_of(self) -> None:
        """Cookies of a session without base URL go to every host, which a warning says."""
        async with RawServer.replies([OK], repeat=True) as server:
            with legacy("sent to every host", category=aioclient.SharedCookiesWarning):
                session = ClientSession(cookies={"a": "1"}, connector=names())
            await session.get(server.url())
            await session.get(server.url(host="a.test"))
            await session.close()
        assert [request.value("Cookie") for request in server.requests] == ["a=1", "a=1"]

    @pytest.mark.rows("S003-03")
    @pytest.mark.parametrize("cookies", [None, {}, (), iter(())])
    async def test_none(self, cookies: Any) -> None:
        """No cookies, no warning; nor with a base URL, which says whose they are."""
        with legacy():
            await ClientSession(cookies=cookies).close()
            await ClientSession("http://a.test/", cookies={"a": "1"}).close()


class TestUnknown:
    @pytest.mark.parametrize(
        ("arguments", "hint"),
        [
            ({"read_timout": 1}, "did you mean read_timeout?"),
            ({"header": {}}, "did you mean headers?"),
            ({"raise_for_stats": True}, "did you mean raise_for_status?"),
            ({"nonsense": 1}, "unknown arguments ['nonsense'] of ClientSession()"),
        ],
    )
    async def test_of_a_session(self, arguments: Any, hint: str) -> None:
        """An argument that a session has not raises TypeError that names what may be meant."""
        with pytest.raises(TypeError, match=re.escape(hint)):
            ClientSession(**arguments)

    @pytest.mark.parametrize(
        ("arguments", "hint"),
        [
            ({"param": {}}, "did you mean params?"),
            ({"alow_redirects": False}, "did you mean allow_redirects?"),
            ({"nonsense": 1}, "unknown arguments ['nonsense'] of a request"),
        ],
    )
    async def test_of_a_call(self, arguments: Any, hint: str) -> None:
        """So does one that a call has not."""
        async with ClientSession() as session:
            with pytest.raises(TypeError, match=re.escape(hint)):
                await session.get("http://127.0.0.1:1/", **arguments)


class TestTooMany:
    @pytest.mark.rows("S003-32")
    async def test_the_redirect_is_returned(self) -> None:
        """on_too_many="return" gives the redirect that would be one too many, readable, as aiohttp 2 did."""
        redirect = answer(b"stop", "Location: /next", status="302 Found")
        async with RawServer.replies([redirect], repeat=True) as server, ClientSession() as session:
            response = await session.get(server.url(), max_redirects=2, on_too_many="return")
            assert (response.status, await response.text()) == (302, "stop")
            assert [hop.status for hop in response.history] == [302, 302]
            assert len(server.requests) == 3
            with pytest.raises(aioclient.TooManyRedirects) as caught:
                await session.get(server.url(), max_redirects=2, on_too_many="raise")
            assert len(caught.value.history) == 3
            with pytest.raises(aioclient.TooManyRedirects):
                await session.get(server.url(), max_redirects=0)

    @pytest.mark.rows("S003-32")
    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            ({"on_too_many": "ignore"}, "'raise' or 'return', found 'ignore'"),
            ({"max_redirects": -1}, "max_redirects=-1"),
            ({"max_redirects": "3"}, "must be an int, found str"),
            ({"max_redirects": True}, "must be an int, found bool"),
        ],
    )
    async def test_what_they_cannot_be(self, arguments: Any, text: str) -> None:
        """Anything else raises before a request is sent."""
        with pytest.raises((TypeError, ValueError), match=re.escape(text)):
            await sent(**arguments)
        if "on_too_many" not in arguments:
            with pytest.raises((TypeError, ValueError), match=re.escape(text)):
                ClientSession(**arguments)
