"""Clients that are written once."""

import asyncio
import pickle
from typing import Any

import pytest

from aioclient import senders
from aioclient.senders import (
    AsyncSender,
    Client,
    ExtendingSender,
    Request,
    Response,
    RetryingSender,
    SenderConflictWarning,
    SyncSender,
    errors,
    send_and_process,
)

from .scripted import Scripted, answer


def title(request: Request, response: Response, suffix: str = "") -> str:
    if (error := errors.error_for(request, response)) is not None:
        raise error
    return response.content["title"] + suffix  # type: ignore[no-any-return]


class Api(Client[Any]):
    """A client of an API, with a prefix and a token."""

    def send(self, request: Request) -> Any:
        request.url = "http://a.test/v1/" + request.url
        request.headers = {"Authorization": "Bearer t", **(request.headers or {})}
        return self.sender.send(request)

    @send_and_process(title)
    def track(self, number: int, suffix: str = "") -> tuple[Request, tuple[str]]:
        if number < 0:
            raise ValueError(f"number={number}")
        return Request("GET", f"tracks/{number}"), (suffix,)


@pytest.mark.rows("S001-14", "S001-17")
def test_the_sender_decides() -> None:
    inner = Scripted(answer(content={"title": "T"}))
    assert Api(inner).track(1, suffix="!") == "T!"
    assert inner.asked[0].url == "http://a.test/v1/tracks/1"
    assert inner.asked[0].headers == {"Authorization": "Bearer t"}
    later = Api(Scripted(answer(content={"title": "T"}), is_async=True)).track(1)
    assert asyncio.run(later) == "T"  # type: ignore[arg-type]
    assert Api.track.__name__ == "track"  # type: ignore[attr-defined]


def test_wrong_arguments_raise_at_the_call() -> None:
    client = Api(Scripted(answer(), is_async=True))
    with pytest.raises(ValueError, match="number=-1"):
        client.track(-1)
    with pytest.raises(TypeError):
        client.track()  # type: ignore[call-arg]


@pytest.mark.rows("S001-16")
def test_a_client_as_a_sender() -> None:
    inner = Scripted(answer(content={"title": "T"}))
    assert Api(ExtendingSender(Client(inner))).track(1) == "T"
    assert repr(Client(inner)) == "Client()"


@pytest.mark.rows("S001-18")
def test_scopes_of_unauthorised() -> None:
    class Scoped(Api):
        @send_and_process(title)
        def secret(self) -> tuple[Request, tuple[()]]:
            return Request("GET", "secret"), ()

    Scoped.secret.required_scope = "read"  # type: ignore[attr-defined]
    with pytest.raises(errors.Unauthorised) as caught:
        Scoped(Scripted(answer(401))).secret()
    assert caught.value.required_scope == "read"
    assert caught.value.scope == ""
    later = Scoped(Scripted(answer(401), is_async=True)).secret()
    with pytest.raises(errors.Unauthorised) as caught:
        asyncio.run(later)
    assert caught.value.required_scope == "read"
    assert caught.value.response.status_code == 401


@pytest.mark.rows("S001-18")
@pytest.mark.parametrize(
    ("status", "kind", "base"),
    [
        (400, errors.BadRequest, errors.ClientError),
        (401, errors.Unauthorised, errors.ClientError),
        (403, errors.Forbidden, errors.ClientError),
        (404, errors.NotFound, errors.ClientError),
        (418, errors.ClientError, errors.ClientError),
        (429, errors.TooManyRequests, errors.ClientError),
        (499, errors.ClientError, errors.ClientError),
        (500, errors.InternalServerError, errors.ServerError),
        (502, errors.BadGateway, errors.ServerError),
        (503, errors.ServiceUnavailable, errors.ServerError),
        (504, errors.GatewayTimeout, errors.ServerError),
        (599, errors.ServerError, errors.ServerError),
    ],
)
def test_errors(status: int, kind: type, base: type) -> None:
    request = Request("GET", "http://a.test/x?token=secret")
    error = errors.error_for(request, answer(status))
    assert type(error) is kind
    assert isinstance(error, base)
    assert error.request is request
    assert "secret" not in str(error)
    assert str(status) in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert again.response == error.response
    assert errors.error_for(request, answer(200)) is None


class TestConflicts:
    @pytest.mark.rows("S001-13")
    def test_the_chain_is_kept(self) -> None:
        with pytest.warns(
            SenderConflictWarning, match="is_async=True passed but asynchronous=False"
        ) as caught:
            client = Client(RetryingSender(2, AsyncSender()), asynchronous=False)
        assert caught[0].filename == __file__
        assert issubclass(SenderConflictWarning, RuntimeWarning)
        assert repr(client.sender) == "RetryingSender(retries=2, sender=SyncSender())"
        client.close()
        blocking = RetryingSender(2, SyncSender())
        with pytest.warns(SenderConflictWarning, match="A new AsyncSender was instantiated"):
            other = Client(blocking, asynchronous=True)
        assert other.is_async
        blocking.close()

    def test_no_conflict(self) -> None:
        assert Client(None, asynchronous=True).is_async
        with Client(asynchronous=False) as client:
            assert isinstance(client.sender, SyncSender)
        with Client(None) as client:
            assert not client.is_async
        sender = AsyncSender()
        assert Client(sender, True).sender is sender

    def test_a_sender_of_somebody_else_s(self) -> None:
        class Plain:
            is_async = True

            def __repr__(self) -> str:
                return "Plain()"

        for given in (Scripted(answer(), is_async=True), Plain()):
            with pytest.warns(SenderConflictWarning):
                client = Client(given, asynchronous=False)  # type: ignore[arg-type]
            assert isinstance(client.sender, SyncSender)
            client.close()


def test_another_name() -> None:
    assert senders.endpoint is send_and_process
