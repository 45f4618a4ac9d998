"""May a response be stored, and which of its fields? RFC 9111, sections 3, 3.1 and 3.5."""

from typing import Any

import pytest

from aioclient.middlewares.cache.directives import RequestDirectives, response_directives
from aioclient.middlewares.cache.settings import CacheSettings
from aioclient.middlewares.cache.storing import Asked, stored_fields, why_not

from .values import NOW, date, fields_of

PRIVATE = CacheSettings()
SHARED = CacheSettings(shared=True)
TAG = 'ETag: "1"'


def reason(
    *lines: str, status: int = 200, settings: CacheSettings = PRIVATE, **asked: Any
) -> str | None:
    fields = fields_of(*lines)
    values = {"method": "GET", "directives": RequestDirectives(), "authorized": False, **asked}
    return why_not(Asked(**values), status, fields, response_directives(fields), settings, NOW)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Cache-Control: max-age=1"], 200),
        (["Cache-Control: max-age=1"], 299),
        (["Cache-Control: max-age=1"], 500),
        (["Cache-Control: max-age=1"], 302),
        ([date("Expires", 1)], 599),
        (["Cache-Control: private, max-age=1"], 200),
        (["Cache-Control: public", TAG], 599),
        ([TAG], 200),
        ([date("Last-Modified", -10)], 404),
        (["Cache-Control: no-cache", TAG], 200),
        (["Cache-Control: max-age=0", TAG], 200),
        (["Cache-Control: max-age=1", "Set-Cookie: a=b"], 200),
        (["Cache-Control: max-age=1, no-store, must-understand"], 200),
        (["Cache-Control: max-age=1", "Content-Range: bytes 0-1/4"], 206),
        (["Cache-Control: max-age=1", f"Vary: {', '.join(map(str, range(64)))}"], 200),
    ],
)
def test_may_be_stored(lines: list[str], status: int) -> None:
    """Section 3: it says how long it lasts, or its status lets that be guessed, and nothing forbids it."""
    assert reason(*lines, status=status) is None


@pytest.mark.parametrize(
    ("lines", "status", "expected"),
    [
        (["Cache-Control: no-store, max-age=9"], 200, "no-store"),
        (["Cache-Control: max-age=9, no-store, must-understand"], 599, "must-understand"),
        (["Cache-Control: max-age=9"], 304, "not a final response"),
        (["Cache-Control: max-age=9"], 103, "not a final response"),
        (["Cache-Control: max-age=9", "Vary: a, *"], 200, "it varies by everything"),
        (
            ["Cache-Control: max-age=9", f"Vary: {', '.join(map(str, range(65)))}"],
            200,
            "it varies by too much",
        ),
        ([TAG], 201, "nothing says how long it lasts"),
        ([date("Last-Modified", -9)], 503, "nothing says how long it lasts"),
        ([], 200, "it would never be used"),
        (["Cache-Control: max-age=0"], 200, "it would never be used"),
        (["Expires: 0"], 200, "it would never be used"),
        ([TAG, "Cache-Control: max-age=9"], 206, "a part that says not which"),
        (
            ["Cache-Control: max-age=9", "Content-Range: bytes 4-1/4"],
            206,
            "a part that says not which",
        ),
    ],
)
def test_may_not_be_stored(lines: list[str], status: int, expected: str) -> None:
    """Section 3: each of its conditions, with the reason that is told."""
    assert reason(*lines, status=status) == expected


def test_request_forbids() -> None:
    """Section 5.2.1.5: no-store of a request is for its response too."""
    asked = RequestDirectives(no_store=True)
    assert reason("Cache-Control: max-age=9", directives=asked) == "the request says no-store"


