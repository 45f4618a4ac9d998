"""The cache in a session: what it answers, what it sends, what it tells of that."""

import gzip
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
from yarl import URL as Url

from aioclient import (
    FOREVER,
    BodyTooLargeError,
    Cache,
    CacheRule,
    CacheStatus,
    ClientConnectionError,
    ClientResponse,
    ClientSession,
    Fingerprint,
    Handler,
    MemoryStore,
    Request,
    Timings,
)

from .origin import URL, Origin, answers, site

FRESH = "Cache-Control: max-age=100"
TAG = 'ETag: "1"'


class TestHits:
    async def test_a_hit(self) -> None:
        """What is fresh answers, with an Age, and says so."""
        async with site(("one", FRESH, "X-A: 1")) as it:
            first = await it.get()
            assert first.cache_status == CacheStatus(
                reason="uri-miss", status=200, ttl=100, stored=True
            )
            it.clock.now += 7
            second = await it.get()
            assert (second.status, await second.text()) == (200, "one")
            assert second.headers["Age"] == "7"
            assert second.headers["X-A"] == "1"
            assert second.cache_status == CacheStatus(hit=True, ttl=93)
            assert str(second.cache_status) == "aioclient; hit; ttl=93"
            it.clock.now += 2
            third = await it.get()
            assert third.headers["Date"] == it.clock.date(
                -9
            )  # when it came (RFC 9110, section 6.6.1)
            assert (third.headers["Age"], second.headers["Age"]) == ("9", "7")
            assert it.origin.count == 1

    async def test_expires(self) -> None:
        """What is not fresh any more is asked for; without a validator, unconditionally."""
        async with site(("one", FRESH), ("two", FRESH)) as it:
            await it.get()
            it.clock.now += 100
            response = await it.get()
            assert await response.text() == "two"
            assert response.cache_status == CacheStatus(
                reason="stale", status=200, ttl=100, stored=True
            )
            assert "If-None-Match" not in it.origin.seen[1][1]
            assert await it.text() == "two"
            assert it.origin.count == 2

    async def test_a_body_that_was_decoded(self) -> None:
        """A body that a middleware gives decoded, in spite of its fields, is not stored, to be decoded once more."""

        async def end(request: Request, handler: Handler) -> ClientResponse:
            fields = {"Content-Encoding": "gzip", "Cache-Control": "max-age=9"}
            return ClientResponse.from_parts(request, 200, fields, b"plain", decoded=True)

        async with ClientSession(middlewares=[Cache(), end]) as session:
            for _ in range(2):
                response = await session.get(URL)
                assert await response.text() == "plain"
                assert response.cache_status is not None and not response.cache_status.stored

    async def test_nothing_is_stored(self) -> None:
        """What may not be stored is asked for each time; the reason is told."""
        async with site(("one", "Cache-Control: no-store")) as it:
            for _ in range(2):
                response = await it.get()
            assert (
                str(response.cache_status)
                == 'aioclient; fwd=uri-miss; fwd-status=200; detail="no-store"'
            )
            assert it.origin.count == 2

    async def test_stored_after_all(self) -> None:
        """A URL whose last response was not stored has the next one stored, if it may be: must-understand, too."""
        replies = [("one", "Cache-Control: no-store"), ("two", "Cache-Control: no-store")]
        said = "Cache-Control: no-store, must-understand, max-age=9"
        async with site(*replies, ("three", said), ("four",)) as it:
            assert [await it.text() for _ in range(4)] == ["one", "two", "three", "three"]

    async def test_without_a_cache(self) -> None:
        """Without one there is no status, and cache= of a call brings one."""
        cache = Cache()
        async with ClientSession(connector=Origin(answers(("one", FRESH)))) as session:
            async with session.get(URL) as response:
                assert response.cache_status is None
            for hit in (False, True):
                async with session.get(URL, cache=cache) as response:
                    assert response.cache_status is not None
                    assert response.cache_status.hit is hit

    async def test_left_out(self) -> None:
        """cache=None leaves it out for one call."""
        async with site(("one", FRESH)) as it:
            await it.get()
            assert (await it.get(cache=None)).cache_status is None
            assert it.origin.count == 2

    async def test_coded_bodies(self) -> None:
        """A body is stored as it came, and decoded for each reader."""
        async with site((gzip.compress(b"one"), FRESH, "Content-Encoding: gzip")) as it:
            assert [await it.text() for _ in range(3)] == ["one"] * 3
            response = await it.get(auto_decompress=False)
            assert await response.read() == gzip.compress(b"one")
            assert it.origin.count == 1

    async def test_not_transformed(self) -> None:
        """Section 5.2.2.6: no-transform is kept, since nothing is ever transformed."""
        coded = gzip.compress(b"one")
        lines = (FRESH + ", no-transform", "Content-Encoding: gzip", "Content-Type: text/plain")
        async with site((coded, *lines)) as it:
            for _ in range(2):
                response = await it.get(auto_decompress=False)
                assert await response.read() == coded
                assert response.headers["Content-Encoding"] == "gzip"
                assert response.headers["Content-Type"] == "text/plain"
            assert it.origin.count == 1

    async def test_limit_of_a_body(self) -> None:
        """A stored body is decoded within the limit of the call, as one that comes."""
        async with site((gzip.compress(bytes(100_000)), FRESH, "Content-Encoding: gzip")) as it:
            await it.get()
            for limits in ({}, {"max_body_size": 100_000}):
                assert len(await (await it.get(**limits)).read()) == 100_000
            with pytest.raises(BodyTooLargeError):
                await it.get(max_body_size=99_999)
            assert it.origin.count == 1

    async def test_timings(self) -> None:
        """No phase of an exchange took part in a hit."""
        async with site(("one", FRESH)) as it:
            await it.get()
            response = await it.get()
            assert response.cache_status is not None
            assert response.cache_status.hit
            assert response.timings == Timings()
            assert response.history == ()

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_method_of_a_redirect(self, status: int, method: str) -> None:
        """A cached redirect keeps GET and HEAD."""

        def answer(request: Request, number: int) -> Any:
            fields = [("Cache-Control", "max-age=100")]
            if request.url.path == "/old":
                return status, [*fields, ("Location", "/new")], b""
            return 200, fields, b"" if request.method == "HEAD" else b"one"

        async with site(answer) as it:
            await it.get(URL + "old")
            count = it.origin.count
            response = await it.get(URL + "old", method, allow_redirects=True)
            assert response.method == method
            assert (response.status, str(response.url)) == (200, URL + "new")
            assert it.origin.count == count

    async def test_redirects(self) -> None:
        """A cached redirect is followed like any other: method, fragment and history stay."""
        replies = [(301, "", FRESH, "Location: /new"), ("one", FRESH)]
        async with site(*replies) as it:
            for _ in range(2):
                response = await it.get(URL + "old#part")
                assert str(response.real_url) == URL + "new#part"
                assert [each.status for each in response.history] == [301]
            assert response.history[0].cache_status is not None
            assert response.history[0].cache_status.hit
            assert it.origin.count == 2

    @pytest.mark.rows("CACHE-05")
    async def test_head(self) -> None:
        """HEAD is answered from what GET has stored, without a body; its own answer is not stored."""
        async with site(("one", FRESH, "Content-Length: 3")) as it:
            await it.get(method="HEAD")
            assert it.origin.count == 1
            await it.get()
            response = await it.get(method="HEAD")
            assert (it.origin.count, await response.read()) == (2, b"")
            assert response.headers["Content-Length"] == "3"

    async def test_only_if_cached(self) -> None:
        """Section 5.2.1.7: 504 if nothing that is stored will do."""
        async with site(("one", FRESH)) as it:
            asked = {"Cache-Control": "only-if-cached"}
            assert (await it.get(headers=asked)).status == 504
            await it.get()
            assert (await it.get(headers=asked)).status == 200
            it.clock.now += 100
            assert (await it.get(headers=asked)).status == 504
            assert it.origin.count == 1


