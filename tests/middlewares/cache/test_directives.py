"""Cache directives (RFC 9111, section 5.2), and those of targeted fields (RFC 9213)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from aioclient.message.http_date import http_date, timestamp_of
from aioclient.middlewares.cache.directives import (
    MAX_SECONDS,
    RequestDirectives,
    ResponseDirectives,
    parse_directives,
    request_directives,
    response_directives,
)
from aioclient.middlewares.cache.keys import ignored_by
from aioclient.middlewares.cache.ranges import part_for
from aioclient.middlewares.cache.validation import is_unchanged
from aioclient.middlewares.cache.vary import names_of, variant_of

from .values import NOW, entry_of, fields_of


@pytest.mark.rows("CACHE-04")
class TestResponses:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", {}),
            ("max-age=60", {"max_age": 60}),
            ("MaX-aGe=60", {"max_age": 60}),
            ('max-age="60"', {"max_age": 60}),
            ("max-age=0060", {"max_age": 60}),
            (" , max-age=60 ,, ", {"max_age": 60}),
            ("foobar, max-age=60, x=y", {"max_age": 60}),
            ("max-age=99999999999", {"max_age": MAX_SECONDS}),
            (f"max-age={'9' * 5000}", {"max_age": MAX_SECONDS}),
            # What is not digits alone is no time (section 4.2.1)
            ("max-age=-60", {"max_age": 0}),
            ("max-age=60.5", {"max_age": 0}),
            ("max-age='60'", {"max_age": 0}),
            ("max-age=60s", {"max_age": 0}),
            ("max-age=6 0", {"max_age": 0}),
            ("max-age", {"max_age": 0}),
            ("max-age=", {"max_age": 0}),
            ("max-age =60", {"max_age": 0}),
            ("max-age=٦٠", {"max_age": 0}),
            ('max-age="60', {"max_age": 0}),
            ('max-age="60"1', {"max_age": 0}),
            # Twice: the smaller one
            ("max-age=60, max-age=5", {"max_age": 5}),
            ("max-age=5, max-age=60", {"max_age": 5}),
            ("max-age=60, max-age=x", {"max_age": 0}),
            # Within a quoted string stands no directive
            ('extension="max-age=60", max-age=5', {"max_age": 5}),
            ('max-age=5, extension="max-age=60, no-store"', {"max_age": 5}),
            (r'extension="a\", no-store", public', {"public": True}),
            ('extension="open, no-store', {"no_store": True}),
            ("no-store, public", {"no_store": True, "public": True}),
            ("No-StOrE", {"no_store": True}),
            ("no-store=x", {"no_store": True}),
            ("no_store", {}),
            ("no-cache", {"no_cache": True}),
            ('no-cache=""', {"no_cache": True}),
            ('no-cache=" , "', {"no_cache": True}),
            ('no-cache="a, B"', {"no_cache_fields": frozenset("ab")}),
            ('no-cache="a"x', {"no_cache": True}),
            ('no-cache="a b"', {"no_cache": True}),
            ("no-cache=a", {"no_cache_fields": frozenset("a")}),
            ('no-cache="a", no-cache', {"no_cache": True}),
            ('private=" authorization"', {"private_fields": frozenset(["authorization"])}),
            ("private, max-age=1", {"private": True, "max_age": 1}),
            (
                "must-revalidate, proxy-revalidate, must-understand, immutable",
                {
                    "must_revalidate": True,
                    "proxy_revalidate": True,
                    "must_understand": True,
                    "immutable": True,
                },
            ),
            (
                "s-maxage=1, stale-while-revalidate=2, stale-if-error=3",
                {"s_maxage": 1, "stale_while_revalidate": 2, "stale_if_error": 3},
            ),
            ("\x01no-store, public", {"public": True}),
        ],
    )
    def test_forms(self, text: str, expected: dict[str, object]) -> None:
        """Every form that servers write has one reading, the cautious one where there are two."""
        expected = {
            "no_cache_fields": frozenset(),
            "private_fields": frozenset(),
            **expected,
        }
        fields = fields_of(f"Cache-Control: {text}")
        assert response_directives(fields) == ResponseDirectives(**expected)  # type: ignore[arg-type]

    def test_lines_are_one_list(self) -> None:
        """Several lines of a field read as one list (RFC 9110, section 5.3)."""
        fields = fields_of("Cache-Control: max-age=60", "cache-control: no-store")
        assert response_directives(fields) == ResponseDirectives(max_age=60, no_store=True)

    @given(st.text(alphabet=st.sampled_from('a=,"\\ \t;-1x\x00ü'), max_size=40))
    def test_any_text(self, text: str) -> None:
        """Whatever a server writes raises nothing, and a no-store behind it counts unless it is quoted."""
        parse_directives(text)
        if '"' not in text:
            assert "no-store" in parse_directives(f"{text},no-store")


class TestRequests:
    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            ([], {}),
            (["Cache-Control: no-store, no-cache"], {"no_store": True, "no_cache": True}),
            (["Cache-Control: max-age=0"], {"max_age": 0}),
            (["Cache-Control: max-stale"], {"max_stale": MAX_SECONDS}),
            (["Cache-Control: max-stale=10, min-fresh=5"], {"max_stale": 10, "min_fresh": 5}),
            (
                ["Cache-Control: max-stale=x, min-fresh=x"],
                {"max_stale": 0, "min_fresh": MAX_SECONDS},
            ),
            (["Cache-Control: only-if-cached"], {"only_if_cached": True}),
            (["Cache-Control: stale-if-error=60"], {"stale_if_error": 60}),
            (["Pragma: no-cache"], {"no_cache": True}),
            (["Pragma: no-cache", "Cache-Control: max-age=9"], {"max_age": 9}),
            (["Pragma: other"], {}),
        ],
    )
    def test_forms(self, lines: list[str], expected: dict[str, object]) -> None:
        """A request's directives (section 5.2.1); Pragma counts where there are none (section 5.4)."""
        assert request_directives(fields_of(*lines)) == RequestDirectives(**expected)  # type: ignore[arg-type]


