"""Widely used libraries that take an aiohttp session, unchanged, over ours.

Each test does what the library's users do, against a local server that checks what came. What a library needs
beside the session is written in the test, and in the docs' page on moving from aiohttp.
"""

import asyncio
import io
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from aioclient import ClientSession, ClientTimeout

from ..servers.app import serve_application

both_loops = pytest.mark.both_loops


@asynccontextmanager
async def serving(**routes: Any) -> AsyncIterator[str]:
    """Serve handlers by the last part of their path, for every method."""
    application = web.Application(client_max_size=2**30)
    for name, handler in routes.items():
        application.router.add_route("*", f"/{name}", handler)
    async with serve_application(application) as origin:
        yield origin


@both_loops
class TestAiohttpRetry:
    """aiohttp-retry repeats requests of the session it is given."""

    async def test_retries(self) -> None:
        """It tries again after a server error, and hands over the last response."""
        from aiohttp_retry import ExponentialRetry, RetryClient

        seen: list[str] = []

        async def flaky(request: web.Request) -> web.Response:
            seen.append(await request.text())
            if len(seen) < 3:
                return web.Response(status=503, text="x" * 100_000)
            return web.json_response({"attempt": len(seen)})

        options = ExponentialRetry(attempts=4, start_timeout=0.001, factor=1.0)
        async with serving(flaky=flaky) as origin, ClientSession() as session:
            client = RetryClient(client_session=session, retry_options=options)
            async with client.put(
                f"{origin}/flaky", data=b"again", headers={"X-A": "b"}
            ) as response:
                assert await response.json() == {"attempt": 3}
            assert seen == ["again"] * 3

    async def test_raises_for_status(self) -> None:
        """With raise_for_status the last error is aiohttp's."""
        from aiohttp_retry import ListRetry, RetryClient

        async def broken(request: web.Request) -> web.Response:
            return web.Response(status=500)

        async with serving(broken=broken) as origin, ClientSession() as session:
            client = RetryClient(
                client_session=session, retry_options=ListRetry([0.001]), raise_for_status=True
            )
            with pytest.raises(aiohttp.ClientResponseError) as caught:
                await client.get(f"{origin}/broken")
            assert caught.value.status == 500

    async def test_connection_errors_are_retried(self) -> None:
        """What it looks for among exceptions is what the session raises."""
        from aiohttp_retry import ExponentialRetry, RetryClient

        from aioclient.testing import refused_port

        with refused_port() as port:
            options = ExponentialRetry(
                attempts=2, start_timeout=0.001, exceptions={aiohttp.ClientConnectorError}
            )
            async with ClientSession() as session:
                client = RetryClient(client_session=session, retry_options=options)
                with pytest.raises(aiohttp.ClientConnectorError):
                    await client.get(f"http://127.0.0.1:{port}/")


@both_loops
class TestGidgethub:
    """gidgethub calls GitHub's API through the session."""

    async def test_calls(self) -> None:
        """Items of several pages, a POST, an error with its message and the rate limit."""
        import gidgethub
        from gidgethub.aiohttp import GitHubAPI

        async def issues(request: web.Request) -> web.Response:
            assert request.headers["Authorization"] == "token hush"
            assert request.headers["User-Agent"] == "me"
            if request.method == "POST":
                return web.json_response({"title": (await request.json())["title"]}, status=201)
            page = int(request.query.get("page", "1"))
            headers = {
                "X-RateLimit-Limit": "5000",
                "X-RateLimit-Remaining": str(5000 - page),
                "X-RateLimit-Reset": "1900000000",
            }
            if page < 3:
                following = request.url.with_query(page=page + 1)
                headers["Link"] = f'<{following}>; rel="next"'
            return web.json_response([{"page": page}], headers=headers)

        async def missing(request: web.Request) -> web.Response:
            return web.json_response({"message": "Not Found"}, status=404)

        async with serving(issues=issues, missing=missing) as origin, ClientSession() as session:
            github = GitHubAPI(session, "me", oauth_token="hush", base_url=origin)
            pages = [issue["page"] async for issue in github.getiter("/issues")]
            assert pages == [1, 2, 3]
            assert github.rate_limit is not None
            assert github.rate_limit.remaining == 4997
            assert await github.post("/issues", data={"title": "ähm"}) == {"title": "ähm"}
            with pytest.raises(gidgethub.BadRequest, match="Not Found"):
                await github.getitem("/missing")


