"""Requests of actions, and their answers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclient.onebot import (
    ActionRequest,
    ActionResponse,
    BadRequest,
    BotSelf,
    Encoding,
    UnknownSelf,
    decode,
    encode,
)

from . import values

both = pytest.mark.parametrize("encoding", Encoding)
SELF = {"platform": "qq", "user_id": "1"}


@pytest.mark.rows("S002-03")
class TestRequests:
    @pytest.mark.parametrize(
        ("plain", "request_"),
        [
            ({"action": "a", "params": {}}, ActionRequest("a", {})),
            (
                {"action": "a", "params": {"b": 1}, "self": SELF, "echo": "e"},
                ActionRequest("a", {"b": 1}, BotSelf("qq", "1"), "e"),
            ),
            (
                {"action": "a", "params": {}, "self": None, "echo": None, "more": 1},
                ActionRequest("a", {}),
            ),
            ({"action": "a", "params": {}, "echo": ""}, ActionRequest("a", {}, echo="")),
        ],
    )
    def test_they_are_read(self, plain: object, request_: ActionRequest) -> None:
        """``self`` and ``echo`` may be missing or null, and there may be more."""
        assert ActionRequest.parse(plain) == request_

    @pytest.mark.parametrize(
        ("plain", "problem"),
        [
            ({"params": {}}, "action request.action: missing"),
            ({"action": None, "params": {}}, "action request.action: expected str, found None"),
            ({"action": "", "params": {}}, "action request.action: empty"),
            ({"action": 1, "params": {}}, "action request.action: expected str, found int"),
            ({"action": "a"}, "action request.params: missing"),
            ({"action": "a", "params": None}, "action request.params: expected dict, found None"),
            ({"action": "a", "params": [1]}, "action request.params: expected dict, found list"),
            (
                {"action": "a", "params": {}, "self": "qq"},
                "action request.self: expected dict, found str",
            ),
            (
                {"action": "a", "params": {"b": 1, 2: 3}},
                "action request.params: the key 2 is not a str",
            ),
            ({"action": "a", "params": {}, "self": {}}, "action request.self.platform: missing"),
            (
                {"action": "a", "params": {}, "self": {"platform": "qq", "user_id": 1}},
                "action request.self.user_id: expected str, found int",
            ),
        ],
    )
    def test_what_is_none(self, plain: dict[str, object], problem: str) -> None:
        """The error is 10001, says what is wrong, and keeps the echo for the answer."""
        for more, echo in (({}, None), ({"echo": "e"}, "e"), ({"echo": None}, None)):
            with pytest.raises(BadRequest) as caught:
                ActionRequest.parse({**plain, **more})
            assert caught.value.retcode == 10001
            assert caught.value.message == problem
            assert caught.value.echo == echo

    @pytest.mark.parametrize("plain", [None, [], "a", 1, b"a", [{"action": "a", "params": {}}]])
    def test_no_dict(self, plain: object) -> None:
        """What is no object at all is 10001, too."""
        with pytest.raises(BadRequest, match="expected dict"):
            ActionRequest.parse(plain)

    def test_echo_of_another_type(self) -> None:
        """An echo is a text."""
        with pytest.raises(BadRequest, match="echo: expected str, found int") as caught:
            ActionRequest.parse({"action": "a", "params": {}, "echo": 1})
        assert caught.value.echo is None

    @given(
        st.fixed_dictionaries(
            {}, optional=dict.fromkeys(["action", "params", "self", "echo"], values.data)
        )
        | values.data
    )
    def test_anything(self, plain: object) -> None:
        """Any data are a request, or BadRequest."""
        try:
            ActionRequest.parse(plain)
        except BadRequest as error:
            assert error.message.startswith("action request")

    @given(
        st.builds(
            ActionRequest,
            values.text.filter(bool),
            st.dictionaries(values.text, values.data, max_size=4),
            st.none() | st.just(BotSelf("qq", "1")),
            st.none() | values.text.filter(bool),
        )
    )
    def test_there_and_back(self, request: ActionRequest) -> None:
        """A request is the same at its peer."""
        encoding = Encoding.MSGPACK
        assert ActionRequest.parse(decode(encode(request, encoding), encoding)) == request


class TestResponses:
    def test_of_success(self) -> None:
        """Its code is 0, and its message empty, not null (S002-17)."""
        response = ActionResponse.ok_with([1], "e")
        assert response.ok
        assert response.to_dict() == {
            "status": "ok",
            "retcode": 0,
            "data": [1],
            "message": "",
            "echo": "e",
        }

    def test_of_failure(self) -> None:
        """It has the error's code, data and text."""
        response = ActionResponse.failed(UnknownSelf({"a": 1}, "who?"), "e")
        assert not response.ok
        assert response.to_dict() == {
            "status": "failed",
            "retcode": 10102,
            "data": {"a": 1},
            "message": "who?",
            "echo": "e",
        }

    @pytest.mark.parametrize("echo", [None, ""])
    def test_without_echo(self, echo: str | None) -> None:
        """An echo that is missing or empty is not sent back."""
        assert "echo" not in ActionResponse.ok_with(None, echo).to_dict()

    @pytest.mark.parametrize(
        ("plain", "response"),
        [
            (
                {"status": "ok", "retcode": 0, "data": 1, "message": "", "echo": "e"},
                ActionResponse("ok", 0, 1, "", "e"),
            ),
            # As pylibob answers, and briefer.
            (
                {"status": "ok", "retcode": 0, "data": None, "message": None, "echo": None},
                ActionResponse("ok", 0),
            ),
            ({"status": "failed", "retcode": 10001}, ActionResponse("failed", 10001)),
        ],
    )
    def test_they_are_read(self, plain: object, response: ActionResponse) -> None:
        """Data, message and echo may be missing or null."""
        assert ActionResponse.parse(plain) == response

    @pytest.mark.parametrize(
        ("plain", "problem"),
        [
            ([], "action response: expected dict, found list"),
            ({}, "action response.status: missing"),
            ({"status": "ok"}, "action response.retcode: missing"),
            (
                {"status": "fine", "retcode": 0},
                "action response.status: expected 'ok' or 'failed', found 'fine'",
            ),
            (
                {"status": "ok", "retcode": "0"},
                "action response.retcode: expected int, found str",
            ),
            (
                {"status": "ok", "retcode": False},
                "action response.retcode: expected int, found bool",
            ),
            (
                {"status": "ok", "retcode": 0, "message": 1},
                "action response.message: expected str, found int",
            ),
            (
                {"status": "ok", "retcode": 0, "echo": 1},
                "action response.echo: expected str, found int",
            ),
        ],
    )
    def test_what_is_none(self, plain: object, problem: str) -> None:
        """What is no answer raises ValueError."""
        with pytest.raises(ValueError) as caught:
            ActionResponse.parse(plain)
        assert str(caught.value) == problem

    @pytest.mark.parametrize(("status", "retcode"), [("ok", 10001), ("failed", 0)])
    def test_contradictions(self, status: Any, retcode: int) -> None:
        """An answer that contradicts itself is no success."""
        assert not ActionResponse(status, retcode).ok

    @given(values.data)
    def test_anything(self, plain: object) -> None:
        """Any data are an answer, or raise ValueError."""
        try:
            ActionResponse.parse(plain)
        except ValueError as error:
            assert str(error).startswith("action response")

    @given(values.data, st.integers(-(2**63), 2**63 - 1), values.text, values.text.filter(bool))
    def test_there_and_back(self, data: object, code: int, message: str, echo: str) -> None:
        """An answer is the same at its peer."""
        response = ActionResponse("failed", code, data, message, echo)
        encoding = Encoding.MSGPACK
        assert ActionResponse.parse(decode(encode(response, encoding), encoding)) == response