HOSTILE = [
    ",",
    " ",
    ', "',
    "=,",
    "a=",
    "a;b",
    'a="',
    "a,",
    '"',
    "\\",
    "\x01,",
    ", \t",
    "a=1;",
    "a=?1,",
    "(",
    ';a="',
]


@pytest.mark.hang_limit(20)
@pytest.mark.rows("CACHE-04", "MISC-07")
@pytest.mark.parametrize("start", ["", "a", 'a="', "params=("])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts(start: str, text: str) -> None:
    """What is 64 KiB long is read in linear time, whatever it is, by all that reads fields of servers."""
    long = start + text * (65536 // len(text))
    fields = CIMultiDict(
        [(name, long) for name in ("Cache-Control", "CDN-Cache-Control", "No-Vary-Search", "Vary")]
    )
    response_directives(fields)
    response_directives(fields, ["CDN-Cache-Control"])
    request_directives(fields)
    ignored_by(fields)
    names_of(fields)
    entry = entry_of('ETag: "1"')
    is_unchanged(CIMultiDict([("If-None-Match", long)]), entry)
    part_for(long, entry)
    variant_of(("a", "accept-language"), CIMultiDict([("A", long), ("Accept-Language", long)]))
    assert timestamp_of(long, NOW) is None


class TestTargets:
    TARGETS = ("Mine-Cache-Control", "CDN-Cache-Control")

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("max-age=60", {"max_age": 60}),
            ("max-age=60;x=1;y, must-revalidate", {"max_age": 60, "must_revalidate": True}),
            ("max-age=1, max-age=60", {"max_age": 60}),
            ('no-cache="a"', {"no_cache_fields": frozenset("a")}),
            ("no-store", {"no_store": True}),
            ("no-store=?1", {"no_store": True}),
            ("no-store=?0, public", {"public": True}),
            # Of another type than a directive has: left out
            ("max-age=60.5, public", {"public": True}),
            ('max-age="60", public', {"public": True}),
            ("max-age, public", {"public": True}),
        ],
    )
    def test_structured(self, text: str, expected: dict[str, object]) -> None:
        """A targeted field is a structured dictionary, and takes Cache-Control's place."""
        fields = fields_of("Cache-Control: no-store, private", f"CDN-Cache-Control: {text}")
        expected = {"no_cache_fields": frozenset(), "private_fields": frozenset(), **expected}
        assert response_directives(fields, self.TARGETS) == ResponseDirectives(**expected)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "text", ["", "max-age=60,", "MAX-AGE=60", "max-age=60 x", "max-age==1", "a=(1 2)"]
    )
    def test_what_is_none_does_not_count(self, text: str) -> None:
        """One that cannot be read, or is empty, counts as if it were not there (section 2.2)."""
        fields = fields_of("Cache-Control: max-age=5", f"CDN-Cache-Control: {text}")
        assert response_directives(fields, self.TARGETS) == ResponseDirectives(max_age=5)

    def test_order(self) -> None:
        """The first of the list that is there counts, and none without the option."""
        fields = fields_of(
            "Cache-Control: max-age=1",
            "CDN-Cache-Control: max-age=2",
            "Mine-Cache-Control: max-age=3",
        )
        assert response_directives(fields, self.TARGETS).max_age == 3
        assert response_directives(fields).max_age == 1


class TestDates:
    @pytest.mark.parametrize(
        "text",
        [
            "Sun, 09 Sep 2001 01:46:40 GMT",
            "sun, 09 sep 2001 01:46:40 gmt",
            "Sunday, 09-Sep-01 01:46:40 GMT",
            "Sun Sep  9 01:46:40 2001",
            " Sun, 09 Sep 2001 01:46:40 GMT\t",
        ],
    )
    def test_three_forms(self, text: str) -> None:
        """A date has three forms (RFC 9110, section 5.6.7)."""
        assert timestamp_of(text, NOW) == NOW

    @pytest.mark.parametrize(
        "text",
        [
            "0",
            "",
            "-1",
            "1000000000",
            "Sun, 9 Sep 2001 01:46:40 GMT",
            "Sun, 09 Sep 2001 01:46:40",
            "Sun, 09 Sep 2001 01:46:40 UTC",
            "Sun, 09 Sep 2001 01:46:40 +0000",
            "Sun, 09 Sep 2001 01:46 GMT",
            "Sun, 09 Sep 2001 25:46:40 GMT",
            "Sun, 31 Feb 2001 01:46:40 GMT",
            "Sun, 09 Foo 2001 01:46:40 GMT",
            "Sun, 09 Sep 0000 01:46:40 GMT",
            "Sun, ٠٩ Sep 2001 01:46:40 GMT",
            "Sun, 09 Sep 2001 01:46:40 GMT" + " " * 100 + "x",
        ],
    )
    def test_no_dates(self, text: str) -> None:
        """Everything else is none."""
        assert timestamp_of(text, NOW) is None

    def test_two_digits(self) -> None:
        """A year of two digits is at most 50 years ahead."""
        assert timestamp_of("Sunday, 09-Sep-51 01:46:40 GMT", NOW) == pytest.approx(2577836800)
        past = timestamp_of("Sunday, 09-Sep-52 01:46:40 GMT", NOW)
        assert past is not None
        assert past < 0

    @given(st.integers(0, 2**32))
    def test_back_and_forth(self, seconds: int) -> None:
        """A date that was written is read as what it was."""
        assert timestamp_of(http_date(seconds), NOW) == seconds