@both_loops
class TestSlackSdk:
    """slack_sdk's web client calls methods through the session."""

    async def test_calls(self) -> None:
        """Form and JSON calls, an upload, an API error, a retry after a rate limit."""
        from slack_sdk.errors import SlackApiError
        from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
        from slack_sdk.web.async_client import AsyncWebClient

        limited = 0

        async def post(request: web.Request) -> web.Response:
            assert request.headers["Authorization"] == "Bearer xoxb-hush"
            sent = await request.json()
            return web.json_response({"ok": True, "channel": sent["channel"], "ts": "1.2"})

        async def views(request: web.Request) -> web.Response:
            return web.json_response({"ok": False, "error": "invalid_arguments"})

        async def photo(request: web.Request) -> web.Response:
            image = (await request.post())["image"]
            assert isinstance(image, web.FileField)
            return web.json_response({"ok": True, "size": len(image.file.read())})

        async def test(request: web.Request) -> web.Response:
            nonlocal limited
            limited += 1
            if limited == 1:
                return web.json_response({"ok": False}, status=429, headers={"Retry-After": "0"})
            return web.json_response({"ok": True, "args": dict(request.query)})

        routes = {
            "chat.postMessage": post,
            "views.open": views,
            "users.setPhoto": photo,
            "api.test": test,
        }
        async with serving(**routes) as origin, ClientSession() as session:
            client = AsyncWebClient("xoxb-hush", base_url=f"{origin}/", session=session, timeout=30)
            client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
            sent = await client.chat_postMessage(channel="#general", text="hello ☀")
            assert sent["channel"] == "#general"
            with pytest.raises(SlackApiError, match="invalid_arguments"):
                await client.views_open(trigger_id="1", view={"type": "modal"})
            stored = await client.users_setPhoto(image=io.BytesIO(b"p" * 300_000))
            assert stored["size"] == 300_000
            assert (await client.api_test())["ok"]
            assert limited == 2


@both_loops
class TestAzureCore:
    """azure-core's transport, below every Azure SDK, sends through the session."""

    async def test_pipeline(self) -> None:
        """JSON and streamed bodies both ways, a retry by policy, errors in its own terms."""
        from azure.core import AsyncPipelineClient
        from azure.core.exceptions import ServiceRequestError
        from azure.core.pipeline.policies import AsyncRetryPolicy, UserAgentPolicy
        from azure.core.pipeline.transport import AioHttpTransport
        from azure.core.rest import HttpRequest

        from aioclient.testing import refused_port

        tries = 0

        async def echo(request: web.Request) -> web.Response:
            nonlocal tries
            tries += 1
            if tries == 1:
                return web.Response(status=503, headers={"Retry-After": "0"})
            return web.json_response({"got": await request.json()})

        async def blob(request: web.Request) -> web.Response:
            assert "Content-Type" not in request.headers
            return web.Response(body=b"b" * 3_000_000)

        async with serving(echo=echo, blob=blob) as origin, ClientSession() as session:
            transport = AioHttpTransport(session=session, session_owner=False)
            policies = [UserAgentPolicy("me"), AsyncRetryPolicy(retry_backoff_factor=0)]
            async with AsyncPipelineClient(
                origin, transport=transport, policies=policies
            ) as client:
                answer = await client.send_request(
                    HttpRequest("POST", f"{origin}/echo", json={"a": [1, None]})
                )
                answer.raise_for_status()
                assert answer.json() == {"got": {"a": [1, None]}}
                assert tries == 2
                size = 0
                streamed = await client.send_request(
                    HttpRequest("GET", f"{origin}/blob"), stream=True
                )
                async with streamed:
                    async for chunk in streamed.iter_bytes():
                        size += len(chunk)
                assert size == 3_000_000
                with refused_port() as port, pytest.raises(ServiceRequestError):
                    await client.send_request(
                        HttpRequest("GET", f"http://127.0.0.1:{port}/"), retry_total=0
                    )


@both_loops
class TestGoogleAuth:
    """google-auth's async transport refreshes and sends through the session."""

    async def test_authorized_session(self) -> None:
        """A request with a token, an answer read as its users read it, a timeout in its own terms."""
        from google.auth.aio.credentials import StaticCredentials
        from google.auth.aio.transport.aiohttp import Request
        from google.auth.aio.transport.sessions import AsyncAuthorizedSession

        async def token(request: web.Request) -> web.Response:
            return web.json_response(
                {"auth": request.headers["Authorization"], "body": await request.text()}
            )

        async with serving(token=token) as origin, ClientSession(auto_decompress=False) as session:
            authorized = AsyncAuthorizedSession(
                StaticCredentials(token="hush"), auth_request=Request(session=session)
            )
            response = await authorized.post(f"{origin}/token", data=b"payload")
            assert response.status_code == 200
            assert json.loads(await response.read()) == {"auth": "Bearer hush", "body": "payload"}
            await response.close()
            await authorized.close()


