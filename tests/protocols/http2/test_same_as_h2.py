"""The codec beside h2 and hyperframe: random frames give the same, or both refuse; where they differ, it is by intent.

``BY_INTENT`` names each difference. A server made of h2 is the peer of the last tests.
"""

from collections.abc import Callable
from typing import Any, Final

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import hpack
import pytest
from hyperframe import frame as hyper
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aioclient.protocols.http2 import frames as ours
from aioclient.protocols.http2.codec import Codec
from aioclient.protocols.http2.errors import ErrorCode
from aioclient.protocols.http2.request_head import RequestHead
from aioclient.protocols.http2.streams import Stream

from .wire import GET, POST

# What is refused here and not by h2, or the other way round: the text of the failure, and where it stands.
BY_INTENT: Final = {
    "blank": "RFC 9113, section 8.2.1: h2 takes values that begin or end with blanks after stripping them",
    "control character": "RFC 9110, section 5.5: h2 takes control characters in values",
    "is not a token": "RFC 9113, section 8.2.1: h2 takes more than tokens as names",
    "its status is": "RFC 9113, section 8.3.2: h2 takes any text as a status",
    "useless frames": "RFC 9113, section 10.5: h2 has no budget",
    "interim": "RFC 9113, section 10.5: h2 takes any number of 1xx",
    "GOAWAY raises": "RFC 9113, section 6.8: h2 does not look",
    "never opened": "RFC 9113, section 5.1: h2 ignores RST_STREAM and WINDOW_UPDATE on idle streams",
    "after the end": "RFC 9113, section 5.1: h2 calls it a connection error",
    "both sides have ended": "RFC 9113, section 5.1: h2 resets such a stream once more",
    "the server reset the stream": "RFC 9113, section 5.1: h2 refuses what still comes, here it is dropped",
    "that has no body": "RFC 9113, section 8.1.1: h2 takes DATA behind 204 and 304",
    "found 0 bytes": "RFC 9113, section 8.1.1: h2 does not look when the head ends the stream",
    "PRIORITY": "RFC 9113, section 5.3.2: h2 still refuses a stream that depends on itself",
}

