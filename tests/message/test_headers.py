"""Outgoing fields: what may reach the wire, how sets of them merge, and which are secret."""

from typing import Any

import pytest
from hypothesis import given, strategies
from multidict import CIMultiDict, CIMultiDictProxy

from aioclient.message.headers import (
    MAX_KNOWN_NAME,
    MAX_KNOWN_NAMES,
    DefaultHeaders,
    Names,
    check_method,
    check_name,
    check_target,
    check_value,
    is_secret,
    merge_into,
    serialize_fields,
    shown_text,
    to_multidict,
    without_secrets,
)


class TestMethod:
    @pytest.mark.parametrize(("given", "method"), [("GET", "GET"), ("get", "GET"), ("x-y", "X-Y")])
    def test_upper_case(self, given: str, method: str) -> None:
        """A method goes out in upper case."""
        assert check_method(given) == method

    @pytest.mark.parametrize(
        "method", ["", "GE T", "G\n", "G\x00T", "GÉT", "po\u017ft", "a:b", "(x)"]
    )
    def test_no_token(self, method: str) -> None:
        """What is no token of ASCII as it was given raises ValueError."""
        with pytest.raises(ValueError, match="is not a token"):
            check_method(method)


class TestFields:
    @given(strategies.text())
    def test_what_passes_is_one_line(self, text: str) -> None:
        """Whatever passes the checks makes exactly one line, with one colon that ends the name."""
        for name, value in ((text, "v"), ("n", text)):
            try:
                block = serialize_fields(CIMultiDict([(name, value)]))
            except ValueError:
                continue
            assert block.endswith(b"\r\n")
            assert not any(byte in block[:-2] for byte in b"\r\n\0")
            assert block[:-2].partition(b": ")[0].decode() == name

    @given(strategies.text())
    def test_what_passes_is_one_target(self, text: str) -> None:
        """A target that passes has no space, no control character and is ASCII."""
        try:
            check_target(text)
        except ValueError as error:
            assert text == "" or "percent-encode" in str(error)
        else:
            assert text.isascii()
            assert text.isprintable()
            assert " " not in text

    def test_messages_are_short(self) -> None:
        """A message shows at most 100 characters of what was given, escaped."""
        for check in (check_method, check_name, check_target):
            with pytest.raises(ValueError, match="x") as caught:
                check("\x1b" + "x" * 10_000)
            assert len(str(caught.value)) < 300
            assert "\x1b" not in str(caught.value)
        assert len(shown_text("x" * 1000)) == 100

    def test_values_are_not_shown(self) -> None:
        """A refused value may be a secret: its position is told, not its text."""
        with pytest.raises(
            ValueError, match=r"X contains the control character '\\n' at position 6"
        ) as e:
            check_value("X", "secret\n")
        assert "secret" not in str(e.value)


class TestMerging:
    @pytest.mark.parametrize(
        "headers",
        [
            {"A": "1", "B": None},
            [("A", "1"), ("B", None)],
            CIMultiDict({"A": "1"}),
            CIMultiDictProxy(CIMultiDict({"A": "1"})),
            None,
        ],
    )
    def test_to_multidict(self, headers: Any) -> None:
        """Any spelling becomes a new multidict; None as a value leaves out."""
        result = to_multidict(headers)
        assert result is not headers
        assert list(result.items()) == ([] if headers is None else [("A", "1")])

    def test_merge_into(self) -> None:
        """A name replaces all fields of that name, repeats stay, None removes, order is kept."""
        headers = CIMultiDict([("A", "1"), ("a", "2"), ("B", "3"), ("C", "4")])
        merge_into(headers, [("a", "5"), ("D", "6"), ("A", "7"), ("b", None)])
        assert list(headers.items()) == [("C", "4"), ("a", "5"), ("D", "6"), ("A", "7")]

    def test_none_after_a_value(self) -> None:
        """None removes what the session had, not what the same call gave before."""
        headers = CIMultiDict([("A", "1")])
        merge_into(headers, [("A", "2"), ("A", None)])
        assert list(headers.items()) == [("A", "2")]


