"""The real tekore over these senders, unchanged, against a fake of the API that it speaks to."""

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest
import tekore

from aioclient import senders
from aioclient.senders import AsyncSender, CachingSender, RetryingSender, SyncSender

ALBUM = {"error": {"status": 404, "message": "no"}}


class Handler(BaseHTTPRequestHandler):
    """A part of the Web API: each path answers in a way of its own."""

    protocol_version = "HTTP/1.1"
    origin: ClassVar[str]
    seen: ClassVar[list[tuple[str, str, Any, str]]] = []
    answers: ClassVar[dict[str, list[tuple[int, dict[str, str], Any]]]] = {}

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        path = self.path.partition("?")[0]
        self.seen.append((self.command, self.path, dict(self.headers.items()), body))
        listed = self.answers.get(path) or [(404, {}, ALBUM)]
        status, fields, content = listed.pop(0) if len(listed) > 1 else listed[0]
        if fields.get("ETag") and self.headers.get("If-None-Match") == fields["ETag"]:
            status, content = 304, None
        data = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if status not in (204, 304) and self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Handler]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    origin = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr("tekore._client.base.prefix", origin + "/v1/")
    monkeypatch.setattr("tekore._auth.expiring.client.OAUTH_TOKEN_URL", origin + "/token")
    Handler.origin = origin
    Handler.seen = []
    Handler.answers = {}
    yield Handler
    server.shutdown()
    server.server_close()
    thread.join()


def chain(is_async: bool) -> Any:
    return RetryingSender(
        2, CachingSender(10, AsyncSender() if is_async else SyncSender()), sleep=lambda _: None
    )


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Any:
    """Call a function with a chain of senders of either kind; its result is awaited if need be."""

    def call(function: Any) -> Any:
        if not request.param:
            with chain(False) as sender:
                return function(sender)

        async def main() -> Any:
            async with chain(True) as sender:
                return await function(sender)

        return asyncio.run(main())

    return call


CATEGORY = {"href": "h", "icons": [], "id": "c", "name": "Pop"}


@pytest.mark.rows("S001-17")
def test_a_call(api: Any, run: Any) -> None:
    api.answers["/v1/browse/categories/c"] = [(200, {}, CATEGORY)]
    category = run(lambda sender: tekore.Spotify("tok", sender=sender).category("c"))
    assert category.name == "Pop"
    method, _, headers, _ = api.seen[0]
    assert method == "GET"
    assert headers["Authorization"] == "Bearer tok"


def test_nothing_to_return(api: Any, run: Any) -> None:
    api.answers["/v1/me/player"] = [(204, {}, None)]
    assert run(lambda sender: tekore.Spotify("tok", sender=sender).playback()) is None


def test_errors_are_tekore_s(api: Any, run: Any) -> None:
    with pytest.raises(tekore.NotFound):
        run(lambda sender: tekore.Spotify("tok", sender=sender).category("none"))
    api.answers["/v1/browse/categories/c"] = [(401, {}, {"error": {"message": "expired"}})]
    with pytest.raises(tekore.Unauthorised):
        run(lambda sender: tekore.Spotify("tok", sender=sender).category("c"))


def test_waits_and_retries(api: Any, run: Any) -> None:
    api.answers["/v1/browse/categories/c"] = [
        (429, {"Retry-After": "3"}, ALBUM),
        (503, {}, ALBUM),
        (500, {}, ALBUM),
        (200, {}, CATEGORY),
    ]
    category = run(lambda sender: tekore.Spotify("tok", sender=sender).category("c"))
    assert category.id == "c"
    assert len(api.seen) == 4


def test_kept_and_validated(api: Any, run: Any) -> None:
    fields = {"Cache-Control": "public, max-age=0", "ETag": '"e"', "Vary": "Accept-Encoding"}
    api.answers["/v1/browse/categories/c"] = [(200, fields, CATEGORY)]

    def twice(sender: Any) -> Any:
        spotify = tekore.Spotify("tok", sender=sender)
        if not sender.is_async:
            return [spotify.category("c"), spotify.category("c")]

        async def later() -> Any:
            return [await spotify.category("c"), await spotify.category("c")]

        return later()

    first, second = run(twice)
    assert first.name == second.name == "Pop"
    assert [seen[2].get("If-None-Match") for seen in api.seen] == [None, '"e"']


def test_a_short_link_is_not_followed(api: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    api.answers["/short"] = [(307, {"Location": "https://open.example/track/1"}, None)]

    def follow(sender: Any) -> Any:
        return tekore.Spotify("tok", sender=sender).follow_short_link(api.origin + "/short")

    assert run(follow) == "https://open.example/track/1"
    assert api.seen[0][0] == "HEAD"


def test_credentials(api: Any, run: Any) -> None:
    token = {"access_token": "at", "token_type": "Bearer", "expires_in": 3600}
    api.answers["/token"] = [(200, {}, token)]
    given = run(
        lambda sender: tekore.Credentials("id", "secret", sender=sender).request_client_token()
    )
    assert given.access_token == "at"
    method, _, headers, body = api.seen[0]
    assert method == "POST"
    assert headers["Authorization"].startswith("Basic ")
    assert body == "grant_type=client_credentials"
    api.answers["/token"] = [(400, {}, {"error": "invalid_grant", "error_description": "revoked"})]
    with pytest.raises(tekore.BadRequest):
        run(
            lambda sender: tekore.Credentials(
                "id", "secret", redirect_uri="http://a.test/", sender=sender
            ).request_user_token("code")
        )


@pytest.mark.rows("S001-16")
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_chains_of_both(api: Any, is_async: bool) -> None:
    """Ours around tekore's, and tekore's around ours."""
    fields = {"Cache-Control": "public, max-age=100"}
    api.answers["/v1/browse/categories/c"] = [(500, {}, ALBUM), (200, fields, CATEGORY)]

    def of(library: Any) -> Any:
        return library.AsyncSender() if is_async else library.SyncSender()

    def twice(sender: Any) -> list[str]:
        spotify = tekore.Spotify("tok", sender=sender)
        found = [spotify.category("c").name for _ in range(2)]
        sender.close()
        return found

    async def twice_awaited(sender: Any) -> list[str]:
        spotify = tekore.Spotify("tok", sender=sender)
        found = [(await spotify.category("c")).name for _ in range(2)]
        await sender.close()
        return found

    for chain in (
        RetryingSender(1, CachingSender(9, of(tekore)), sleep=lambda _: None),
        CachingSender(9, RetryingSender(1, of(tekore), sleep=lambda _: None)),
        tekore.RetryingSender(0, tekore.CachingSender(9, of(senders))),
    ):
        names = asyncio.run(twice_awaited(chain)) if is_async else twice(chain)
        assert names == ["Pop", "Pop"]
    assert len(api.seen) == 4  # each chain kept its own; the first answer was an error


def test_by_sender_alone(api: Any) -> None:
    api.answers["/v1/browse/categories/c"] = [(200, {}, CATEGORY)]
    with SyncSender() as sender:
        assert tekore.Spotify("tok", sender=sender).category("c").name == "Pop"
