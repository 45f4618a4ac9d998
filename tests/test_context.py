"""The session of the context: who sees it, who closes it, what is left."""

import asyncio
import contextvars
import gc
import threading
import warnings
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from multidict import CIMultiDict

import aioclient
from aioclient import (
    ClientSession,
    clear_session,
    close_all_sessions,
    close_session,
    context,
    get_session,
    set_session,
    use_session,
)

from .conftest import LOOPS
from .servers.app import serve

pytestmark = pytest.mark.both_loops


def run(loop_name: str, coroutine: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=LOOPS[loop_name]) as runner:
        runner.run(coroutine)


@pytest.fixture(autouse=True)
def no_default_is_left() -> Iterator[None]:
    yield
    assert context._defaults.open() == []


@pytest.mark.both_protocols
@pytest.mark.rows("S000-19", "S000-23")
async def test_one_default_for_each_loop() -> None:
    """Fifty tasks that ask at the same time get one."""

    async def ask() -> ClientSession:
        await asyncio.sleep(0)
        return get_session()

    sessions = await asyncio.gather(*(ask() for _ in range(50)))
    assert len({id(each) for each in sessions}) == 1
    async with serve() as app:
        async with get_session().get(app.url("/get")) as response:
            assert response.status == 200
        await close_all_sessions()
        assert sessions[0].closed
        assert get_session() is not sessions[0]
        await close_session()


@pytest.mark.rows("S000-19")
def test_without_a_loop(loop_name: str) -> None:
    with pytest.raises(RuntimeError, match="no event loop runs"):
        get_session()


@pytest.mark.rows("S000-23")
def test_each_loop_gets_its_own_and_closes_it(loop_name: str) -> None:
    """``asyncio.run()`` ends with the session closed, and nothing is left for the collector to warn of."""
    kept = []

    async def main() -> None:
        async with serve() as app:
            session = get_session()
            kept.append(session)
            async with session.get(app.url("/get")) as response:
                assert response.status == 200

    run(loop_name, main())
    run(loop_name, main())
    first, second = kept
    assert first is not second
    assert len(context._defaults._kept) == 1  # the one of the loop before was dropped
    assert first.closed
    assert second.closed
    assert first.connector is None
    kept.clear()
    del first, second
    gc.collect()


def test_a_loop_closed_without_its_end(loop_name: str) -> None:
    """Its session warns, as each that was never closed does, and the next one gets its own."""
    loop = LOOPS[loop_name]()

    async def main() -> ClientSession:
        return get_session()

    session = loop.run_until_complete(main())
    loop.close()

    async def other() -> None:
        assert get_session() is not session
        await close_all_sessions()

    run(loop_name, other())
    session.detach()