@pytest.mark.rows("CACHE-02")
async def test_cookies_are_set_once() -> None:
    """Set-Cookie counts when it comes, from a 304 too, and is never replayed."""
    replies = [("one", FRESH, TAG, "Set-Cookie: a=1"), (304, "", FRESH, "Set-Cookie: b=2")]
    async with site(*replies, partition=lambda request: "") as it:
        assert "Set-Cookie" in (await it.get()).headers
        assert "Set-Cookie" not in (await it.get()).headers
        it.clock.now += 100
        assert "Set-Cookie" not in (await it.get()).headers
        assert {cookie.key for cookie in it.session.cookie_jar} == {"a", "b"}
        assert all("Set-Cookie" not in entry.fields for entry in [e async for e in it.cache])


class TestValidation:
    async def test_confirmed(self) -> None:
        """A 304 freshens what is stored, and its fields; the user gets the whole response."""
        async with site(("one", FRESH, TAG, "A: 1"), (304, "", FRESH, TAG, "A: 2")) as it:
            await it.get()
            it.clock.now += 100
            response = await it.get()
            assert (response.status, await response.text()) == (200, "one")
            assert response.headers["A"] == "2"
            assert response.cache_status == CacheStatus(
                reason="stale", status=304, ttl=100, stored=True
            )
            assert response.cache_status.revalidated
            assert it.origin.seen[1][1]["If-None-Match"] == '"1"'
            it.clock.now += 99
            assert (await it.get()).headers["A"] == "2"
            assert it.origin.count == 2

    async def test_changed(self) -> None:
        """Another response takes the place of what is stored."""
        async with site(("one", FRESH, TAG), ("two", FRESH, 'ETag: "2"')) as it:
            await it.get()
            it.clock.now += 100
            assert [await it.text(), await it.text()] == ["two", "two"]
            assert (await it.cache.statistics()).store.entries == 1  # type: ignore[union-attr]

    @pytest.mark.rows("CACHE-05")
    async def test_about_something_else(self) -> None:
        """A 304 with another ETag than what is stored is not for the user: the response is asked for anew."""
        async with site(("one", FRESH, TAG), (304, "", 'ETag: "2"'), ("two", FRESH)) as it:
            await it.get()
            it.clock.now += 100
            response = await it.get()
            assert (response.status, await response.text()) == (200, "two")
            assert "If-None-Match" not in it.origin.seen[2][1]

    @pytest.mark.rows("CACHE-05")
    async def test_gone_meanwhile(self) -> None:
        """A 304 for what was forgotten meanwhile leads to another request, too."""

        async def forget(request: Request) -> Any:
            await it.cache.clear()
            return 304, [], b""

        store = Reading()
        async with site(
            ("one", FRESH, TAG),
            lambda request, number: forget(request),
            ("two", FRESH),
            store=store,
        ) as it:
            await it.get()
            it.clock.now += 100
            assert await it.text() == "two"

    async def test_no_store_of_a_304(self) -> None:
        """A 304 may end the permission to store: it answers, and what is stored goes."""
        async with site(("one", FRESH, TAG), (304, "", "Cache-Control: no-store"), ("two",)) as it:
            await it.get()
            it.clock.now += 100
            assert await it.text() == "one"
            assert [entry async for entry in it.cache] == []
            assert await it.text() == "two"

    async def test_users_own_condition(self) -> None:
        """Section 4.3.2: what is fresh answers the user's condition; else it goes to the server as it is."""
        async with site(("one", FRESH, TAG), (304, "", FRESH)) as it:
            await it.get()
            mine = {"If-None-Match": '"1"'}
            assert (await it.get(headers=mine)).status == 304
            assert (await it.get(headers={"If-None-Match": '"0"'})).status == 200
            assert it.origin.count == 1
            it.clock.now += 100
            assert (await it.get(headers=mine)).status == 304
            assert it.origin.count == 2
            assert (await it.get()).cache_status.hit  # type: ignore[union-attr]  # that 304 was good for the cache too

    async def test_head_updates(self) -> None:
        """Section 4.3.5: the answer to HEAD updates what is stored, or ends it."""
        replies = [
            ("one", FRESH, TAG, "A: 1"),
            ("", FRESH, TAG, "A: 2"),
            ("", FRESH, 'ETag: "2"'),
            ("two",),
        ]
        async with site(*replies) as it:
            await it.get()
            it.clock.now += 100
            await it.get(method="HEAD")
            response = await it.get()
            assert (await response.text(), response.headers["A"], it.origin.count) == (
                "one",
                "2",
                2,
            )
            it.clock.now += 100
            await it.get(method="HEAD")
            assert await it.text() == "two"

    @pytest.mark.parametrize("status", [404, 500, 301])
    async def test_head_of_something_else(self, status: int) -> None:
        """Section 4.3.5 is about 200: an error says nothing of what is stored."""
        async with site(("one", FRESH + ", stale-if-error=0", TAG), (status, "", FRESH)) as it:
            await it.get()
            it.clock.now += 100
            await it.get(method="HEAD")
            response = await it.get(cache_mode="only-if-cached")
            assert await response.text() == "one"
            assert response.cache_status.ttl == 0  # type: ignore[union-attr]