@pytest.mark.skipif(sys.version_info < (3, 11, 3), reason="gcloud-aio-auth wants Python 3.11.3")
@both_loops
class TestGcloudAio:
    """gcloud-aio's shared session object calls through the session it is given."""

    async def test_calls(self) -> None:
        """Query parameters, bodies, and an error that carries the server's text."""
        from gcloud.aio.auth import AioSession

        async def storage(request: web.Request) -> web.Response:
            if request.method == "DELETE":
                return web.json_response({"error": "no such object"}, status=404)
            return web.json_response(
                {"query": dict(request.query), "body": (await request.read()).decode()}
            )

        async with serving(storage=storage) as origin, ClientSession() as session:
            client = AioSession(session)
            got = await client.get(f"{origin}/storage", params={"alt": "media", "n": 1})
            assert (await got.json())["query"] == {"alt": "media", "n": "1"}
            put = await client.put(
                f"{origin}/storage", data=io.BytesIO(b"stream"), headers={"X-A": "b"}
            )
            assert (await put.json())["body"] == "stream"
            with pytest.raises(aiohttp.ClientResponseError, match="no such object") as caught:
                await client.delete(f"{origin}/storage", headers={})
            assert caught.value.status == 404
            await client.close()
            assert not session.closed


@both_loops
class TestSSEClient:
    """aiohttp-sse-client2 reads events from the session's response, line by line."""

    async def test_events(self) -> None:
        """Events arrive one by one while the response is still open, and closing ends it."""
        from aiohttp_sse_client2.client import EventSource

        proceed = asyncio.Event()

        async def events(request: web.Request) -> web.StreamResponse:
            assert request.headers["Accept"] == "text/event-stream"
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            await response.write(b"id: 1\nevent: tick\ndata: eins\n\n")
            await proceed.wait()
            await response.write("id: 2\ndata: zwei\ndata: ☀\n\n".encode())
            return response

        async with (
            serving(events=events) as origin,
            ClientSession(timeout=ClientTimeout()) as session,
        ):
            source = EventSource(
                f"{origin}/events",
                session=session,
                reconnection_time=timedelta(0),
                max_connect_retry=0,
            )
            async with source:
                stream = source.__aiter__()
                first = await stream.__anext__()
                assert (first.type, first.data, first.last_event_id) == ("tick", "eins", "1")
                proceed.set()
                second = await stream.__anext__()
                assert second.data == "zwei\n☀"


@both_loops
class TestGql:
    """gql sends queries through the session; it makes its own unless the transport is told which to use."""

    async def test_queries(self) -> None:
        """A query with variables, an error of the server's, an upload."""
        from gql import Client, FileVar, GraphQLRequest, gql
        from gql.transport.aiohttp import AIOHTTPTransport
        from gql.transport.exceptions import TransportQueryError

        class OverSession(AIOHTTPTransport):
            """The transport with a session that was made before."""

            def __init__(self, session: ClientSession, **more: Any) -> None:
                super().__init__(client_session_args={"connector_owner": False}, **more)
                self._given = session

            async def connect(self) -> None:
                self.session = self._given

        async def graphql(request: web.Request) -> web.Response:
            assert request.headers["X-Tenant"] == "t"
            if request.content_type == "multipart/form-data":
                form = await request.post()
                upload = form["0"]
                assert isinstance(upload, web.FileField)
                return web.json_response({"data": {"size": len(upload.file.read())}})
            asked = await request.json()
            if "broken" in asked["query"]:
                return web.json_response({"errors": [{"message": "no such field"}]})
            return web.json_response({"data": {"echo": asked["variables"]["text"]}})

        async with serving(graphql=graphql) as origin, ClientSession() as session:
            transport = OverSession(session, url=f"{origin}/graphql", headers={"X-Tenant": "t"})
            session.headers["X-Tenant"] = "t"
            async with Client(transport=transport) as client:
                query = gql("query ($text: String!) { echo(text: $text) }")
                query.variable_values = {"text": "hallo"}
                assert await client.execute(query) == {"echo": "hallo"}
                with pytest.raises(TransportQueryError, match="no such field"):
                    await client.execute(GraphQLRequest("{ broken }"))
                mutation = gql("mutation ($file: Upload!) { size(file: $file) }")
                mutation.variable_values = {"file": FileVar(io.BytesIO(b"12345"))}
                assert await client.execute(mutation, upload_files=True) == {"size": 5}
            assert not session.closed
