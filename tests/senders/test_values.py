"""Requests, responses and the classes' signatures: tekore's, and nothing secret in what is shown."""

import copy
import inspect
import pickle
import traceback
from typing import Any

import pytest
import tekore
from multidict import CIMultiDict, CIMultiDictProxy

from aioclient import senders
from aioclient.senders import Request, Response, errors

SECRETS = ("geheim", "cr3t")


@pytest.mark.rows("S001-01", "S001-02")
def test_nothing_secret_is_shown() -> None:
    """Neither fields nor bodies, and of the URL no login and no query that holds a secret."""
    request = Request(
        "POST",
        "https://u:geheim@a.test/token?api_key=geheim&page=1",
        {"key": "geheim"},
        {"Authorization": "Bearer geheim"},
        {"client_secret": "cr3t"},
    )
    response = Response(request.url, {"Set-Cookie": "a=geheim"}, 401, {"access_token": "geheim"})
    error = errors.error_for(request, response)
    assert error is not None
    shown = [repr(request), repr(response), str(error), *traceback.format_exception(error)]
    for text in shown:
        assert not any(secret in text for secret in SECRETS), text
    assert repr(request) == "Request(method='POST', url='https://a.test/token?api_key=***&page=1')"
    assert repr(response).endswith("status_code=401)")
    assert str(error) == "POST https://a.test/token: 401 Unauthorized"
    assert repr(Request("GET", "http://[nonsense")).startswith("Request(method='GET', url=")
    assert request == Request(**vars(request))


@pytest.mark.rows("S001-02", "S001-18")
def test_copies() -> None:
    """Requests, responses and errors may be copied, and sent to another process."""
    request = Request("GET", "http://a.test/", headers={"A": "b"})
    fields: Any = CIMultiDictProxy(CIMultiDict([("X", "1"), ("X", "2")]))
    response = Response("http://a.test/", fields, 401, {"a": [1]}, b"raw")
    error: Any = errors.error_for(request, response)
    error.scope = "read"
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(copied) is errors.Unauthorised
        assert (str(copied), copied.scope, copied.request) == (str(error), "read", request)
        assert copied.response == response
        assert copied.response.raw == b"raw"
        assert copied.response.headers.getall("x") == ["1", "2"]
    deep = copy.deepcopy(response)
    deep.content["a"].append(2)
    assert response.content == {"a": [1]}


# What tekore's may be called with, ours may be called with.
@pytest.mark.rows("S001-03", "S001-04", "S001-05", "S001-08", "S001-09", "S001-10", "S001-14")
@pytest.mark.parametrize(
    "name",
    [
        "Request",
        "Response",
        "Sender",
        "SyncSender",
        "AsyncSender",
        "ExtendingSender",
        "RetryingSender",
        "CachingSender",
        "Client",
    ],
)
def test_signatures_are_tekore_s(name: str) -> None:
    """Names, order, kinds and defaults of its parameters; what ours take beside them comes after."""
    kind: Any = getattr(tekore, name, None) or getattr(tekore._sender, name)
    theirs = list(inspect.signature(kind).parameters.values())
    ours = list(inspect.signature(getattr(senders, name)).parameters.values())
    for one, other in zip(theirs, ours, strict=False):
        assert (one.name, one.kind) == (other.name, other.kind)
        assert one.default in (other.default, one.empty)
    assert len(ours) >= len(theirs)
    for more in ours[len(theirs) :]:
        assert more.kind in (more.KEYWORD_ONLY, more.VAR_KEYWORD) or name == "Response"


@pytest.mark.rows("S001-08", "S001-09", "S001-10", "S001-16")
def test_reprs_are_tekore_s() -> None:
    def chain(library: Any) -> Any:
        return library.RetryingSender(3, library.CachingSender(10, library.SyncSender()))

    ours, theirs = chain(senders), chain(tekore)
    assert repr(ours) == repr(theirs)
    ours.close()
    theirs.close()
