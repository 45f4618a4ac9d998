"""The package's names: what code that imports aiohttp's client finds here."""

import importlib
import sys

import aiohttp
import pytest

import aioclient

# Names of aiohttp that are passed on to code that comes from there, and not offered to others.
PASSED_ON = (
    "AddrInfoType",
    "BadContentDispositionHeader",
    "BadContentDispositionParam",
    "ChainMapProxy",
    "DataQueue",
    "EofStream",
    "FlowControlDataQueue",
    "SocketFactoryType",
    "content_disposition_filename",
    "parse_content_disposition",
    "streamer",
)
LAZY = ("GunicornUVLoopWebWorker", "GunicornWebWorker")  # aiohttp imports gunicorn for them
# Names that would change nothing here, or be another thing.
ELSEWHERE = ("EMPTY_PAYLOAD", "NamedPipeConnector", "WebSocketError", "set_zlib_backend")
LEFT_OUT = {*PASSED_ON, *LAZY, *ELSEWHERE, "web"}


@pytest.mark.parametrize("name", sorted({*aiohttp.__all__} - LEFT_OUT))
def test_aiohttps_names(name: str) -> None:
    """A program changes ``import aiohttp`` to ``import aioclient as aiohttp`` and finds each name of the client."""
    assert hasattr(aioclient, name)
    assert name in aioclient.__all__


@pytest.mark.parametrize("name", sorted(aioclient.__all__))
def test_names_exist(name: str) -> None:
    """Every name that is offered exists."""
    assert getattr(aioclient, name) is not None


@pytest.mark.parametrize(
    "name", [name for name in dir(aiohttp) if isinstance(getattr(aiohttp, name), type)]
)
def test_exceptions_are_aiohttps(name: str) -> None:
    """An exception that has aiohttp's name is aiohttp's class, so either spelling catches it."""
    kind = getattr(aiohttp, name)
    if issubclass(kind, Exception) and hasattr(aioclient, name):
        assert getattr(aioclient, name) is kind


@pytest.mark.parametrize("name", PASSED_ON)
def test_names_passed_on(name: str) -> None:
    """They are aiohttp's own."""
    assert getattr(aioclient, name) is getattr(aiohttp, name)


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("client_exceptions", "ClientConnectorDNSError"),
        ("connector", "TCPConnector"),
        ("cookiejar", "CookieJar"),
        ("formdata", "FormData"),
        ("helpers", "BasicAuth"),
        ("http", "HttpVersion"),
        ("http_exceptions", "LineTooLong"),
        ("http_websocket", "WSMsgType"),
        ("multipart", "MultipartWriter"),
        ("tracing", "TraceConfig"),
        ("typedefs", "StrOrURL"),
        ("web", "Application"),
    ],
)
def test_modules(name: str, inside: str) -> None:
    """aiohttp's modules are found as attributes; those of what is ours have ours."""
    found = getattr(getattr(aioclient, name), inside)
    if name in ("connector", "cookiejar"):
        assert found is getattr(aioclient, inside)
    else:
        assert found is getattr(importlib.import_module(f"aiohttp.{name}"), inside)


@pytest.mark.parametrize("name", PASSED_ON)
def test_in_place_of_aiohttp(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are found, too, where a program has put this package in aiohttp's place, for a library to import."""
    monkeypatch.setitem(sys.modules, "aiohttp", aioclient)
    found = importlib.import_module("aiohttp")
    assert found is aioclient
    assert getattr(found, name) is getattr(aiohttp, name)


@pytest.mark.parametrize("name", [*ELSEWHERE, "client", "log", "streams", "test_utils"])
def test_names_that_are_elsewhere(name: str) -> None:
    """What would be another thing here is not there, and the error says what is."""
    with pytest.raises(AttributeError, match=f"has no attribute '{name}': .*") as caught:
        getattr(aioclient, name)
    assert caught.value.name == name


def test_unknown_names() -> None:
    """Others are missing as everywhere."""
    with pytest.raises(AttributeError, match=r"^module 'aioclient' has no attribute 'nope'$"):
        getattr(aioclient, "nope")  # noqa: B009