@pytest.mark.rows("S000-24")
async def test_it_is_logged_when_a_default_session_is_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At the level for debugging, once for each event loop."""
    with caplog.at_level("DEBUG", "aioclient.context"):
        get_session()
        get_session()
    await close_session()
    records = [record for record in caplog.records if record.name == "aioclient.context"]
    assert [(record.levelname, record.message) for record in records] == [
        ("DEBUG", "make a session for the event loop")
    ]


@pytest.mark.rows("S000-20", "S000-21")
async def test_set_and_clear() -> None:
    async with ClientSession() as session:
        token = set_session(session)
        assert get_session() is session
        clear_session()
        assert not session.closed
        assert get_session() is not session
        set_session(session)
        token.var.reset(token)
        assert get_session() is not session
        await close_session()
        set_session(session)
        await close_session()
        assert session.closed
        assert get_session() is not session
    await close_session()
    await close_session()  # there is none


@pytest.mark.rows("S000-20")
def test_a_session_set_needs_no_loop(loop_name: str) -> None:
    async def make() -> ClientSession:
        return ClientSession()

    loop = LOOPS[loop_name]()
    session = loop.run_until_complete(make())

    def look() -> ClientSession:
        set_session(session)
        return get_session()

    assert contextvars.copy_context().run(look) is session
    loop.run_until_complete(session.close())
    loop.close()


@pytest.mark.rows("S000-22")
async def test_children_inherit_and_siblings_do_not_see() -> None:
    async with ClientSession() as outer, ClientSession() as inner:
        set_session(outer)

        async def child() -> ClientSession:
            assert get_session() is outer
            set_session(inner)
            return get_session()

        assert await asyncio.create_task(child()) is inner
        assert get_session() is outer

        def thread() -> None:
            with pytest.raises(RuntimeError, match="no event loop runs"):
                get_session()

        with ThreadPoolExecutor(1) as pool:
            pool.submit(thread).result()
        clear_session()


@pytest.mark.rows("S000-16", "S000-17", "S000-18")
async def test_blocks_nest() -> None:
    """A block gives back what was there before, also when it is entered again within itself."""
    async with ClientSession() as first:
        scope = use_session(first)
        async with scope as given:
            assert given is first
            async with use_session() as second:
                assert get_session() is second
                async with scope:
                    assert get_session() is first
                assert get_session() is second
            assert second.closed
            with pytest.raises(RuntimeError, match="Session is closed"):
                await second.get("http://a.test/")
            with use_session(first):
                assert get_session() is first
            assert get_session() is first
        assert not first.closed
        with pytest.raises(LookupError):
            async with use_session(first):
                raise LookupError
        assert get_session() is not first
        await close_session()


@pytest.mark.both_protocols
@pytest.mark.rows("S000-06")
async def test_other_credentials_for_a_block() -> None:
    """Tasks serve different users over one connector; cookies and fields of one are not sent for another."""
    async with (
        serve() as app,
        ClientSession(
            app.origin + "/",
            headers={"Authorization": "Bearer app", "Cookie": "a=b", "X-App": "1"},
            cookie_jar=aioclient.CookieJar(unsafe=True),
        ) as session,
    ):
        async with session.get("cookies/set", params={"of": "app"}):
            pass

        async def serve_user(name: str) -> None:
            async with use_session(session, auth=(name, "pw")) as own:
                async with get_session().get("cookies/set", params={"of": name}) as response:
                    await response.read()
                async with get_session().get("headers") as response:
                    headers = CIMultiDict((await response.json())["headers"])
                assert headers["Authorization"] == aioclient.BasicAuth(name, "pw").encode()
                assert headers["Cookie"] == f"of={name}"
                assert headers["X-App"] == "1"
            assert own.closed
            assert not session.closed

        await asyncio.gather(*(serve_user(f"user{number}") for number in range(5)))
        with use_session(session, auth=None) as same:
            assert same is session
        with use_session(session, auth=aioclient.NO_AUTH) as own:
            async with own.get("headers") as response:
                assert "Authorization" not in dict((await response.json())["headers"])
        assert own.closed
        assert session.connector is not None


@pytest.mark.both_protocols
async def test_other_credentials_for_a_new_session() -> None:
    async with (
        serve() as app,
        use_session(auth=("u", "p")) as session,
        session.get(app.url("/basic-auth/u/p")) as response,
    ):
        assert response.status == 200


async def test_sessions_that_are_none() -> None:
    import aiohttp

    for wrong in (None, aioclient.Session, object()):
        with pytest.raises(TypeError, match=r"takes an aioclient\.ClientSession"):
            set_session(wrong)  # type: ignore[arg-type]
    async with aiohttp.ClientSession() as theirs:
        with pytest.raises(TypeError, match=r"takes an aioclient\.ClientSession"):
            use_session(theirs)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="use 'async with'"), use_session():
        pass
    async with ClientSession() as session:
        await session.close()
        with pytest.raises(RuntimeError, match="Session is closed"):
            session.with_auth(None)


def test_defaults_of_other_threads_are_closed(loop_name: str) -> None:
    ready, done = threading.Event(), threading.Event()
    sessions = []

    async def other() -> None:
        sessions.append(get_session())
        ready.set()
        while not done.is_set():
            await asyncio.sleep(0)

    thread = threading.Thread(target=run, args=(loop_name, other()))
    thread.start()
    ready.wait()
    run(loop_name, close_all_sessions())
    assert sessions[0].closed
    done.set()
    thread.join()


def test_a_loop_of_another_thread_that_ends_meanwhile(
    loop_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It cannot close its session any more, and nobody waits for it."""
    ready, go = threading.Event(), threading.Event()
    sessions = []
    loop = LOOPS[loop_name]()

    async def other() -> None:
        sessions.append(get_session())
        ready.set()
        go.wait()  # it holds its loop up, until that has been asked to close the session

    def run_and_close() -> None:
        loop.run_until_complete(other())
        loop.close()

    async def main() -> None:
        closing = asyncio.create_task(close_all_sessions())
        await asyncio.sleep(0)
        go.set()
        await closing

    thread = threading.Thread(target=run_and_close)
    thread.start()
    ready.wait()
    run(loop_name, main())
    thread.join()
    sessions.pop().detach()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's word of the coroutine that its loop did not run
        gc.collect()
    caplog.clear()


def test_loops_that_begin_at_the_same_time(loop_name: str) -> None:
    """Each gets its own session, and drops those of loops that have ended meanwhile."""
    begin = threading.Barrier(8)

    async def main() -> None:
        session = get_session()
        assert get_session() is session

    def begin_again() -> None:
        begin.wait()
        for _ in range(20):
            run(loop_name, main())

    with ThreadPoolExecutor(8) as pool:
        for call in [pool.submit(begin_again) for _ in range(8)]:
            call.result()


async def test_one_scope_for_several_tasks() -> None:
    async with ClientSession() as session:
        scope = use_session(session)
        entered = asyncio.Barrier(3)

        async def task() -> None:
            async with scope:
                await entered.wait()
                assert get_session() is session

        await asyncio.gather(*(task() for _ in range(3)))


async def test_a_block_left_in_another_context() -> None:
    async with ClientSession() as session:
        scope = use_session(session)
        contextvars.copy_context().run(scope.__enter__)
        with pytest.raises(RuntimeError, match="enter and leave it in one task"):
            scope.__exit__(None, None, None)


async def test_a_subclass_keeps_its_class() -> None:
    class Mine(ClientSession):
        pass

    async with Mine() as session:
        with use_session(session, auth=("a", "b")) as own:
            assert type(own) is Mine
