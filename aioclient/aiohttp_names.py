"""Names of aiohttp for code with ``import aioclient as aiohttp``.

A name that means the same here is an alias. A name that would have no effect here, or another meaning, is missing, and
its ``AttributeError`` says what to use instead.
"""

from importlib import import_module
from typing import Final

import aiohttp

# Modules: ours of the same meaning, or aiohttp's own.
_MODULES: Final = {
    "client_exceptions": "aioclient.exceptions",
    "connector": "aioclient.connectors",
    "cookiejar": "aioclient.cookies",
    "formdata": "aiohttp.formdata",
    "helpers": "aiohttp.helpers",
    "http": "aiohttp.http",
    "http_exceptions": "aiohttp.http_exceptions",
    "http_websocket": "aiohttp.http_websocket",
    "multipart": "aiohttp.multipart",
    "tracing": "aiohttp.tracing",
    "typedefs": "aiohttp.typedefs",
    "web": "aiohttp.web",
}

# Names that aiohttp exports: types, functions and classes that work the same here.
_NAMES: Final = frozenset(
    (
        "AddrInfoType",
        "BadContentDispositionHeader",
        "BadContentDispositionParam",
        "ChainMapProxy",
        "DataQueue",
        "EofStream",
        "FlowControlDataQueue",
        "GunicornUVLoopWebWorker",
        "GunicornWebWorker",
        "SocketFactoryType",
        "content_disposition_filename",
        "parse_content_disposition",
        "streamer",
    )
)

_HINTS: Final = {
    "EMPTY_PAYLOAD": "no response has it as its content here: ask response.content.at_eof()",
    "NamedPipeConnector": "Windows' named pipes are not supported",
    "WebSocketError": "a message of type ERROR has another error as its data; aiohttp.WebSocketError is aiohttp's",
    "client": "its classes are those of aioclient itself",
    "client_reqrep": "its classes are those of aioclient itself",
    "client_ws": "its classes are those of aioclient itself",
    "log": "the loggers here are children of logging.getLogger('aioclient')",
    "resolver": "aioclient.DefaultResolver and ThreadedResolver resolve here; AsyncResolver is aiohttp's",
    "set_zlib_backend": "it changes aiohttp's decoding, and has no effect here; aiohttp.set_zlib_backend is aiohttp's",
    "streams": "aioclient.StreamReader is the class of response.content",
    "test_utils": "import aiohttp.test_utils; its TestClient makes a session of aiohttp's, its TestServer serves any",
}


def alias_of(name: str) -> object:
    """Return the object that aiohttp's *name* stands for here.

    Raises:
        AttributeError: nothing here; the text says what to use.
    """
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in _NAMES:
        return getattr(aiohttp, name)
    text = f"module 'aioclient' has no attribute {name!r}"
    if name in _HINTS:
        text += f": {_HINTS[name]}"
    raise AttributeError(text, name=name)
