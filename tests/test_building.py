"""A session's settings, and the requests that are built of them and of a call's arguments; nothing is sent here."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from yarl import URL

import aioclient
from aioclient import BasicAuth, ClientSession, ClientTimeout
from aioclient.message.request import Request
from aioclient.session.arguments import PLAIN


def built(session: ClientSession, url: str, **arguments: Any) -> Request:
    """Return the request of a call."""
    return session._builder.build(
        "GET",
        url,
        arguments,  # type: ignore[arg-type]
        plain=PLAIN.issuperset(arguments),
    )


class TestSettings:
    async def test_they_are_frozen(self) -> None:
        """Settings cannot be changed in part."""
        async with ClientSession() as session:
            with pytest.raises(FrozenInstanceError):
                session._settings.auth = None  # type: ignore[misc]

    async def test_a_property_replaces_them(self) -> None:
        """Setting a property replaces the settings; whoever has the earlier ones still has them whole."""
        async with ClientSession(timeout=7) as session:
            before = session._settings
            session.auth = ("ada", "lovelace")
            assert before.auth is None
            assert session.auth == BasicAuth("ada", "lovelace")
            assert session._settings.options is before.options
            assert built(session, "http://a.test/").auth == session.auth
            assert built(session, "http://a.test/").timeout is before.timeout

    async def test_what_follows_is_replaced_too(self) -> None:
        """The options of a call without redirects follow those of one with them."""
        async with ClientSession(max_redirects=3) as session:
            with pytest.warns(aioclient.LegacyParameterWarning):
                session.requote_redirect_url = False
            for follows in (True, False):
                options = built(session, "http://a.test/", allow_redirects=follows).options
                assert options.allow_redirects is follows
                assert options.requote_redirect_url is False
                assert options.max_redirects == 3

    async def test_no_secret_is_shown(self) -> None:
        """Neither settings nor what builds requests show credentials."""
        async with ClientSession("http://u:secret@a.test/", headers={"X-Api-Key": "secret"}) as s:
            assert "secret" not in f"{s._settings!r} {s._builder!r} {s._lifecycle!r}"


class TestWhatIsShared:
    @pytest.mark.parametrize("base", [None, "http://a.test/api/"])
    async def test_a_url_alone(self, base: str | None) -> None:
        """A call with a URL alone copies nothing of its session."""
        async with ClientSession(base, auth=("ada", "lovelace")) as session:
            request, settings = built(session, "http://a.test/"), session._settings
            assert request.own_headers is None
            assert request.fields is session._defaults.fields
            assert request.options is settings.options
            assert request.timeout is settings.timeout
            assert request.auth is settings.auth
            assert request.content is None
            assert request.cookies is None
            assert request.session is session

    @pytest.mark.parametrize(
        "arguments",
        [
            {"raise_for_status": True},
            {"middlewares": []},
            {"trace_request_ctx": 1},
            {"compress": "gzip"},
            {"proxy": None},
            {"max_headers": None},
            {"headers": None},
            {"cookies": None, "timeout": ClientTimeout(), "params": None},
        ],
    )
    async def test_arguments_that_change_no_option(self, arguments: Any) -> None:
        """Arguments that change neither options nor fields leave the session's in place."""
        async with ClientSession() as session:
            request = built(session, "http://a.test/", **arguments)
            assert request.options is session._settings.options
            assert request.own_headers is None

    async def test_without_redirects(self) -> None:
        """Calls that follow no redirect share their options as well."""
        async with ClientSession() as session:
            request = built(session, "http://a.test/", allow_redirects=False)
            assert request.options is session._settings.no_redirects

    async def test_another_origin(self) -> None:
        """Below a base URL, a call to another origin has neither the session's credentials nor its secret fields."""
        async with ClientSession(
            "http://a.test/", auth=("ada", "lovelace"), headers={"X-Api-Key": "k", "X-Else": "e"}
        ) as session:
            request = built(session, "http://b.test/", headers={"X-More": "m"})
            assert request.auth is None
            assert "X-Api-Key" not in request.fields
            assert (request.fields["X-Else"], request.fields["X-More"]) == ("e", "m")
            assert "X-More" not in session.headers
            assert built(session, "/x").url == URL("http://a.test/x")
