"""The package's names: what code that imports aiohttp's client finds here."""

import aiohttp
import pytest

import aioclient

# Names of aiohttp that have no place here, and why.
SERVER = ("GunicornUVLoopWebWorker", "GunicornWebWorker", "web")
INNER = (  # queues and tables of its own engine, deprecated helpers
    "AddrInfoType",
    "ChainMapProxy",
    "DataQueue",
    "EMPTY_PAYLOAD",
    "EofStream",
    "FlowControlDataQueue",
    "SocketFactoryType",
    "WebSocketError",
    "set_zlib_backend",
    "streamer",
)
ELSEWHERE = (  # ``response.content_disposition`` has it parsed
    "BadContentDispositionHeader",
    "BadContentDispositionParam",
    "content_disposition_filename",
    "parse_content_disposition",
)
WINDOWS = ("NamedPipeConnector",)
LEFT_OUT = {*SERVER, *INNER, *ELSEWHERE, *WINDOWS}


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
