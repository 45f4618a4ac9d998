"""Credentials of blocking sessions, senders and adapters: where they go, and that nothing shows them."""

import traceback
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import requests

import aioclient
from aioclient.adapters.httpx import Transport
from aioclient.adapters.requests import Adapter
from aioclient.senders import Request, SyncSender
from aioclient.sync import Session

from .conftest import Server, sent

SECRET = "geheim"
PROXY = f"http://u:{SECRET}@127.0.0.1:1"  # nobody listens


def of_session(**settings: Any) -> Any:
    return Session(**settings)


def of_sender(**settings: Any) -> Any:
    return SyncSender(**settings)


def of_httpx(proxies: Any, auth: Any, headers: Any) -> Any:
    return httpx.Client(transport=Transport(proxy=proxies["http"]), auth=auth, headers=headers)


def of_requests(proxies: Any, auth: Any, headers: Any) -> Any:
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", Adapter(proxy=proxies["http"]))
    session.auth = auth
    session.headers.update(headers)
    return session


def get(client: Any, url: str) -> Any:
    return client.send(Request("GET", url)) if isinstance(client, SyncSender) else client.get(url)


@pytest.mark.parametrize("make", [of_session, of_sender, of_httpx, of_requests])
def test_nothing_is_shown(make: Callable[..., Any]) -> None:
    """Neither by an object nor by an error, its causes and its traceback."""
    client = make(
        proxies={"http": PROXY}, auth=("u", SECRET), headers={"X-Api-Key": SECRET, "A": "b"}
    )
    with client, pytest.raises(Exception, match=r"127\.0\.0\.1") as caught:
        get(client, "http://a.test/")
    error: BaseException | None = caught.value
    shown = [*traceback.format_exception(caught.value), repr(client), str(client)]
    while error is not None:
        shown += [str(error), repr(error)]
        error = error.__cause__ or error.__context__
    for text in shown:
        assert SECRET not in text, text


@pytest.fixture
def other() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def test_a_sender_that_follows_redirects(server: Server, other: Server) -> None:
    """The fields of a request that say who asks stay with its origin."""
    fields = {"Authorization": "Bearer t", "X-Api-Key": "k", "Cookie": "c=1", "X-Other": "1"}
    with SyncSender(follow_redirects=True) as sender:
        for target, there in ((server, True), (other, False)):
            url = f"{server.url}/moved?status=302&to={target.url}/echo"
            got = sender.send(Request("GET", url, headers=dict(fields))).content["headers"]
            assert got["X-Other"] == "1"
            for name in ("Authorization", "X-Api-Key", "Cookie"):
                assert (name in got) is there, name


def test_a_base_url_keeps_the_session_s_credentials(server: Server, other: Server) -> None:
    with Session(server.url + "/", auth=("u", "p"), headers={"X-Api-Key": "k"}) as session:
        assert "Authorization" in sent(session.get("echo"))["headers"]
        with session.get(f"{other.url}/echo") as response:
            assert "Authorization" not in sent(response)["headers"]


def test_a_prepared_request_shows_nothing() -> None:
    with Session(auth=("u", SECRET)) as session:
        request = aioclient.sync.Request("GET", f"http://u:{SECRET}@a.test/", headers={"A": "b"})
        prepared = session.prepare_request(request)
        assert SECRET not in repr(request) + repr(prepared) + prepared.url
        assert "Authorization" in prepared.headers
