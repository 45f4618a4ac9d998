"""langchain-community's wrappers of requests and searches take a session of the caller's."""

import pytest
from aiohttp import web

from aioclient import BasicAuth, ClientSession

from .serving import OURS, serving

pytestmark = [
    pytest.mark.both_loops,
    # That it is to be replaced by smaller packages.
    pytest.mark.filterwarnings("ignore:.*langchain-community.*:DeprecationWarning"),
]


async def test_requests() -> None:
    """Each verb, with fields and a login, as text and as JSON."""
    from langchain_community.utilities.requests import JsonRequestsWrapper, TextRequestsWrapper

    async def echo(request: web.Request) -> web.Response:
        assert request.headers["X-Tenant"] == "t"
        assert request.headers["Authorization"] == "Basic bWU6aHVzaA=="
        body = await request.json() if request.can_read_body else None
        return web.json_response({"method": request.method, "body": body})

    application = web.Application()
    application.router.add_route("*", "/echo", echo)
    async with serving(application) as origin, ClientSession(headers=OURS) as session:
        given = {
            "headers": {"X-Tenant": "t"},
            "auth": BasicAuth("me", "hush"),
            "aiosession": session,
        }
        wrapper = JsonRequestsWrapper(**given)
        url = f"{origin}/echo"
        assert await wrapper.aget(url) == {"method": "GET", "body": None}
        assert await wrapper.apost(url, {"a": [1]}) == {"method": "POST", "body": {"a": [1]}}
        assert await wrapper.apatch(url, {"a": None}) == {"method": "PATCH", "body": {"a": None}}
        assert await wrapper.aput(url, {}) == {"method": "PUT", "body": {}}
        assert await wrapper.adelete(url) == {"method": "DELETE", "body": None}
        text = await TextRequestsWrapper(**given).aget(url, params={"q": "☀"})
        assert text == '{"method": "GET", "body": null}'
        assert not session.closed