class Reading(MemoryStore):
    """A memory store that gives bodies in pieces, as those on disk do."""

    async def find(self, key: Any) -> Any:
        return [stored._replace(body=None) for stored in await super().find(key)]

    async def read(self, entry: Any) -> AsyncIterator[bytes]:
        async for body in super().read(entry):
            for at in range(0, len(body), 2):
                yield body[at : at + 2]


@pytest.mark.rows("CACHE-05")
class TestParts:
    @pytest.mark.parametrize("store", [MemoryStore, Reading])
    @pytest.mark.parametrize(
        ("text", "expected", "said"),
        [
            ("bytes=0-1", "01", "bytes 0-1/10"),
            ("bytes=3-", "3456789", "bytes 3-9/10"),
            ("bytes=-3", "789", "bytes 7-9/10"),
        ],
    )
    async def test_from_the_whole(self, store: Any, text: str, expected: str, said: str) -> None:
        """A range is answered from what is stored whole."""
        async with site(("0123456789", FRESH), store=store()) as it:
            await it.get()
            response = await it.get(headers={"Range": text})
            assert (response.status, await response.text()) == (206, expected)
            assert response.headers["Content-Range"] == said
            assert response.headers["Content-Length"] == str(len(expected))
            assert it.origin.count == 1

    async def test_from_a_part(self) -> None:
        """A part answers what lies in it, and never a request for the whole."""
        async with site(
            (206, "3456", FRESH, "Content-Range: bytes 3-6/10"), ("0123456789", FRESH)
        ) as it:
            await it.get(headers={"Range": "bytes=3-6"})
            assert await it.text(headers={"Range": "bytes=4-5"}) == "45"
            assert it.origin.count == 1
            assert await it.text() == "0123456789"
            assert it.origin.count == 2

    async def test_whole_before_a_part(self) -> None:
        """Of a part and a whole that answer the same range the whole does, however old it is."""
        part = (206, "xy", FRESH, "Content-Range: bytes 0-1/10")
        async with site(("0123456789", FRESH), part) as it:
            await it.get()
            asked = {"Range": "bytes=0-1"}
            assert await it.text(headers=asked, cache_mode="reload") == "xy"
            it.clock.now += 1
            assert await it.text(headers=asked) == "01"
            assert it.origin.count == 2

    async def test_if_range(self) -> None:
        """If-Range of another representation asks for all of this one (RFC 9110, section 13.1.5)."""
        async with site(("0123456789", FRESH, TAG)) as it:
            await it.get()
            asked = {"Range": "bytes=0-1", "If-Range": '"1"'}
            assert (await it.get(headers=asked)).status == 206
            asked["If-Range"] = '"2"'
            assert (await it.get(headers=asked)).status == 200
            assert it.origin.count == 1

    async def test_no_condition_of_the_cache(self) -> None:
        """A range that is asked for has no condition of the cache's: a 304 would say nothing of that part."""
        part = (206, "23", FRESH, TAG, "Content-Range: bytes 2-3/10")
        async with site(("0123456789", FRESH, TAG), part) as it:
            await it.get()
            it.clock.now += 100
            response = await it.get(headers={"Range": "bytes=2-3"})
            assert (response.status, await response.text()) == (206, "23")
            assert "If-None-Match" not in it.origin.seen[1][1]

    async def test_others_are_sent(self) -> None:
        """Several ranges, and what lies behind the end, are for the server."""
        async with site(("0123456789", FRESH), (416, "")) as it:
            await it.get()
            for text in ("bytes=0-1,3-4", "bytes=10-"):
                assert (await it.get(headers={"Range": text})).status == 416