TYPES: list[Callable[..., tuple[hyper.Frame, bytes]]] = [
    lambda stream_id, number, data: (
        hyper.RstStreamFrame(stream_id, error_code=number),
        ours.reset_frame(stream_id, number),
    ),
    lambda stream_id, number, data: (
        hyper.WindowUpdateFrame(stream_id, window_increment=max(1, number % 2**31)),
        ours.window_frame(stream_id, max(1, number % 2**31)),
    ),
    lambda stream_id, number, data: (
        hyper.PingFrame(0, opaque_data=data[:8].ljust(8, b"\x00"), flags=["ACK"] * (number % 2)),
        ours.ping_frame(data[:8].ljust(8, b"\x00"), ours.ACK * (number % 2)),
    ),
    lambda stream_id, number, data: (
        hyper.GoAwayFrame(0, last_stream_id=0, error_code=number),
        ours.goaway_frame(0, number),
    ),
    lambda stream_id, number, data: (
        hyper.SettingsFrame(0, settings={1: number, 0x77: number // 2}),
        ours.settings_frame([(1, number), (0x77, number // 2)]),
    ),
    lambda stream_id, number, data: (
        hyper.DataFrame(stream_id, data=data, flags=["END_STREAM"] * (number % 2)),
        ours.frame(ours.DATA, ours.END_STREAM * (number % 2), stream_id, data),
    ),
    lambda stream_id, number, data: (
        hyper.HeadersFrame(stream_id, data=data, flags=["END_HEADERS"]),
        ours.block_frames(stream_id, data, 0, 2**14),
    ),
]


@given(
    st.sampled_from(TYPES),
    st.integers(1, 2**31 - 1),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=300),
)
@settings(deadline=None, max_examples=200)
def test_frames_are_hyperframes(
    make: Callable[..., tuple[hyper.Frame, bytes]], stream_id: int, number: int, data: bytes
) -> None:
    """Each frame is written as hyperframe writes it."""
    theirs, mine = make(stream_id, number, data)
    assert mine == theirs.serialize()


class Pair:
    """The codec, and h2 in the client's role: both opened a GET and a POST, and hear the same."""

    def __init__(self) -> None:
        self.codec = Codec()
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        )
        self.h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 2**20,
                h2.settings.SettingCodes.MAX_FRAME_SIZE: 2**16,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 2**16,
            },
        )
        self.h2.initiate_connection()
        self.h2.max_inbound_frame_size = 2**16
        start = ours.settings_frame([(0x3, 50)])
        self.codec.receive(start, 0.0)
        self.h2.receive_data(start)
        self.streams = [self.codec.open(GET, end=True), self.codec.open(POST, end=False)]
        for number, method in ((1, "GET"), (3, "POST")):
            self.h2.send_headers(
                number,
                [
                    (":method", method),
                    (":scheme", "https"),
                    (":authority", "a.test"),
                    (":path", "/"),
                ],
                end_stream=method == "GET",
            )
        self.codec.take()
        self.h2.data_to_send()
        self.theirs: dict[int, dict[str, Any]] = {1: new_reading(), 3: new_reading()}

    def hear(self, data: bytes) -> str:
        """Let both hear *data*; return how h2 refused it, or an empty text."""
        self.codec.receive(data, 0.0)
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            return f"{type(error).__name__}: {error}"
        for event in events:
            if isinstance(event, h2.events.StreamReset) and not event.remote_reset:
                return f"h2 resets stream {event.stream_id}"
            self.note(event)
        return ""

    def note(self, event: h2.events.Event) -> None:
        reading = self.theirs.get(getattr(event, "stream_id", 0) or 0)
        if reading is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            reading["head"] = list(event.headers)
        elif isinstance(event, h2.events.InformationalResponseReceived):
            reading["interims"] += 1
        elif isinstance(event, h2.events.DataReceived):
            reading["body"] += event.data
        elif isinstance(event, h2.events.TrailersReceived):
            reading["trailers"] = list(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            reading["complete"] = True
        elif isinstance(event, h2.events.StreamReset):
            reading["reset"] = int(event.error_code)

    def mine(self, stream: Stream) -> dict[str, Any]:
        head = stream.head
        return {
            "head": head and [(":status", str(head.status)), *head.fields.items()],
            "interims": stream.interims,
            "body": b"".join(stream.chunks),
            "trailers": stream.trailers,
            "complete": stream.complete,
            "reset": stream.stopped if stream.failure is None else stream.failure.code,
        }


def new_reading() -> dict[str, Any]:
    nothing = dict.fromkeys(("head", "trailers", "reset"))
    return {**nothing, "interims": 0, "body": b"", "complete": False}


def _reset_by_server(stream: Stream) -> bool:
    failure = stream.failure
    return stream.stopped is not None or (failure is not None and failure.by_server)


FIELDS = st.lists(
    st.tuples(
        st.sampled_from(["a", "content-type", "content-length", "x-b", "connection", "A", ":path"]),
        st.sampled_from(["b", "0", "5", "close", "text/plain"]),
    ),
    max_size=3,
)
IDS = st.sampled_from([1, 1, 1, 3, 3, 3, 3, 2, 5])
NOTHING: Final = st.just([])
NEVER: Final = st.just(False)


def steps_of(what: str, ids: Any, texts: list[str], fields: Any = NOTHING, end: Any = NEVER) -> Any:
    return st.tuples(st.just(what), ids, st.sampled_from(texts), fields, end)


EITHER: Final = st.booleans()
SETTINGS: Final = ["0", "1", "100", "16384", "2147483648"]
STEPS = st.one_of(
    steps_of("head", IDS, ["200", "103", "204", "404"], FIELDS, EITHER),
    steps_of("trailers", IDS, [""], FIELDS, EITHER),
    steps_of("data", IDS, ["", "hello", "12345"], NOTHING, EITHER),
    steps_of("rst", IDS, ["0", "7", "8"]),
    steps_of("window", st.sampled_from([0, 1, 3]), ["0", "1", "2147483647"]),
    steps_of("settings", st.integers(1, 6), SETTINGS),
    steps_of("ping", st.integers(0, 1), ["12345678"], NOTHING, EITHER),
    steps_of("push", st.just(1), [""]),
    steps_of("continuation", IDS, [""], NOTHING, EITHER),
    steps_of("unknown", IDS, ["x"], NOTHING, EITHER),
)
Step = tuple[str, int, str, list[tuple[str, str]], bool]


def written(step: Step, encoder: hpack.Encoder) -> bytes:
    what, number, text, fields, end = step
    flag = ours.END_STREAM if end else 0
    if what == "head":
        return ours.frame(
            ours.HEADERS,
            ours.END_HEADERS | flag,
            number,
            encoder.encode([(":status", text), *fields]),
        )
    if what == "trailers":
        return ours.frame(ours.HEADERS, ours.END_HEADERS | flag, number, encoder.encode(fields))
    if what == "rst":
        return ours.reset_frame(number, int(text))
    if what == "window":
        return ours.window_frame(number, int(text))
    if what == "settings":
        return ours.settings_frame([(number, int(text))])
    kinds = {
        "data": ours.DATA,
        "ping": ours.PING,
        "push": ours.PUSH_PROMISE,
        "continuation": ours.CONTINUATION,
        "unknown": 0x42,
    }
    return ours.frame(kinds[what], flag, number, text.encode())


@given(st.lists(STEPS, min_size=1, max_size=8))
# The same examples each time: h2 may differ where nobody has looked yet, and no run shall fail by chance.
@settings(deadline=None, max_examples=400, derandomize=True)
def test_random_frames(steps: list[Step]) -> None:
    """What h2 makes of a server's frames the codec makes of them, up to the first that one of them refuses."""
    pair, encoder = Pair(), hpack.Encoder()
    for step in steps:
        if any(stream.id == step[1] and _reset_by_server(stream) for stream in pair.streams):
            return  # by intent: "the server reset the stream"
        refused = pair.hear(written(step, encoder))
        failures = [str(pair.codec.failure or "")] + [
            str(stream.failure)
            for stream in pair.streams
            if stream.failure is not None and not stream.failure.by_server
        ]
        mine = " ".join(failures).strip()
        if any(text in mine for text in BY_INTENT):
            return
        if refused or mine:
            # h2 ends the connection for what is a stream error in the RFC; both refuse.
            assert refused, f"only the codec refused {step}: {mine}"
            assert mine, f"only h2 refused {step}: {refused}"
            return
        for stream in pair.streams:
            theirs = pair.theirs[stream.id]
            found = pair.mine(stream)
            if stream.stopped is not None or theirs["reset"] is not None:
                theirs = theirs | {"reset": found["reset"]}
            assert found == theirs


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 60_000)), max_size=12))
@settings(deadline=None, max_examples=60)
def test_h2_as_the_server(requests: list[tuple[bool, int, int]]) -> None:
    """A server made of h2 takes every request, and every response comes through, in frames of any size."""
    server = h2.connection.H2Connection(
        h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
    )
    server.initiate_connection()
    codec = Codec()
    answered: dict[int, bytes] = {}
    wanted: dict[int, tuple[Stream, bytes]] = {}
    came: dict[int, bytes] = {}

    def pump() -> None:
        for _ in range(1000):
            sent = codec.take()
            for event in server.receive_data(sent) if sent else ():
                if isinstance(event, h2.events.RequestReceived):
                    came[event.stream_id] = b""
                elif isinstance(event, h2.events.DataReceived):
                    came[event.stream_id] += event.data
                    server.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    answered[event.stream_id] = came[event.stream_id][::-1]
                    server.send_headers(
                        event.stream_id, [(":status", "200"), ("x-id", str(event.stream_id))]
                    )
            for stream_id in list(answered):
                rest = answered[stream_id]
                window = min(
                    server.local_flow_control_window(stream_id), server.max_outbound_frame_size
                )
                server.send_data(stream_id, rest[:window], end_stream=len(rest) <= window)
                answered[stream_id] = rest[window:]
                if len(rest) <= window:
                    del answered[stream_id]
            said = server.data_to_send()
            if not said and not codec.pending and not answered:
                return
            for start in range(0, len(said), 5000):
                codec.receive(said[start : start + 5000], 0.0)
            assert codec.failure is None
        raise AssertionError("it never ends")

    pump()
    for with_body, pieces, size in requests:
        fields = (("x-a", "b"), ("cookie", "c=d; e=" + "f" * 30))
        stream = codec.open(
            RequestHead("POST" if with_body else "GET", "https", "a.test", f"/{size}", fields),
            end=not with_body,
        )
        sent = b""
        if with_body:
            for number in range(pieces):
                codec.send(stream, bytes((number,)) * size, end=False)
                sent += bytes((number,)) * size
            codec.send(stream, b"", end=True)
        wanted[stream.id] = stream, sent
    pump()
    assert codec.streams == {}
    for stream_id, (stream, sent) in wanted.items():
        assert stream.complete
        assert stream.head is not None
        assert stream.head.fields["x-id"] == str(stream_id)
        assert came[stream_id] == sent
        assert b"".join(stream.chunks) == sent[::-1]


