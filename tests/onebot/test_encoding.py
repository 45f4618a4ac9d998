"""Messages as bytes: JSON and MessagePack."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclient.onebot import encoding as module
from aioclient.onebot.encoding import Encoding, decode, encode, encoding_of, supports

from . import values

JSON, MSGPACK = Encoding.JSON, Encoding.MSGPACK
both = pytest.mark.parametrize("encoding", Encoding)


@pytest.fixture(autouse=True, scope="module", params=["with msgspec", "without msgspec"])
def json_by(request: pytest.FixtureRequest) -> Iterator[None]:
    """JSON is read and written alike whether msgspec is installed or not."""
    for cached in (module._json_decoder, module._json_encoder):
        cached.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "without msgspec":
            patch.setitem(sys.modules, "msgspec", None)
        of_python = isinstance(module._json_encoder(), FunctionType)
        assert of_python == (request.param == "without msgspec")
        yield
    for cached in (module._json_decoder, module._json_encoder):
        cached.cache_clear()


class TestMediaTypes:
    """The encoding is that of ``Content-Type``, whatever its case and parameters (S002-10)."""

    @pytest.mark.rows("S002-10")
    @pytest.mark.parametrize(
        ("field", "encoding"),
        [
            ("application/json", JSON),
            ("application/json; charset=utf-8", JSON),
            ("Application/JSON ;charset=UTF-8", JSON),
            ("application/msgpack", MSGPACK),
            (" application/msgpack;x=1", MSGPACK),
            ("application/jsonp", None),
            ("application/x-msgpack", None),
            ("text/json", None),
            ("application/json, application/msgpack", None),
            ("", None),
            (None, None),
        ],
    )
    def test_it_is_found(self, field: str | None, encoding: Encoding | None) -> None:
        """Other types have none."""
        assert encoding_of(field) is encoding

    @both
    def test_it_is_named(self, encoding: Encoding) -> None:
        """An encoding names its own type."""
        assert encoding_of(encoding.content_type) is encoding


class TestBothWays:
    @given(values.json_data)
    def test_json(self, data: object) -> None:
        """What JSON can carry comes back as it was."""
        assert _same(decode(encode(data, JSON), JSON), data)

    @given(values.data)
    def test_msgpack(self, data: object) -> None:
        """So does it by MessagePack, bytes at any depth included."""
        assert _same(decode(encode(data, MSGPACK), MSGPACK), data)

    @given(values.data)
    def test_bytes_in_json(self, data: object) -> None:
        """Bytes are base64 text in JSON, at any depth; the rest is as it was."""
        assert _same(decode(encode(data, JSON), JSON), _with_base64(data))

    @given(values.json_data)
    def test_other_peoples_encoders(self, data: object) -> None:
        """Messages of json.dumps and of msgpack.packb are read, and theirs read ours."""
        assert _same(decode(json.dumps(data), JSON), data)
        assert _same(decode(json.dumps(data, ensure_ascii=False, indent=2), JSON), data)
        assert _same(decode(msgpack.packb(data), MSGPACK), data)
        assert _same(json.loads(encode(data, JSON)), data)
        assert _same(msgpack.unpackb(encode(data, MSGPACK)), data)

    def test_json_is_compact_utf8(self) -> None:
        """No blanks and no escapes that are not needed."""
        assert encode({"a": [1, "é"], "b": None}, JSON) == '{"a":[1,"é"],"b":null}'.encode()

    @both
    def test_depth(self, encoding: Encoding) -> None:
        """One hundred levels pass."""
        deep = values.nested(100)
        assert decode(encode(deep, encoding), encoding) == deep

    @pytest.mark.parametrize("text", ["a: b", "https://a.example:8080/", '":', "12:30", "é: ü"])
    def test_colons(self, text: str) -> None:
        """Texts with colons are read as all others are."""
        data = {"message": [{"type": "text", "data": {"text": text}}], "a:b": 1}
        assert decode(encode(data, JSON), JSON) == decode(json.dumps(data), JSON) == data

    def test_texts_of_msgpack(self) -> None:
        """A WebSocket's text is read as its bytes would be."""
        assert decode("\x01", MSGPACK) == 1