@pytest.mark.rows("CACHE-06")
class TestInvalidation:
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
    async def test_unsafe(self, method: str) -> None:
        """Section 4.4: what an unsafe method did ends what is stored for its URL, for every login."""
        async with site(("one", FRESH)) as it:
            await it.get()
            await it.get(auth=("ada", "x"))
            await it.get(method=method)
            await it.get()
            await it.get(auth=("ada", "x"))
            assert it.origin.count == 5

    async def test_failed(self) -> None:
        """An error ends nothing."""
        async with site(("one", FRESH), (500, "")) as it:
            await it.get()
            await it.get(method="POST")
            assert (await it.get()).cache_status.hit  # type: ignore[union-attr]

    async def test_locations(self) -> None:
        """Location of the same origin counts, another origin's does not."""
        replies = [
            ("one", FRESH),
            ("two", FRESH),
            (201, "", "Location: /b", "Content-Location: http://c.example/"),
        ]
        async with site(*replies) as it:
            await it.get(URL + "b")
            await it.get("http://c.example/")
            await it.get(URL + "a", "POST")
            assert (await it.get("http://c.example/")).cache_status.hit  # type: ignore[union-attr]
            assert not (await it.get(URL + "b")).cache_status.hit  # type: ignore[union-attr]

    async def test_answer_to_post(self) -> None:
        """RFC 9110, section 9.3.3: an answer to POST that is the URL's own answers GET."""
        async with site(("one", FRESH, "Content-Location: /")) as it:
            await it.get(method="POST", data=b"x")
            assert (await it.get()).cache_status.hit  # type: ignore[union-attr]