VALUES: Final = [0, 1, 2, 100, 2**14 - 1, 2**14, 2**24 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1]


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 2, 3, 4, 5, 6, 8, 99]), st.sampled_from(VALUES)), max_size=5
    )
)
@settings(deadline=None, max_examples=200)
def test_random_settings(pairs: list[tuple[int, int]]) -> None:
    """Settings are taken over, or refused, as h2 does."""
    # hyperframe keeps one value of a setting; that the last one counts is tested elsewhere.
    assume(len({setting for setting, _ in pairs}) == len(pairs))
    pair = Pair()
    # h2 lets a server say that it takes pushes (RFC 9113, section 6.5.2).
    assume((2, 1) not in pairs)
    refused = pair.hear(ours.settings_frame(pairs))
    failure = pair.codec.failure
    assert bool(refused) == (failure is not None), refused or failure
    if failure is None:
        theirs, mine = pair.h2.remote_settings, pair.codec.peer
        assert mine.initial_window == theirs.initial_window_size
        assert mine.frame_size == theirs.max_frame_size
        assert mine.max_streams == theirs.max_concurrent_streams
        assert (mine.field_list_size or theirs.max_header_list_size) == theirs.max_header_list_size
    else:
        assert failure.code in (ErrorCode.PROTOCOL_ERROR, ErrorCode.FLOW_CONTROL_ERROR)


@pytest.mark.parametrize("text", BY_INTENT)
def test_differences_have_a_section(text: str) -> None:
    """Each difference by intent says what the RFC says."""
    assert BY_INTENT[text].startswith("RFC 91")
