"""AUTH-12: a secret stands in no log, warning, repr, exception or traceback, whatever happens to its request."""

import asyncio
import contextlib
import functools
import gc
import io
import logging
import sys
import traceback
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from aioclient import (
    CALL_ERRORS,
    BasicAuth,
    BearerAuth,
    ClientResponse,
    ClientSession,
    Credential,
    CredentialAuth,
    Handler,
    Netrc,
    OAuth2ClientCredentials,
    Request,
    TCPConnector,
)
from aioclient.testing import RawConnection

from .loopback import OK, answer, moved, names, open_jar
from .servers.either import RawServer

pytestmark = pytest.mark.both_protocols

SECRET = "hunter2"
ENCODED = BasicAuth("user", SECRET).encode().removeprefix("Basic ")


class Heard:
    """All that was said anywhere; `check()` looks for the secret in it."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, *things: object) -> None:
        """Hear of things as a debugger or a log would show them."""
        for thing in things:
            self.texts += [repr(thing), str(thing), f"{thing}"]

    def note_error(self, error: BaseException) -> None:
        """Hear of an exception as it is printed, with its causes, and of what its attributes show."""
        self.texts += traceback.format_exception(error)
        seen: BaseException | None = error
        while seen is not None:
            self.note(seen, *seen.args, *vars(seen).values())
            seen = seen.__cause__ or seen.__context__

    def check(self) -> None:
        """Fail if the secret was heard, in any spelling that it was sent in."""
        assert self.texts
        for text in self.texts:
            assert SECRET not in text, text
            assert ENCODED not in text, text


@contextlib.asynccontextmanager
async def heard(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Heard]:
    """Hear logs of every level, warnings, and what goes to stderr, with the event loop in debug mode."""
    loop = asyncio.get_running_loop()
    found = Heard()
    stderr = io.StringIO()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda loop, context: found.note(context))
    loop.set_debug(True)
    try:
        with (
            caplog.at_level(logging.DEBUG),
            warnings.catch_warnings(record=True) as caught,
            contextlib.redirect_stderr(stderr),
        ):
            warnings.simplefilter("always")
            yield found
            gc.collect()
    finally:
        loop.set_debug(False)
        loop.set_exception_handler(handler)
    found.texts += [stderr.getvalue(), caplog.text]
    found.note(*(each.message for each in caught))
    # What these tests provoke is known to them; what they do not know would be lost.
    assert {each.category for each in caught} <= {ResourceWarning}


asked: asyncio.Event  # set when a silent server has got a request


async def silent(conn: RawConnection) -> None:
    await conn.read_request()
    asked.set()
    await conn.wait_lost()


async def endless(conn: RawConnection) -> None:
    await conn.read_request()
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx")
    await conn.wait_lost()


Use = Callable[[ClientSession, str], Awaitable[None]]


async def read(session: ClientSession, url: str, **more: Any) -> None:
    async with session.get(url, **more) as response:
        await response.json(content_type=None)


async def forget(session: ClientSession, url: str) -> None:
    await session.get(url)


async def run_out_of_time(session: ClientSession, url: str) -> None:
    await read(session, url, timeout=60)


async def wait_for_the_pool(session: ClientSession, url: str) -> None:
    async with session.get(url):
        await session.get(url, timeout=aiohttp.ClientTimeout(total=60))


async def cancel(session: ClientSession, url: str) -> None:
    task = asyncio.ensure_future(session.get(url))
    await asked.wait()
    task.cancel()
    await task


async def close_meanwhile(session: ClientSession, url: str) -> None:
    task = asyncio.ensure_future(session.get(url))
    await asked.wait()
    await session.close()
    await task


SITES: dict[str, tuple[Any, Use]] = {
    "all is well": ([OK], read),
    "404": ([answer(b"", status="404 No")], lambda s, u: read(s, u, raise_for_status=True)),
    "not JSON": ([answer(b"[")], read),
    "too many redirects": ([moved("/again")], read),
    "redirect to another scheme": ([moved(f"ftp://u:{SECRET}@b.test/")], read),
    "redirect to no URL": ([moved(f"http://u:{SECRET}@[x/")], read),
    "redirect with a password": ([moved(f"http://u:{SECRET}@127.0.0.1:1/")], read),
    "no HTTP": ([b"nonsense\r\n\r\n"], read),
    "cut short": ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx"], read),
    "no answer": ([b""], read),
    "silence": (silent, run_out_of_time),
    "a pool of one": (endless, wait_for_the_pool),
    "never read": (endless, forget),
    "cancelled": (silent, cancel),
    "closed": (silent, close_meanwhile),
}


def auth(request: Request) -> None:
    request.authorization = f"Bearer {SECRET}"


class Login(Credential):
    """Credentials of an API of its own kind."""

    def headers(self) -> dict[str, str]:
        return {"X-User": SECRET}

    def params(self) -> dict[str, str]:
        return {"ticket_key": SECRET}


GIVEN: dict[str, dict[str, Any]] = {
    "auth": {"auth": ("user", SECRET)},
    "bearer": {"auth": BearerAuth(SECRET)},
    "credential": {"auth": CredentialAuth(Login())},
    "client": {},  # of OAuth 2
    "signer": {"signer": lambda request: {"X-Signature": SECRET}},
    "function": {"auth": auth},
    "fields": {"headers": {"Authorization": f"Bearer {SECRET}", "X-Api-Key": SECRET}},
    "cookies": {"cookies": {"sid": SECRET}},
    "netrc": {"netrc": True},
    "base_url": {},
    "query": {},
}


@pytest.mark.virtual_clock
@pytest.mark.rows("AUTH-12")
@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("given", GIVEN)
async def test_battery(
    given: str, site: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each way to give a secret, and each thing that may happen: nobody hears of it."""
    global asked
    asked = asyncio.Event()
    script, use = SITES[site]
    arguments = dict(GIVEN[given])
    if given == "netrc":
        (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login user password {SECRET}")
        (tmp_path / "netrc").chmod(0o600)
        arguments = {"netrc": Netrc(tmp_path / "netrc")}
    server = (
        RawServer.replies(script, repeat=True, close=True)
        if isinstance(script, list)
        else RawServer(script)
    )
    seen: list[object] = []

    async def keep(request: Request, handler: Handler) -> ClientResponse:
        seen.extend([request, handler, request.body, request.is_ssl, request.session])
        response = await handler(request)
        seen.extend([response, response.request_info, *response.history, response.connection])
        return response

    async def started(session: ClientSession, context: object, params: object) -> None:
        seen.extend([session, context])

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(started)  # type: ignore[arg-type]
    async with heard(caplog) as everything, server:
        base = URL(server.url())
        if given == "client":
            arguments = {"auth": OAuth2ClientCredentials(server.url("/token"), "user", SECRET)}
        if given == "base_url":
            base = base.with_user("user").with_password(SECRET)
        async with ClientSession(
            base,
            connector=TCPConnector(limit=1),
            cookie_jar=open_jar(),
            middlewares=[keep],
            trace_configs=[trace],
            **arguments,
        ) as session:
            path = f"/p?access_token={SECRET}" if given == "query" else "/p"
            everything.note(session, session.auth, session.connector, session._chain)
            try:
                await use(session, path)
            except (
                *CALL_ERRORS,
                asyncio.CancelledError,
                RuntimeError,
                ValueError,
            ) as error:
                everything.note_error(error)
            everything.note(session, session.connector, *seen)
            await asyncio.sleep(0)
            seen.clear()
    sent = b"".join(request.head for request in server.requests)
    assert SECRET.encode() in sent or ENCODED.encode() in sent, "it was not sent at all"
    everything.check()
    assert sys.exc_info() == (None, None, None)


@pytest.mark.rows("AUTH-12")
async def test_bad_credentials(caplog: pytest.LogCaptureFixture) -> None:
    """What is refused as credentials is not shown either."""
    everything = Heard()
    async with ClientSession(connector=names()) as session:
        for given in (
            {"auth": (SECRET + ":", "x")},
            {"auth": (SECRET + "€", "x")},
            {"auth": ("x", SECRET + "€")},
            {"auth": (SECRET,) * 5},
            {"auth": SECRET},
            {"headers": {"Authorization": SECRET + "\n"}},
            {"headers": {"X-Api-Key": SECRET.encode()}},
            {"cookies": {"c": SECRET + "\n"}},
            {"cookies": {"c": SECRET.encode()}},
        ):
            with pytest.raises((ValueError, TypeError)) as caught:
                await session.get("http://a.test/", **given)  # type: ignore[arg-type]
            everything.texts += [str(caught.value), repr(caught.value)]
        with pytest.raises(ValueError, match="Cannot combine") as both:
            await session.get(f"http://user:{SECRET}@a.test/", auth=("user", SECRET))
        everything.texts += [str(both.value)]
    with pytest.raises(ValueError, match="Cannot combine") as of_session:
        ClientSession(f"http://user:{SECRET}@a.test/", auth=("user", SECRET))
    everything.texts += [str(of_session.value), caplog.text]
    everything.check()


@pytest.mark.rows("AUTH-12")
async def test_what_functions_hold() -> None:
    """A function that was made with a token does not show it, as a middleware or as auth=."""
    everything = Heard()

    async def middleware(token: str, request: Request, handler: Handler) -> ClientResponse:
        everything.note(handler)
        return await handler(request)

    async def coroutine(token: str, request: Request) -> None: ...

    bound = functools.partial(middleware, SECRET)
    async with (
        RawServer.replies([OK, OK]) as server,
        ClientSession(middlewares=[bound, bound]) as session,
    ):
        everything.note(session, session._chain)
        await session.get(server.url())
        session.auth = functools.partial(coroutine, SECRET)
        everything.note(session.auth)
        await session.get(server.url())
    everything.check()
