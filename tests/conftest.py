"""How the tests run: async functions on an event loop, nothing left behind, no hang, no warning.

Marks:

- `@pytest.mark.both_loops`: run on asyncio and on uvloop
- `@pytest.mark.both_protocols`: run over HTTP/1.1 and over HTTP/2 with prior knowledge; the session's default
  is changed, and the servers are `servers.either.RawServer` and those of `servers.app`; with `tls=True` a third
  time, over HTTP/2 as the TLS handshake chooses
- `@pytest.mark.http1_only(reason)`: one of them that is about HTTP/1.1 itself
- `@pytest.mark.without_tls(reason)`: one of them that is not run by TLS
- `@pytest.mark.virtual_clock`: run on an asyncio loop whose timers fire at once; of this mark and `both_loops` the
  nearer one counts
- `@pytest.mark.hang_limit(seconds)`: real seconds after which the test is ended, instead of 60
- `@pytest.mark.rows("S003-41", ...)`: the rows of the specification that the test shows; `-k S003-41`
  finds it. A parametrised test may begin its ids with the row instead.
- `@pytest.mark.reports("owner/repository#1", ...)`: the public threads of users who met the fault that
  the test stages, in `tests/reports/`

A hang that holds the event loop itself is ended by `faulthandler_timeout` in `setup.cfg`.

Without `both_protocols`, because HTTP/2 would add time alone: tests of the pool and the sockets of HTTP/1.1
(`connectors/`, whose counterparts are `test_sharing.py` and `test_http2_*.py`), of rules that are applied before a
byte is sent (`message/`), of steps around a handler without a server, of libraries and programs.

`--loop=uvloop` runs every test without a mark of its own on uvloop. `--protocols=http1` leaves out the second one.
"""

import asyncio
import gc
import inspect
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop

from aioclient.testing import LeakWatch, VirtualClockLoop, within

from . import spoken
from .servers.certificates import Certificates
from .servers.nginx import Nginx
from .servers.proxies import LOGIN, Dante, Microsocks, Squid, Stunnel, Tinyproxy

HANG_LIMIT = 60.0

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloop.new_event_loop,
    "virtual": VirtualClockLoop,
}

LOOP_MARKS = ("both_loops", "virtual_clock")

watches = pytest.StashKey[LeakWatch]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--loop", choices=["asyncio", "uvloop"], default="asyncio", help="the default event loop"
    )
    parser.addoption(
        "--protocols",
        choices=["both", "http1"],
        default="both",
        help="what tests of both protocols run over",
    )


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts what it runs in the background with Ctrl-C ignored, and processes of the tests would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for line in (
        "both_loops: run on asyncio and on uvloop",
        "both_protocols(tls=False): run over HTTP/1.1 and over HTTP/2, by TLS as well",
        "http1_only(reason): not over HTTP/2, although its module runs over both",
        "without_tls(reason): not over HTTP/2 by TLS, although its module runs over that, too",
        "virtual_clock: run on a loop whose timers fire at once",
        "hang_limit(seconds): end the test after that long, instead of 60 s",
        "rows(*ids): the rows of the specification that the test shows",
        "reports(*threads): public reports of the fault that the test stages",
    ):
        config.addinivalue_line("markers", line)


def pytest_itemcollected(item: pytest.Item) -> None:
    for mark in item.iter_markers("rows"):
        item.extra_keyword_matches.update(mark.args)


def pytest_collection_finish() -> None:
    # What was imported stays; without it the collection after each test takes under a millisecond.
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    # So does what a module's tests imported while they ran.
    if nextitem is not None and nextitem.path != item.path:
        gc.collect()
        gc.freeze()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    definition = metafunc.definition
    of_loops = (mark.name for mark in definition.iter_markers() if mark.name in LOOP_MARKS)
    if next(of_loops, None) == "both_loops":
        metafunc.parametrize("loop_name", ["asyncio", "uvloop"], indirect=True)
    if (
        inspect.iscoroutinefunction(metafunc.function)
        and (mark := metafunc.definition.get_closest_marker("both_protocols"))
        and not metafunc.definition.get_closest_marker("http1_only")
        and metafunc.config.getoption("protocols") == "both"
    ):
        versions = [spoken.HTTP1, spoken.HTTP2]
        if mark.kwargs.get("tls"):
            versions.append(spoken.HTTP2_BY_TLS)
        metafunc.parametrize("http_version", versions, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Marks of single parameters are known only now.
    left_out = [
        item
        for item in items
        if isinstance(item, pytest.Function)
        and hasattr(item, "callspec")
        and (version := item.callspec.params.get("http_version", spoken.HTTP1)) != spoken.HTTP1
        and (
            item.get_closest_marker("http1_only")
            or (version == spoken.HTTP2_BY_TLS and item.get_closest_marker("without_tls"))
        )
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(autouse=True)
def http_version(request: pytest.FixtureRequest) -> Iterator[str]:
    """The version of HTTP that sessions and servers of this test speak."""
    name = str(getattr(request, "param", spoken.HTTP1))
    contexts = None
    if name == spoken.HTTP2_BY_TLS:
        contexts = request.getfixturevalue("certificates").contexts()
    with spoken.speaking(name, contexts):
        yield name


@pytest.fixture(autouse=True)
def loop_name(request: pytest.FixtureRequest) -> str:
    """The event loop this test runs on."""
    if hasattr(request, "param"):
        return str(request.param)
    if request.node.get_closest_marker("virtual_clock"):
        return "virtual"
    return str(request.config.getoption("loop"))


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest, loop_name: str) -> Iterator[None]:
    """Fail the test when it leaks a socket, a task, a pool slot, an exception or a warning."""
    with LeakWatch() as watch:
        request.node.stash[watches] = watch
        yield


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate authority made for this run, and what it signed."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Nginx]:
    """One nginx process for all tests."""
    with Nginx(tmp_path_factory.mktemp("nginx"), certificates) as server:
        yield server


@pytest.fixture(scope="session")
def squid() -> Iterator[Squid]:
    """One squid process for all tests."""
    with Squid() as proxy:
        yield proxy


@pytest.fixture(scope="session")
def tinyproxy() -> Iterator[Tinyproxy]:
    """One tinyproxy process for all tests."""
    with Tinyproxy() as proxy:
        yield proxy


@pytest.fixture(scope="session")
def https_proxy(certificates: Certificates, tinyproxy: Tinyproxy) -> Iterator[Stunnel]:
    """The same behind TLS."""
    with Stunnel(certificates, tinyproxy.ports["port"]) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def microsocks() -> Iterator[Microsocks]:
    """One microsocks process for all tests, which wants a login."""
    with Microsocks(LOGIN) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def dante() -> Iterator[Dante]:
    """One dante process for all tests."""
    with Dante() as proxy:
        yield proxy


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if call.when == "call" and report.failed and watches in item.stash:
        item.stash[watches].skip()
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    function = pyfuncitem.obj
    if not inspect.iscoroutinefunction(function):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(function).parameters}
    test: Coroutine[Any, Any, None] = function(**arguments)
    watch = pyfuncitem.stash[watches]
    with asyncio.Runner(loop_factory=LOOPS[str(pyfuncitem.funcargs["loop_name"])]) as runner:
        runner.run(within(_hang_limit(pyfuncitem), watch.run(test)))
    return True


def _hang_limit(item: pytest.Item) -> float:
    mark = item.get_closest_marker("hang_limit")
    return float(mark.args[0]) if mark else HANG_LIMIT