@pytest.mark.rows("CACHE-01")
class TestPartitions:
    async def test_logins(self) -> None:
        """What one login got is not given to another one, nor to nobody."""

        def who(request: Request, number: int) -> Any:
            return (
                200,
                [("Cache-Control", "max-age=100")],
                request.full_info.headers.get("Authorization", "").encode(),
            )

        async with site(who) as it:
            for _ in range(2):
                assert await it.text(auth=("a", "x")) != await it.text(auth=("b", "x"))
                assert await it.text(headers={"Authorization": "token a"}) == "token a"
                assert await it.text() == ""
            assert it.origin.count == 4

    async def test_change_of_login(self) -> None:
        """A page that the session's cookies got is gone when they change."""
        async with site(("one", FRESH)) as it:
            it.session.cookie_jar.update_cookies({"user": "ada"}, Url(URL))
            await it.get()
            await it.get()
            assert it.origin.count == 1
            it.session.cookie_jar.update_cookies({"user": "bob"}, Url(URL))
            await it.get()
            assert it.origin.count == 2
            it.session.cookie_jar.clear()
            await it.get()
            assert it.origin.count == 3

    async def test_key_of_the_users(self) -> None:
        """A function of the user's says who shares."""
        async with site(
            ("one", FRESH), partition=lambda request: request.headers["X-Tenant"]
        ) as it:
            for tenant in ("a", "b", "a", "b"):
                await it.get(headers={"X-Tenant": tenant}, auth=(tenant, "x"))
            assert it.origin.count == 2

    async def test_shared(self) -> None:
        """A shared cache gives all what is public, and keeps nothing else that had Authorization."""
        async with site(
            ("one", FRESH), ("two", "Cache-Control: public, max-age=100"), shared=True
        ) as it:
            await it.get(auth=("a", "x"))
            await it.get(auth=("b", "x"))
            assert await it.text() == "two"
            assert it.origin.count == 2

    async def test_unverified(self) -> None:
        """What came without verification of the server is not for a call that wants it."""
        async with site(("one", FRESH)) as it:
            await it.get("https://a.example/", ssl=False)
            await it.get("https://a.example/")
            assert it.origin.count == 2

    async def test_tls_contexts(self) -> None:
        """What came with one TLS context is not given to another: it may have another certificate."""
        async with site(("one", FRESH)) as it:
            url = "https://a.example/"
            contexts = [ssl.create_default_context() for _ in range(2)]
            for _ in range(2):
                for context in contexts:
                    await it.get(url, ssl=context)
                await it.get(url)
            assert it.origin.count == 3

    async def test_trust(self) -> None:
        """What was verified in one way is not given to a call that wants it verified in another one."""
        ways: list[dict[str, Any]] = [
            {},
            {"ssl": "system"},
            {"ssl": Fingerprint(bytes(32))},
            {"ssl": Fingerprint(bytes(31) + b"x")},
            {"server_hostname": "b.example"},
            {"server_hostname": "c.example"},
            {"ssl": False, "server_hostname": "c.example"},
        ]
        async with site(("one", FRESH)) as it:
            for _ in range(2):
                for way in ways:
                    await it.get("https://a.example/", **way)
                    await it.get("https://a.example/", **way)
            assert it.origin.count == len(ways)

    async def test_default_fields(self) -> None:
        """Fields of a session count as those of a call: its Host, its conditions, what it accepts from caches."""
        cache = Cache()
        origin = Origin(answers(("one", FRESH, TAG)))
        for headers, hits in (
            ({"Host": "b.example"}, [False, True]),
            ({}, [False, True]),
            ({"Cache-Control": "no-cache"}, [False, False]),
            ({"Range": "bytes=1-1"}, [True, True]),
            ({}, [True, True]),
        ):
            async with ClientSession(
                connector=origin, connector_owner=False, middlewares=[cache], headers=headers
            ) as session:
                for hit in hits:
                    async with session.get(URL) as response:
                        assert (await response.text()) == ("n" if "Range" in headers else "one")
                        assert response.cache_status is not None
                        assert response.cache_status.hit is hit, headers

    @pytest.mark.parametrize("found", [None, 1, b"a"])
    async def test_partition_is_no_text(self, found: Any) -> None:
        """A partition that is not a text is refused: it would mix what should be apart."""
        async with site(("one", FRESH), partition=lambda request: found) as it:
            with pytest.raises(TypeError, match="partition must return a str"):
                await it.get()

    @pytest.mark.rows("CACHE-07")
    async def test_hosts(self) -> None:
        """A Host field of another name is a part of the key."""
        async with site(("one", FRESH)) as it:
            await it.get(headers={"Host": "b.example"})
            await it.get()
            await it.get(URL + "#part")
            assert it.origin.count == 2


@pytest.mark.rows("CACHE-03")
class TestVariants:
    async def test_several(self) -> None:
        """Each variant is stored, and answers its own requests."""

        def speak(request: Request, number: int) -> Any:
            fields = [("Cache-Control", "max-age=100"), ("Vary", "Accept-Language, X-A")]
            return 200, fields, request.headers["Accept-Language"].encode()

        async with site(speak) as it:
            for _ in range(2):
                for language in ("de", "en", "DE"):
                    text = await it.text(headers={"Accept-Language": language})
                    assert text == language.lower() or text == "de"
            assert it.origin.count == 2
            response = await it.get(headers={"Accept-Language": "fr"})
            assert response.cache_status.reason == "vary-miss"  # type: ignore[union-attr]

    async def test_newest(self) -> None:
        """Of several that match the newest answers (section 4), in whichever order they are stored."""
        replies = [("one", FRESH), ("two", FRESH, "Vary: X-A"), ("three", FRESH, "Vary: X-B")]
        async with site(*replies) as it:
            for number, expected in enumerate(("one", "two", "three")):
                it.clock.now += number
                assert await it.text(cache_mode="reload") == expected
            assert await it.text() == "three"
            assert await it.text(headers={"X-B": "1"}) == "two"
            assert await it.text(headers={"X-A": "1", "X-B": "1"}) == "one"
            assert it.origin.count == 3

    async def test_cookies(self) -> None:
        """Vary: Cookie is about the cookies of the jar, too."""
        async with site(("one", FRESH, "Vary: Cookie"), partition=lambda request: "") as it:
            await it.get()
            it.session.cookie_jar.update_cookies({"a": "1"}, Url(URL))
            await it.get()
            await it.get()
            assert it.origin.count == 2

    async def test_credentials(self) -> None:
        """Vary: Authorization is about the credentials of auth=, too."""
        line = "Vary: Authorization"
        async with site(("one", FRESH, line), partition=lambda request: "") as it:
            for auth in (("ada", "x"), ("bob", "x"), None, ("ada", "x"), ("bob", "x"), None):
                response = await it.get(auth=auth)
            assert it.origin.count == 3
            assert response.cache_status is not None
            assert response.cache_status.hit

    async def test_everything(self) -> None:
        """Vary: * is never stored."""
        async with site(("one", FRESH, "Vary: *")) as it:
            await it.get()
            await it.get()
            assert it.origin.count == 2

    async def test_many(self) -> None:
        """The variants of one URL are limited: the oldest go."""
        async with site(("one", FRESH, "Vary: X-A")) as it:
            for number in range(100):
                await it.get(headers={"X-A": str(number)})
            assert (await it.cache.statistics()).store.entries <= 64  # type: ignore[union-attr]
            assert (await it.get(headers={"X-A": "99"})).cache_status.hit  # type: ignore[union-attr]