class TestWhatIsRefused:
    """Anything that is not exactly a message raises ValueError with a text for the sender, and nothing else."""

    @pytest.mark.rows("S002-10")
    @given(st.binary(max_size=60))
    @both
    def test_garbage(self, encoding: Encoding, data: bytes) -> None:
        """Any bytes are data that can be encoded again, or are refused."""
        try:
            value = decode(data, encoding)
        except ValueError as error:
            assert str(error).startswith(("invalid JSON: ", "invalid MessagePack: "))
        else:
            assert _same(decode(encode(value, encoding), encoding), value)

    @given(st.text(max_size=60))
    def test_garbage_text(self, data: str) -> None:
        """So are any texts, lone surrogates included."""
        try:
            encode(decode(data, JSON), JSON)
        except ValueError as error:
            assert str(error).startswith("invalid JSON: ")

    @given(values.data, st.data())
    def test_cut_off(self, value: object, data: st.DataObject) -> None:
        """A message whose end is missing is refused."""
        message = encode([value], MSGPACK)
        cut = message[: data.draw(st.integers(0, len(message) - 1))]
        with pytest.raises(ValueError, match="invalid MessagePack: "):
            decode(cut, MSGPACK)
        message = encode([value], JSON)
        cut = message[: data.draw(st.integers(0, len(message) - 1))]
        with pytest.raises(ValueError, match="invalid JSON: "):
            decode(cut, JSON)

    @pytest.mark.parametrize(
        ("message", "problem"),
        [
            (b"", "Expecting value at character 0"),
            (b"{", "at character 1"),
            (b"{} {}", "Extra data at character 3"),
            (b"\xff", "not UTF-8 at byte 0"),
            (b'"\xed\xa0\x80"', "not UTF-8 at byte 1"),
            ("{}".encode("utf-16"), "not UTF-8"),
            (b"\xef\xbb\xbf{}", "Expecting value at character 0"),
            (b'"\\ud800"', "a lone surrogate"),
            (b'{"\\uD800": 1}', "a lone surrogate"),
            (b"NaN", "NaN is not a number"),
            (b"[-Infinity]", "-Infinity is not a number"),
            (b"1e999", "inf is not a finite number"),
            (b"9" * 400 + b".5", "inf is not a finite number"),
            (b"18446744073709551616", "an integer needs more than 64 bits"),
            (b"-9223372036854775809", "an integer needs more than 64 bits"),
            (b"9" * 5000, "Exceeds the limit"),
            (b'{"a": 1, "a": 1}', "a name occurs twice"),
            (b'{"a": 1, "\\u0061": 1}', "a name occurs twice"),
            (b'{"a": 1, "a": ":"}', "a name occurs twice"),
            (b'[{"b": {"a": 1, "a": 2}}]', "a name occurs twice"),
            (b"[" * 101 + b"]" * 101, "nested more than 100 deep"),
            (b"[" * 100_000, "nested more than 100 deep"),
            (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "nested more than 100 deep"),
            (b"'a'", "Expecting value"),
            (b"[1,]", "at character"),
            (b'"\n"', "Invalid control character"),
        ],
    )
    def test_json(self, message: bytes, problem: str) -> None:
        """The text says what is wrong with the JSON."""
        with pytest.raises(ValueError, match=f"^invalid JSON: .*{problem}"):
            decode(message, JSON)

    @pytest.mark.parametrize(
        ("message", "problem"),
        [
            (b"", "incomplete"),
            (b"\x92\x01", "incomplete"),
            (b"\x01\x01", "data after the end"),
            (b"\xc1", "a byte that begins no value"),
            (b"\xa1\xff", "not UTF-8 at byte 0"),
            (b"\xa3\xed\xa0\x80", "not UTF-8"),
            (msgpack.packb(float("nan")), "nan is not a finite number"),
            (msgpack.packb([float("-inf")]), "-inf is not a finite number"),
            (b"\x82\xa1a\x01\xa1a\x01", "a name occurs twice"),
            (b"\x81\x01\x01", "int is not allowed for map key"),
            (b"\x81\xc4\x01a\x01", "a name that is not text"),
            (b"\x81\x91\x01\x01", "list is not allowed for map key"),
            (b"\xd4\x05a", "an extension type"),
            (b"\xd6\xff\x00\x00\x00\x00", "an extension type"),
            (b"\xc7\x0c\xff" + b"\xff" * 12, "nanoseconds"),
            (b"\x91" * 101 + b"\x01", "nested more than 100 deep"),
            (b"\x91" * 100_000, "nested more than 100 deep"),
            (b"\x81\xa1a" * 100_000, "nested more than 100 deep"),
            (b"\xdd\xff\xff\xff\xff", "exceeds max_array_len"),
            (b"\xdf\xff\xff\xff\xff", "exceeds max_map_len"),
            (b"\xdb\xff\xff\xff\xff", "incomplete"),
            (b"\xc6\xff\xff\xff\xff", "incomplete"),
        ],
    )
    def test_msgpack(self, message: bytes, problem: str) -> None:
        """The text says what is wrong with the MessagePack."""
        with pytest.raises(ValueError, match=f"^invalid MessagePack: .*{problem}"):
            decode(message, MSGPACK)

    @both
    @pytest.mark.parametrize(
        "value",
        [
            [[]] * 1001,
            [{}] * 1001,
            [0] * 1001,
            [[0, [0] * 999]],
            [{"a": [0]}] * 334,
            {str(number): 0 for number in range(1001)},
        ],
        ids=["lists", "dicts", "numbers", "inner", "mixed", "names"],
    )
    def test_too_many_values(
        self, encoding: Encoding, value: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A message with too many values, which take a hundred times the memory of their bytes, is not read."""
        monkeypatch.setattr(module, "MAX_VALUES", 1000)
        message = encode(value, encoding)
        with pytest.raises(ValueError, match=r"^invalid .*: (more values than|.*exceeds max_)"):
            decode(message, encoding)

    @both
    @pytest.mark.parametrize(
        "value",
        [
            [[]] * 500,
            ['[{,"\\' * 400, "," * 1200, ["\\"] * 10, '"' * 600],
            [{"a": [0]}] * 333,
        ],
        ids=["lists", "texts", "mixed"],
    )
    def test_many_values(
        self, encoding: Encoding, value: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As many as may be are read; what texts contain does not count."""
        monkeypatch.setattr(module, "MAX_VALUES", 1000)
        assert decode(encode(value, encoding), encoding) == value
        if encoding is JSON:
            assert decode(encode(value, encoding).decode(), encoding) == value

    @pytest.mark.parametrize("text", ['"' + '\\"' * 100_000, '"' * 100_001, '"\\'])
    def test_texts_without_end(self, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Texts are left out in one go, also if one does not end."""
        monkeypatch.setattr(module, "MAX_VALUES", 1000)
        for message in ("," * 1001 + text, "," * 1000 + text):
            with pytest.raises(ValueError, match=r"^invalid JSON: "):
                decode(message, JSON)

    @both
    def test_half_a_million(self, encoding: Encoding) -> None:
        """That many are half a million."""
        numbers = [0] * 500_001
        with pytest.raises(ValueError, match=r"more values|exceeds"):
            decode(encode(numbers, encoding), encoding)
        del numbers[0]
        assert decode(encode(numbers, encoding), encoding) == numbers

    @both
    @pytest.mark.parametrize(
        ("value", "error", "problem"),
        [
            (float("nan"), ValueError, "nan is not a finite number"),
            ([float("inf")], ValueError, "inf is not a finite number"),
            (2**64, ValueError, "an integer needs more than 64 bits"),
            (-(2**63) - 1, ValueError, "an integer needs more than 64 bits"),
            ([10**5000], ValueError, "an integer needs more than 64 bits"),
            ("\ud800", ValueError, "surrogate"),
            ({"\ud800": 1}, ValueError, "surrogate"),
            (values.nested(101), ValueError, "nested more than 100 deep"),
            ({1: 2}, TypeError, "the key 1 is not a str"),
            ({None: 2}, TypeError, "the key None is not a str"),
            ({b"a": 2}, TypeError, "the key b'a' is not a str"),
            ({1, 2}, TypeError, "a value of type set cannot be sent"),
            ([object()], TypeError, "a value of type object cannot be sent"),
            (dict, TypeError, "a value of type type cannot be sent"),
        ],
    )
    def test_values(
        self, encoding: Encoding, value: object, error: type[Exception], problem: str
    ) -> None:
        """What a peer would refuse, or read differently, is not sent."""
        with pytest.raises(error, match=problem):
            encode(value, encoding)

    @both
    def test_what_contains_itself(self, encoding: Encoding) -> None:
        """A list within itself has no end, and is refused at 100 levels."""
        endless: list[object] = []
        endless.append(endless)
        with pytest.raises(ValueError, match="nested more than 100 deep"):
            encode(endless, encoding)


def test_without_msgpack() -> None:
    """JSON needs no package; the error of MessagePack names the pip command."""
    program = (
        "import sys; sys.modules['msgpack'] = None\n"
        "from aioclient.onebot import Encoding, decode, encode\n"
        "from aioclient.onebot.encoding import supports\n"
        "from aioclient import MissingExtraError\n"
        "print(decode(encode([1], Encoding.JSON), Encoding.JSON), *map(supports, Encoding))\n"
        "for act in (encode, decode):\n"
        "    try: act(b'', Encoding.MSGPACK)\n"
        "    except MissingExtraError as error: print(error)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    lines = found.stdout.splitlines()
    assert lines[0] == "[1] True False"
    assert (
        lines[1:]
        == ["MessagePack needs msgpack, which is not installed: pip install 'aioclient[onebot]'"]
        * 2
    )
    assert supports(JSON) and supports(MSGPACK)


def _with_base64(data: Any) -> Any:
    if isinstance(data, bytes):
        return base64.b64encode(data).decode()
    if isinstance(data, list):
        return [_with_base64(item) for item in data]
    if isinstance(data, dict):
        return {name: _with_base64(item) for name, item in data.items()}
    return data


def _same(one: object, other: object) -> bool:
    """Return whether they are equal and of equal types: 1 is not True, and -0.0 is not 0.0."""
    return repr(one) == repr(other)