@pytest.mark.rows("CACHE-01")
class TestShared:
    """What is for one user alone."""

    @pytest.mark.parametrize(
        "text", ["public, max-age=9", "must-revalidate, max-age=9", "s-maxage=9"]
    )
    def test_authorized(self, text: str) -> None:
        """Section 3.5: an answer to Authorization is stored if it says that it may be."""
        line = f"Cache-Control: {text}"
        assert reason(line, settings=SHARED, authorized=True) is None

    def test_authorized_unsaid(self) -> None:
        """Else it is not; a cache of one user's keeps it, apart from those of others."""
        line = "Cache-Control: max-age=9"
        assert reason(line, settings=SHARED, authorized=True) == "an answer to Authorization"
        assert reason(line, authorized=True) is None

    def test_private(self) -> None:
        """Section 5.2.2.7: private, and private with the names of fields."""
        assert reason("Cache-Control: private, max-age=9", settings=SHARED) == "private"
        fields = fields_of(
            'Cache-Control: private=" x-user", max-age=9', "X-User: ada", "X-Other: 1"
        )
        assert (
            reason(*[f"{name}: {value}" for name, value in fields.items()], settings=SHARED) is None
        )
        directives = response_directives(fields)
        assert "X-User" not in stored_fields(fields, directives, SHARED)
        assert "X-User" in stored_fields(fields, directives, PRIVATE)

    @pytest.mark.rows("CACHE-02")
    def test_cookies(self) -> None:
        """What sets cookies was made for one user, whatever it says."""
        lines = ["Cache-Control: public, max-age=9", "Set-Cookie: id=1"]
        assert reason(*lines, settings=SHARED) == "it sets cookies"


class TestUsersWord:
    def test_ttl(self) -> None:
        """A lifetime of the user's lets be stored what says nothing, but not what says no-store."""
        assert reason(ttl=9.0) is None
        assert reason(ttl=9.0, method="POST") is None
        assert reason(ttl=9.0, status=404) is None
        assert reason(status=503) == "nothing says how long it lasts"
        assert reason("Cache-Control: no-store", ttl=9.0) == "no-store"
        assert reason("Cache-Control: private", ttl=9.0, settings=SHARED) == "private"

    def test_post(self) -> None:
        """RFC 9110, section 9.3.3: an answer to POST that says how long it lasts and that it is the URI's own."""
        assert reason("Cache-Control: max-age=9", method="POST", same_uri=True) is None
        assert reason("Cache-Control: max-age=9", method="POST") == "an answer to POST"
        assert reason(TAG, method="POST", same_uri=True) == "an answer to POST"


@pytest.mark.rows("CACHE-02")
def test_fields_that_are_not_stored() -> None:
    """Section 3.1: fields of the connection, those that Connection lists, those that no-cache names; and cookies."""
    fields = fields_of(
        'Cache-Control: max-age=9, no-cache="x-nonce"',
        "Connection: close, X-Hop",
        "X-Hop: 1",
        "X-Nonce: 1",
        "Keep-Alive: 5",
        "Proxy-Authenticate: Basic",
        "Set-Cookie: a=b",
        "TE: x",
        "Transfer-Encoding: chunked",
        "Upgrade: h2c",
        "X-Kept: 1",
        "Date: x",
    )
    kept = stored_fields(fields, response_directives(fields), PRIVATE)
    assert list(kept) == ["Cache-Control", "X-Kept", "Date"]


@pytest.mark.rows("CACHE-04")
def test_fields_that_are_always_stored() -> None:
    """What tells how long a response may be used is stored, even if Connection or no-cache names it."""
    fields = fields_of(
        'Cache-Control: no-cache="cache-control, expires", max-age=9',
        "Connection: Cache-Control, Age, CDN-Cache-Control, X-Hop",
        "Age: 5",
        "Expires: 0",
        "CDN-Cache-Control: no-store",
        "X-Hop: 1",
    )
    settings = CacheSettings(targets=("CDN-Cache-Control",))
    kept = stored_fields(fields, response_directives(fields), settings)
    assert list(kept) == ["Cache-Control", "Age", "Expires", "CDN-Cache-Control"]