class TestDefaults:
    def test_they_are_serialized_once_for_each_change(self) -> None:
        """The bytes are made anew when the fields have changed, and only then."""
        defaults = DefaultHeaders(CIMultiDict({"A": "1"}))
        block = defaults.block()
        assert block == b"A: 1\r\n"
        assert defaults.block() is block
        assert defaults.plain_block() is block
        defaults.given["Cookie"] = "c"
        assert defaults.block() == b"A: 1\r\nCookie: c\r\n"
        assert defaults.plain_block() is None


class TestSecrets:
    @pytest.mark.parametrize(
        "name",
        [
            *(
                "Authorization",
                "COOKIE",
                "x-api-key",
                "X-Auth-Email",
                "My-Token",
                "token",
                "X-Secret",
            ),
            *("Authentication", "X-Authorization", "Proxy-Authentication-Info", "Auth", "X-Auth"),
            *(
                "X-Cookie",
                "Cookie2",
                "Set-Cookie2",
                "X-Session-Id",
                "SessionId",
                "X-Amzn-SessionId",
            ),
            *(
                "X-Access-Key",
                "Private-Key",
                "Ocp-Apim-Subscription-Key",
                "X_Api_Key",
                "ApiKey",
                "Key",
            ),
            *("X-Passphrase", "OK-ACCESS-PASSPHRASE", "X-User-Password", "Passwd", "X-Passcode"),
            *("X-Goog-Iap-Jwt-Assertion", "JWT", "X-Jwt", "X-Credentials", "Client-Credential"),
            *(
                "AccessToken",
                "XToken",
                "X-Token-Value",
                "Tokens",
                "X-Amz-Security-Token",
                "Access_Token",
            ),
            *("Cf-Access-Client-Secret", "ClientSecret", "Secret-Key"),
        ],
    )
    def test_secret(self, name: str) -> None:
        """Names that carry credentials by rule or by custom are secret, in any case."""
        assert is_secret(name)

    @pytest.mark.parametrize(
        "name",
        [
            *(
                "Accept",
                "Idempotency-Key",
                "X-Idempotency-Key",
                "Sec-WebSocket-Key",
                "X-Key-Id",
                "Author",
            ),
            *(
                "Sec-Token-Binding",
                "Access-Control-Allow-Credentials",
                "Keyboard",
                "Keep-Alive",
                "Monkey",
            ),
            *("X-Request-Id", "If-None-Match", "Content-Type", "Range", "User-Agent", "Passenger"),
        ],
    )
    def test_not_secret(self, name: str) -> None:
        """Names that only look alike are not, unless they are named."""
        assert not is_secret(name)
        assert is_secret(name, frozenset((name.lower(),)))

    def test_without_secrets(self) -> None:
        """A copy without them keeps order and repeats."""
        headers = CIMultiDict([("A", "1"), ("Cookie", "c"), ("a", "2"), ("Mine", "m")])
        assert list(without_secrets(headers, frozenset(("mine",))).items()) == [
            ("A", "1"),
            ("a", "2"),
        ]
        assert len(headers) == 4


class TestKnownNames:
    def test_as_received(self) -> None:
        """A name keeps its spelling, and is the same object the next time."""
        names = Names()
        assert (names[b"x-UNUSUAL"], names[b"X-Unusual"]) == ("x-UNUSUAL", "X-Unusual")
        assert names[b"x-UNUSUAL"] is names[b"x-UNUSUAL"]
        assert CIMultiDict([(names[b"x-UNUSUAL"], "1")])["X-Unusual"] == "1"

    def test_bounded(self) -> None:
        """Whatever servers send, no more than so many names are kept, and none that is long."""
        names = Names()
        assert names[b"n" * (MAX_KNOWN_NAME + 1)] == "n" * (MAX_KNOWN_NAME + 1)
        assert not names
        for number in range(2 * MAX_KNOWN_NAMES):
            assert names[b"x-%d" % number] == f"x-{number}"
            assert len(names) <= MAX_KNOWN_NAMES

    def test_after_a_flood(self) -> None:
        """A server that sends ever new names does not keep those of others from being known afterwards."""
        names = Names()
        for number in range(MAX_KNOWN_NAMES):
            assert names[b"x-%d" % number]
        assert names[b"Server"] is names[b"Server"]