class TestErrors:
    def fails(self, request: Request, number: int) -> Any:
        raise ClientConnectionError("down")

    async def test_nothing_stands_in_unasked(self) -> None:
        """Without a word for it an error is an error."""
        async with site(("one", FRESH), self.fails) as it:
            await it.get()
            it.clock.now += 101
            with pytest.raises(ClientConnectionError):
                await it.get()

    @pytest.mark.parametrize("failure", ["connection", "status"])
    async def test_stale_if_error(self, failure: str) -> None:
        """RFC 5861, section 4: what is stored stands in, as long as the server, the request or the user allows it."""
        reply = self.fails if failure == "connection" else (503, "down")
        async with site(("one", "Cache-Control: max-age=100, stale-if-error=50"), reply) as it:
            await it.get()
            it.clock.now += 149
            response = await it.get()
            assert await response.text() == "one"
            assert response.cache_status.stale  # type: ignore[union-attr]
            assert response.cache_status.ttl == -49  # type: ignore[union-attr]
            it.clock.now += 1
            if failure == "status":
                assert (await it.get()).status == 503
            else:
                with pytest.raises(ClientConnectionError):
                    await it.get()

    async def test_users_word(self) -> None:
        """stale_if_error= allows it where the server has not forbidden it."""
        async with site(
            ("one", FRESH), ("two", FRESH + ", must-revalidate"), self.fails, stale_if_error=50
        ) as it:
            await it.get(URL)
            await it.get(URL + "2")
            it.clock.now += 120
            assert await it.text(URL) == "one"
            with pytest.raises(ClientConnectionError):
                await it.get(URL + "2")


class TestModes:
    @pytest.mark.parametrize(
        ("mode", "fresh", "stale"),
        [
            ("default", "one", "two"),
            ("no-store", "two", "two"),
            ("reload", "two", "two"),
            ("no-cache", "two", "two"),
            ("force-cache", "one", "one"),
            ("only-if-cached", "one", "one"),
        ],
    )
    async def test_answers(self, mode: str, fresh: str, stale: str) -> None:
        """Each mode of the fetch standard, for what is fresh, and what is stale."""
        for after, expected in ((0, fresh), (101, stale)):
            async with site(("one", FRESH), ("two", FRESH)) as it:
                await it.get()
                it.clock.now += after
                assert await it.text(cache_mode=mode) == expected
                stored = {"no-store": "one", "force-cache": "one", "only-if-cached": "one"}.get(
                    mode, expected
                )
                assert await it.text(cache_mode="force-cache") == stored

    async def test_fields(self) -> None:
        """The caches on the way are asked for the same, as browsers do."""
        async with site(("one", FRESH)) as it:
            await it.get(cache_mode="no-cache")
            await it.get(cache_mode="reload")
            await it.get(cache_mode="no-store", headers={"Cache-Control": "max-age=5"})
            said = [
                (fields.get("Cache-Control"), fields.get("Pragma")) for _, fields in it.origin.seen
            ]
            assert said == [("max-age=0", None), ("no-cache", "no-cache"), ("max-age=5", None)]

    async def test_nothing_cached(self) -> None:
        """only-if-cached sends nothing."""
        async with site(("one", FRESH)) as it:
            assert (await it.get(cache_mode="only-if-cached")).status == 504
            assert it.origin.count == 0

    async def test_immutable(self) -> None:
        """RFC 8246: what is immutable and fresh is not asked for again by no-cache, but by reload."""
        async with site(("one", FRESH + ", immutable"), ("two", FRESH)) as it:
            await it.get()
            assert await it.text(cache_mode="no-cache") == "one"
            assert await it.text(cache_mode="reload") == "two"

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            ({"cache_mode": "never"}, ValueError),
            ({"cache_mode": 1}, TypeError),
            ({"cache_ttl": -1}, ValueError),
            ({"cache_ttl": float("nan")}, ValueError),
            ({"cache_ttl": "60"}, TypeError),
            ({"cacheable": "no"}, TypeError),
        ],
    )
    async def test_mistakes(self, arguments: Any, error: type[Exception]) -> None:
        """What makes no sense is refused before anything is sent."""
        async with site(("one", FRESH)) as it:
            with pytest.raises(error):
                await it.get(**arguments)
            assert it.origin.count == 0


