"""Who may talk to a OneBot server."""

import ast
import inspect
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, MultiDict

from aioclient.onebot import authorization as module
from aioclient.onebot.authorization import authorization, check_token, refusal

Fields = list[tuple[str, str]]


def decide(token: str | None, headers: Fields = [], query: Fields = []) -> int | None:  # noqa: B006
    return refusal(token, CIMultiDict(headers), MultiDict(query))


class TestToken:
    """OneBot 12, connect, authentication."""

    @pytest.mark.parametrize(
        ("headers", "query", "status"),
        [
            ([("Authorization", "Bearer tok")], [], None),
            ([("authorization", "Bearer tok")], [], None),
            ([], [("access_token", "tok")], None),
            ([], [], 401),
            ([], [("access_token", "")], 401),
            ([], [("access_token", "to")], 401),
            ([], [("access_token", "tokk")], 401),
            ([], [("Access_Token", "tok")], 401),
            # As it stands: no trimming, no other spelling of the scheme.
            ([("Authorization", "bearer tok")], [], 401),
            ([("Authorization", "Bearer  tok")], [], 401),
            ([("Authorization", "Bearer tok ")], [], 401),
            ([("Authorization", "Token tok")], [], 401),
            ([("Authorization", "tok")], [], 401),
            ([("Authorization", "")], [], 401),
            # The field is there: the query is not looked at.
            ([("Authorization", "Bearer no")], [("access_token", "tok")], 401),
            ([("Authorization", "")], [("access_token", "tok")], 401),
            ([("Authorization", "Bearer tok")], [("access_token", "no")], None),
            # Which of two is meant?
            ([("Authorization", "Bearer tok"), ("Authorization", "Bearer no")], [], 401),
            ([("Authorization", "Bearer tok"), ("Authorization", "Bearer tok")], [], 401),
            ([], [("access_token", "tok"), ("access_token", "no")], 401),
        ],
    )
    @pytest.mark.rows("S002-10")
    def test_it_is_needed(self, headers: Fields, query: Fields, status: int | None) -> None:
        """The field must be exactly ``Bearer <token>``; without a field, the query must have the token."""
        assert decide("tok", headers, query) == status

    @pytest.mark.parametrize("token", [None, ""])
    def test_an_empty_one(self, token: str | None) -> None:
        """Without a token, or with an empty one, anybody may, whatever they bring."""
        assert check_token(token) is None
        assert decide(token) is None
        assert decide(token, [("Authorization", "Bearer x")], [("access_token", "y")]) is None

    @pytest.mark.rows("AUTH-11")
    @pytest.mark.parametrize("token", ["tökén", "令牌", "🤖"])
    def test_it_is_not_ascii(self, token: str) -> None:
        """A token may be any text; what is compared may be any bytes, and nothing raises."""
        assert check_token(token) == token
        assert decide(token, [("Authorization", f"Bearer {token}")]) is None
        assert decide(token, [], [("access_token", token)]) is None
        raw = f"Bearer {token}".encode("utf-16-le").decode("utf-8", "surrogateescape")
        assert decide(token, [("Authorization", raw)]) == 401
        assert decide("tok", [("Authorization", f"Bearer {token}")]) == 401
        assert decide("tok", [], [("access_token", "\ud800")]) == 401

    @given(st.text(min_size=1), st.text())
    def test_any_other_one(self, token: str, other: str) -> None:
        """Two texts are the same token only if they are the same text."""
        assert decide(token, [("Authorization", f"Bearer {other}")]) == (
            None if token == other else 401
        )
        assert decide(token, [], [("access_token", other)]) == (None if token == other else 401)

    @pytest.mark.rows("AUTH-11")
    def test_constant_time(self) -> None:
        """The only comparison of a token is hmac.compare_digest on bytes."""
        tree = ast.parse(Path(inspect.getfile(module)).read_text())
        function = next(
            node
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.name == "refusal"
        )
        calls = [ast.unparse(n) for n in ast.walk(function) if isinstance(n, ast.Call)]
        assert "hmac.compare_digest(_as_bytes(given[0]), _as_bytes(expected))" in calls
        compared = [ast.unparse(n) for n in ast.walk(function) if isinstance(n, ast.Compare)]
        assert sorted(compared) == [
            "hdrs.AUTHORIZATION in headers",
            "hdrs.ORIGIN in headers",
            "len(given) != 1",
        ]


class TestBrowser:
    @pytest.mark.rows("SRV-01")
    @pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
    def test_without_a_token(self, origin: str) -> None:
        """A page in a browser may not use a server that needs no token."""
        assert decide(None, [("Origin", origin)]) == 403
        assert decide("", [("Origin", origin)]) == 403

    def test_with_a_token(self) -> None:
        """A page that has the token may."""
        assert decide("t", [("Origin", "https://a.example")], [("access_token", "t")]) is None
        assert decide("t", [("Origin", "https://a.example")]) == 401


class TestClient:
    def test_what_is_sent(self) -> None:
        """The token goes into the field that the server looks at first."""
        assert authorization("tok") == {"Authorization": "Bearer tok"}
        assert authorization("") == authorization(None) == {}
        assert decide("t", list(authorization("t").items())) is None

    @pytest.mark.parametrize("token", ["a\r\nX: y", "a\x00", "\x7f", "\ud800secret"])
    def test_what_cannot_be_sent(self, token: str) -> None:
        """It is refused when it is given, without being shown."""
        with pytest.raises(ValueError, match="access_token contains a character") as caught:
            check_token(token)
        assert token not in str(caught.value)
        with pytest.raises(ValueError, match="blank"):
            check_token(" a")

    def test_no_text(self) -> None:
        """A token is a text."""
        with pytest.raises(TypeError, match="access_token must be a str or None, found bytes"):
            check_token(b"tok")  # type: ignore[arg-type]
