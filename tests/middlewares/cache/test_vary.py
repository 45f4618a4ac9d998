"""Vary (RFC 9111, section 4.1)."""

import pytest

from aioclient.middlewares.cache.vary import matches, names_of, variant_of

from .values import fields_of

NOTHING = fields_of()


def is_match(vary: str, stored: list[str], asked: list[str], *response: str) -> bool:
    names = names_of(fields_of(f"Vary: {vary}"))
    return matches(variant_of(names, fields_of(*stored)), fields_of(*response), fields_of(*asked))


@pytest.mark.rows("CACHE-03")
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], ()),
        (["Vary: b, A,,b"], ("a", "b")),
        (["Vary: a", "Vary: b"], ("a", "b")),
        (["Vary: *"], ("*",)),
        (["Vary: a, *"], ("*",)),
        (["Vary: , *"], ("*",)),
        (["Vary:", "Vary: *"], ("*",)),
    ],
)
def test_names(lines: list[str], expected: tuple[str, ...]) -> None:
    """The names that all lines list; an asterisk anywhere stands for everything."""
    assert names_of(fields_of(*lines)) == expected


@pytest.mark.rows("CACHE-03")
@pytest.mark.parametrize(
    ("vary", "stored", "asked", "expected"),
    [
        ("foo", ["Foo: 1"], ["Foo: 1"], True),
        ("foo", ["Foo: 1"], ["Foo: 1", "Bar: 2"], True),
        ("foo", ["Foo: 1"], ["Foo: 2"], False),
        ("foo", ["Foo: 1"], [], False),
        ("foo", [], ["Foo: 1"], False),
        ("foo", ["Foo:"], [], False),
        ("foo", [], [], True),
        ("foo", ["Foo: a"], ["Foo: A"], False),
        ("foo, bar", ["Foo: 1", "Bar: 2"], ["Bar: 2", "Foo: 1"], True),
        ("foo, bar", ["Foo: 1", "Bar: 2"], ["Foo: 1"], False),
        ("foo, bar", ["Foo: a=b&c"], ["Foo: a", "Bar: b&c"], False),
        # Lines and spaces do not count
        ("foo", ["Foo: 1,2"], ["Foo:  1 , 2 "], True),
        ("foo", ["Foo: 1, 2"], ["Foo: 1", "Foo: 2"], True),
        ("foo", ['Foo: "a, b"'], ['Foo: "a,b"'], False),
        ("accept-language", ["Accept-Language: en, de"], ["Accept-Language: De ,eN"], True),
        ("accept-language", ["Accept-Language: en, de"], ["Accept-Language: en;q=1.0, de"], True),
        (
            "accept-language",
            ["Accept-Language: en, de;q=0.5"],
            ["Accept-Language: de, en;q=0.5"],
            False,
        ),
        ("accept-encoding", ["Accept-Encoding: gzip, br"], ["Accept-Encoding: br,gzip"], True),
        ("cookie", ["Cookie: a=1"], ["Cookie: a=1"], True),
        ("cookie", ["Cookie: a=1"], ["Cookie: a=2"], False),
        ("cookie, accept-language", ["Cookie: a=1"], ["Cookie: a=1", "Accept-Language: de"], False),
    ],
)
def test_matches(vary: str, stored: list[str], asked: list[str], expected: bool) -> None:
    """Each field that is named has the same value, or is missing in both."""
    assert is_match(vary, stored, asked) is expected


@pytest.mark.parametrize(
    ("language", "accepted", "expected"),
    [
        ("de", "fr;q=0.5, de;q=1.0", True),
        ("DE", "de", True),
        ("de", "fr, de", False),
        ("de", "fr, de;q=0.9", False),
        ("de, en", "de", False),
        ("de", "de-AT", False),
        ("de", "*", False),
    ],
)
def test_first_choice(language: str, accepted: str, expected: bool) -> None:
    """What is in the language that is wanted most is what the server would send (RFC 9110, section 12.5.4)."""
    asked = [f"Accept-Language: {accepted}"]
    stored = ["Accept-Language: en, de"]
    assert is_match("accept-language", stored, asked, f"Content-Language: {language}") is expected


@pytest.mark.rows("CACHE-10")
def test_secrets_are_hashed() -> None:
    """A value that carries a secret is kept as a hash."""
    variant = variant_of(
        ("authorization", "cookie", "x-api-key"),
        fields_of("Cookie: id=s3cret", "X-Api-Key: s3cret"),
    )
    assert "s3cret" not in repr(variant)
    assert variant[0] == ("authorization", None)