class TestUsersLifetimes:
    async def test_ttl(self) -> None:
        """cache_ttl replaces the lifetime, for a response that says none too."""
        async with site(("one",), ("two", "Cache-Control: max-age=1000")) as it:
            assert await it.text(cache_ttl=50) == "one"
            it.clock.now += 49
            assert await it.text() == "one"
            it.clock.now += 1
            assert await it.text() == "two"
            it.clock.now += 60
            assert not (await it.get(cache_ttl=50)).cache_status.hit  # type: ignore[union-attr]

    async def test_for_ever(self) -> None:
        """FOREVER is for ever."""
        async with site(("one",)) as it:
            await it.get(cache_ttl=FOREVER)
            it.clock.now += 10**9
            response = await it.get()
            assert response.cache_status.hit  # type: ignore[union-attr]
            assert "ttl=999999999999999" in str(response.cache_status)

    @pytest.mark.parametrize("reply", [("one", "Cache-Control: no-store"), (500, "one")])
    async def test_never(self, reply: Any) -> None:
        """It stores neither what says no-store, nor an error."""
        async with site(reply) as it:
            await it.get(cache_ttl=FOREVER)
            await it.get(cache_ttl=FOREVER)
            assert it.origin.count == 2

    async def test_cacheable(self) -> None:
        """cacheable=False keeps the cache out of a call."""
        async with site(("one", FRESH)) as it:
            await it.get(cacheable=False)
            assert (await it.cache.statistics()).store.entries == 0  # type: ignore[union-attr]
            await it.get()
            response = await it.get(cacheable=False)
            assert response.cache_status == CacheStatus(reason="bypass", status=200)
            assert it.origin.count == 3

    async def test_post(self) -> None:
        """cacheable=True answers POST by its body, and makes nothing invalid."""

        def echo(request: Request, number: int) -> Any:
            return (
                200,
                [("Cache-Control", "max-age=100")],
                request.content.data if request.content else b"",
            )

        async with site(echo) as it:
            for _ in range(2):
                for body in (b"a", b"b"):
                    assert await it.text(method="POST", data=body, cacheable=True) == body.decode()
            assert it.origin.count == 2
            await it.get()
            await it.get(method="POST", data=b"a", cacheable=True)
            assert (await it.get()).cache_status.hit  # type: ignore[union-attr]

    async def test_streamed_content(self) -> None:
        """A body that is not known before it is sent cannot be a part of a key: it is sent each time."""

        class Sent:
            text = b""

            async def write(self, piece: bytes) -> None:
                self.text += piece

        async def content(text: bytes) -> AsyncIterator[bytes]:
            yield text

        async def echo(request: Request, number: int) -> Any:
            sent = Sent()
            assert request.content is not None
            await request.content.write(sent)  # type: ignore[arg-type]
            return 200, [("Cache-Control", "max-age=100")], sent.text

        async with site(echo) as it:
            for text in (b"a", b"b", b"a"):
                response = await it.get(method="POST", data=content(text), cacheable=True)
                assert await response.read() == text
                assert not response.cache_status.hit  # type: ignore[union-attr]
            assert it.origin.count == 3

    @pytest.mark.parametrize("asked", [{"data": b"x"}, {"headers": {"Upgrade": "x"}}])
    async def test_kept_out(self, asked: dict[str, Any]) -> None:
        """GET with content, and a request to change the protocol, are for the server."""
        async with site(("one", FRESH)) as it:
            await it.get()
            assert (await it.get()).cache_status.hit  # type: ignore[union-attr]
            response = await it.get(**asked)
            assert response.cache_status == CacheStatus(reason="bypass", status=200)
            assert it.origin.count == 2

    async def test_rules(self) -> None:
        """Rules by method, URL and status give lifetimes to what says none; the first one that fits counts."""
        rules = [
            CacheRule(10, url="*/fast/*"),
            CacheRule(100, methods=["GET", "POST"], url=URL + "*"),
            CacheRule(1000, url="*", override=True),
        ]
        async with site(
            ("one",),
            ("one",),
            ("one",),
            ("two", "Cache-Control: max-age=1"),
            (404, "none"),
            rules=rules,
        ) as it:
            await it.get(URL + "fast/a")
            await it.get(URL + "b")
            await it.get(URL + "c", "POST", json={"q": 1})
            await it.get("http://b.example/")
            it.clock.now += 11
            for url, method, hit in (
                (URL + "b", "GET", True),
                (URL + "c", "POST", True),
                ("http://b.example/", "GET", True),
                (URL + "fast/a", "GET", False),
            ):
                response = await it.get(url, method, json={"q": 1} if method == "POST" else None)
                assert response.cache_status.hit is hit, url  # type: ignore[union-attr]
            for _ in range(2):
                assert not (await it.get(URL + "missing")).cache_status.hit  # type: ignore[union-attr]

    async def test_statuses_of_a_rule(self) -> None:
        """A rule is about its statuses alone, and then about errors, too."""
        rules = [CacheRule(10, url="*/a", statuses=[404, 503]), CacheRule(10, url="*/b")]
        async with site(lambda request, number: (404, [], b"none"), rules=rules) as it:
            for path, hit in (("a", False), ("a", True), ("b", False), ("b", False)):
                response = await it.get(URL + path)
                assert (response.status, await response.text()) == (404, "none")
                assert response.cache_status.hit is hit  # type: ignore[union-attr]
            it.clock.now += 11
            assert not (await it.get(URL + "a")).cache_status.hit  # type: ignore[union-attr]
        async with site(("one",), rules=rules) as it:
            await it.get(URL + "a")
            assert not (await it.get(URL + "a")).cache_status.hit  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("pattern", "url", "expected"),
        [
            (None, "http://a/", True),
            ("http://a/*", "http://a/b?c", True),
            ("http://a/", "http://a/", True),
            ("http://a/", "http://a/b", False),
            ("*/b/*/d", "http://a/b/c/d", True),
            ("*/b/*/d", "http://a/b/d", False),
            ("a*a", "a", False),
            ("*a*b*", "xbxa", False),
        ],
    )
    def test_patterns(self, pattern: str | None, url: str, expected: bool) -> None:
        """An asterisk stands for any text, all else for itself."""
        assert CacheRule(1, url=pattern).fits("GET", url) is expected

    @pytest.mark.parametrize(
        ("make", "error"),
        [
            (lambda: CacheRule(-1), ValueError),
            (lambda: CacheRule(None), TypeError),  # type: ignore[arg-type]
            (lambda: CacheRule(1, methods="GET"), TypeError),
            (lambda: CacheRule(1, url=b"x"), TypeError),  # type: ignore[arg-type]
            (lambda: Cache(object()), TypeError),  # type: ignore[arg-type]
            (lambda: Cache(MemoryStore), TypeError),  # type: ignore[arg-type]
            (lambda: Cache(rules=["x"]), TypeError),  # type: ignore[list-item]
            (lambda: Cache(targets="x"), TypeError),
            (lambda: Cache(stale_if_error=-1), ValueError),
            (lambda: Cache(partition="x"), TypeError),  # type: ignore[arg-type]
            (lambda: MemoryStore(0), ValueError),
            (lambda: MemoryStore("1"), TypeError),  # type: ignore[arg-type]
        ],
    )
    def test_mistakes(self, make: Any, error: type[Exception]) -> None:
        """Arguments that make no sense are refused where they are given."""
        with pytest.raises(error):
            make()


