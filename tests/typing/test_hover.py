"""What editors show for an argument: type checkers take it from its TypedDict, ``help()`` from the method."""

import ast
import inspect
import re
import textwrap

import pytest

import aioclient
import aioclient.connectors.base as connectors
from aioclient.session import arguments, websocket

COMMON = ("params", "data", "json", "headers", "cookies", "auth", "timeout", "allow_redirects")


def of_the_dictionary(module: object, name: str) -> dict[str, str]:
    """Return the arguments that a TypedDict names, in order, with the text that stands below each."""
    tree = ast.parse(inspect.getsource(getattr(module, name))).body[0]
    assert isinstance(tree, ast.ClassDef)
    found: dict[str, str] = {}
    for base in tree.bases:
        if isinstance(base, ast.Name) and base.id != "TypedDict":
            found |= of_the_dictionary(module, base.id)
    for line, below in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            text = (
                below.value.value
                if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
                else ""
            )
            found[line.target.id] = " ".join(str(text).split())
    return found


def of_the_method(method: object) -> dict[str, str]:
    """Return what a docstring says to each argument."""
    section = re.search(r"^Args:\n(.*?)(?:\n\n|\Z)", inspect.getdoc(method) or "", re.M | re.S)
    assert section is not None
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", textwrap.dedent(section[1])):
        names, _, text = entry.partition(": ")
        found |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return found


def test_requests() -> None:
    """Each argument of a request has its text, and request() says the same: a new one is written in both places."""
    texts = of_the_dictionary(arguments, "RequestArguments")
    described = of_the_method(aioclient.ClientSession.request)
    assert texts == {name: text for name, text in described.items() if name in texts}
    assert described.keys() - texts.keys() == {"method", "url"}


def test_sessions() -> None:
    """So has each argument of a session that its signature does not name."""
    texts = of_the_dictionary(arguments, "SessionOptions")
    described = of_the_method(aioclient.ClientSession)
    assert texts == {name: described[name] for name in texts}


def test_connectors() -> None:
    """So has each argument that all connectors have."""
    texts = of_the_dictionary(connectors, "ConnectorArguments")
    described = of_the_method(aioclient.BaseConnector)
    assert texts == {name: described[name] for name in texts}
    assert described.keys() - texts.keys() == {"limit", "limit_per_host"}


@pytest.mark.parametrize("name", ["SocketArguments", "HeadersArgument"])
def test_websockets(name: str) -> None:
    """So has each argument of ws_connect() that a request does not have."""
    texts = of_the_dictionary(websocket, name)
    described = of_the_method(aioclient.ClientSession.ws_connect)
    assert texts == {name: described[name] for name in texts}


def test_order() -> None:
    """What many calls have comes first in signature help, old spellings last."""
    names = [*of_the_dictionary(arguments, "RequestArguments")]
    assert tuple(names[: len(COMMON)]) == COMMON
    assert names[-1] == "encoding"
    named = [*inspect.signature(aioclient.ClientSession).parameters]
    assert named[:5] == ["base_url", "headers", "cookies", "auth", "timeout"]
    assert next(iter(of_the_dictionary(websocket, "WebSocketArguments"))) == "headers"
