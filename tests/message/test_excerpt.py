"""What of a response's body may stand in a message."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclient import BasicAuth, ClientResponse, ClientSession, InvalidJSONError, StatusError
from aioclient.message.excerpt import MAX_EXCERPT, beginning
from aioclient.testing import RawServer

from ..loopback import answer

SECRET = 'gehei"m/ü'


async def shown(body: bytes, media_type: str = "application/json", **arguments: Any) -> str:
    """Return what the error for a 400 with this body says behind ``body:``."""
    reply = answer(body, f"Content-Type: {media_type}", status="400 No")
    async with RawServer.replies([reply]) as server, ClientSession() as session:
        url = server.url(arguments.pop("target", "/"))
        with pytest.raises(StatusError) as caught:
            await session.post(url, raise_for_status=True, **arguments)
    return str(caught.value).partition(", body: ")[2]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"error": "no such item"}', '{"error": "no such item"}'),
        ('{"token": "geheim", "a": 1}', '{"token": ***, "a": 1}'),
        ('{"accessToken" : "gehe\\"im", "a": 1}', '{"accessToken" : ***, "a": 1}'),
        ('{"client_secret": 12345, "a": 1}', '{"client_secret": ***, "a": 1}'),
        ('{"token": null, "a": 1}', '{"token": null, "a": 1}'),
        ('{"credentials": {"user": "geheim"}, "a": 1}', '{"credentials": ***'),
        ('{"token": "geheim', '{"token": ***'),
        ('{"token": "geheim\\', '{"token": ***'),
        (
            '{"detail": "{\\"token\\": \\"geheim\\"}", "a": 1}',
            '{"detail": "{\\"token\\": ***}", "a": 1}',
        ),
        ('say " {"token": "geheim"}', 'say " {"token": ***}'),
        ("{'token': 'geheim', 'a': 1}", "{'token': ***, 'a': 1}"),
        ('{token: "geheim", a: 1}', "{token: ***, a: 1}"),
        ("user=x&password=geheim&a=1", "user=x&password=***&a=1"),
        ('{"error": "bad token: expired"}', '{"error": "bad token: expired"}'),
        ("a\r\n\x1b[31m\u202eb", "a\\r\\n\\x1b[31m\\u202eb"),
    ],
)
async def test_names_of_secrets(body: str, expected: str) -> None:
    """Values of secret names are replaced, whatever the notation; control characters are escaped."""
    assert await shown(body.encode()) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        {"headers": {"Authorization": f"Bearer {SECRET}"}},
        {"auth": BasicAuth("user", SECRET)},
        {"headers": {"X-Api-Key": SECRET}},
        {"headers": {"Cookie": f"a=b; sid={SECRET}"}},
        {"cookies": {"sid": SECRET.replace('"', "")}},
        {"target": "/?api_key=gehei%22m%2F%C3%BC"},
        {"json": {"user": "x", "password": SECRET}},
        {"data": {"user": "x", "password": SECRET}},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
@pytest.mark.parametrize(
    "echo",
    [
        str,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: "x" * (MAX_EXCERPT - 10) + text,
    ],
    ids=["plain", "json", "json-utf-8", "cut"],
)
async def test_secrets_of_the_request(
    arguments: dict[str, Any], echo: Callable[[str], str]
) -> None:
    """What the request carried as a secret is replaced wherever the server repeats it."""
    secret = SECRET.replace('"', "") if "cookies" in arguments else SECRET
    text = await shown(
        f"sorry {echo(secret)} no".encode(), "text/plain; charset=utf-8", **arguments
    )
    assert "gehei" not in text
    assert "***" in text


async def test_length() -> None:
    """At most 200 characters are shown."""
    assert await shown(b"x" * 200) == "x" * 200
    assert await shown(b"x" * 201) == "x" * 200 + "…"


@given(st.text())
def test_any_text(text: str) -> None:
    """What is shown can be printed, on one line."""
    assert beginning(text).isprintable()


@pytest.mark.parametrize("media_type", ["application/octet-stream", "image/png"])
async def test_other_types(media_type: str) -> None:
    """A body that is not text is not shown."""
    assert await shown(b"ok", media_type) == ""


async def test_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """show_body=False leaves the body out of the message, of an error that was made before, too."""
    reply = answer(b"no", "Content-Type: text/plain", status="400 No")
    async with RawServer.replies([reply], repeat=True) as server, ClientSession() as session:
        with pytest.raises(StatusError) as caught:
            await session.get(server.url(), raise_for_status=True)
        assert "body: no" in str(caught.value)
        monkeypatch.setattr(StatusError, "show_body", False)
        assert "body" not in str(caught.value)
        with pytest.raises(StatusError) as caught:
            await session.get(server.url(), raise_for_status=True)
        assert caught.value.excerpt == ""
        assert caught.value.body == b"no"


async def loads(response: ClientResponse) -> object:
    return await response.json(content_type=None)


async def typed(response: ClientResponse) -> object:
    return await response.json(content_type=None, type=list[int])


@pytest.mark.parametrize("read", [loads, typed])
async def test_json_that_is_none(
    read: Callable[[ClientResponse], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a JSONDecodeError that says method, URL, status, type and the beginning of the body."""
    reply = answer(b"<p>\ntoken=geheim", "Content-Type: text/html")
    async with RawServer.replies([reply], repeat=True) as server, ClientSession() as session:
        async with session.get(server.url("/a?token=geheim")) as response:
            with pytest.raises(json.JSONDecodeError) as caught:
                await read(response)
        error = caught.value
        assert isinstance(error, InvalidJSONError)
        assert (error.msg, error.doc, error.pos) == ("Expecting value", "<p>\ntoken=geheim", 0)
        assert (error.status, error.content_type) == (200, "text/html")
        assert str(error) == (
            f"GET {server.url('/a?token=***')}: the body of this 200 response, text/html, is not JSON: "
            "Expecting value: line 1 column 1 (char 0); it begins: <p>\\ntoken=***"
        )
        monkeypatch.setattr(InvalidJSONError, "show_body", False)
        assert str(error).endswith("(char 0)")