class TestTargets:
    async def test_targeted(self) -> None:
        """RFC 9213, as an option."""
        lines = ("one", "Cache-Control: no-store", "Mine-Cache-Control: max-age=100")
        async with site(lines, targets=["Mine-Cache-Control"]) as it:
            await it.get()
            assert (await it.get()).cache_status.hit  # type: ignore[union-attr]
        async with site(lines) as it:
            await it.get()
            assert not (await it.get()).cache_status.hit  # type: ignore[union-attr]

    async def test_no_vary_search(self) -> None:
        """No-Vary-Search, as an option: parameters that do not count; and POST ends all of them."""
        lines = ("one", FRESH, 'No-Vary-Search: params=("utm")')
        async with site(lines, no_vary_search=True) as it:
            await it.get(URL + "?a=1&utm=x")
            assert (await it.get(URL + "?a=1&utm=y")).cache_status.hit  # type: ignore[union-attr]
            assert (await it.get(URL + "?a=1")).cache_status.hit  # type: ignore[union-attr]
            assert not (await it.get(URL + "?a=2")).cache_status.hit  # type: ignore[union-attr]
            await it.get(URL + "?a=1&utm=z", "POST")
            assert not (await it.get(URL + "?a=1")).cache_status.hit  # type: ignore[union-attr]
        async with site(lines) as it:
            await it.get(URL + "?a=1&utm=x")
            assert not (await it.get(URL + "?a=1&utm=y")).cache_status.hit  # type: ignore[union-attr]


@pytest.mark.rows("CACHE-09")
async def test_data_is_data() -> None:
    """Names that mean something to a program are names of fields like all others."""
    names = ["__proto__", "__class__", "constructor", "uri", "fields", "id"]
    async with site(("one", FRESH, *[f"{name}: {name}!" for name in names])) as it:
        await it.get()
        response = await it.get()
        assert [response.headers[name] for name in names] == [f"{name}!" for name in names]


@pytest.mark.parametrize("mode", ["reload", "no-store"])
async def test_unconditional(mode: str) -> None:
    """Who wants all of it anew sends no condition of the cache's."""
    async with site(("one", FRESH, TAG), ("two", FRESH, TAG)) as it:
        await it.get()
        assert await it.text(cache_mode=mode) == "two"
        assert "If-None-Match" not in it.origin.seen[1][1]
