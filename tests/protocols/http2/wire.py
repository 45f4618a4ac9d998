"""Both ends of a connection without a network: the codec, and a server that says whatever a test wants."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import hpack

from aioclient.protocols.http2.codec import Codec
from aioclient.protocols.http2.errors import ErrorCode
from aioclient.protocols.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    RST_STREAM,
    frame,
    read_head,
    settings_frame,
)
from aioclient.protocols.http2.request_head import RequestHead
from aioclient.protocols.http2.settings import LocalSettings
from aioclient.protocols.http2.streams import Stream

GET = RequestHead("GET", "https", "a.test", "/")
POST = RequestHead("POST", "https", "a.test", "/")
OK = (":status", "200")


@dataclass(frozen=True)
class Frame:
    """A frame that the codec sent."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes


def frames(data: bytes) -> Iterator[Frame]:
    """Cut what the codec sent into frames."""
    data = data.removeprefix(PREFACE)
    while data:
        word, flags, stream_id = read_head(data)
        end = 9 + (word >> 8)
        assert len(data) >= end
        yield Frame(word & 0xFF, flags, stream_id, data[9:end])
        data = data[end:]


class Wire:
    """A codec and what its server says; the preface of both is over."""

    def __init__(self, *settings: tuple[int, int], local: LocalSettings | None = None) -> None:
        self.codec = Codec(local)
        self.encoder = hpack.Encoder()
        self.now = 0.0
        self.codec.take()
        self.say(settings_frame(settings))
        self.codec.take()
        assert self.codec.failure is None

    def get(self, head: RequestHead = GET) -> Stream:
        """Open a stream whose request has no body."""
        return self.codec.open(head, end=True)

    def post(self, head: RequestHead = POST) -> Stream:
        """Open a stream whose request has a body."""
        return self.codec.open(head, end=False)

    def say(self, data: bytes | memoryview) -> list[Stream]:
        return self.codec.receive(data, self.now)

    def take_events(self) -> bool:
        streams = self.codec.open_streams
        has_events, streams.has_events = streams.has_events, False
        return has_events

    def block(self, *fields: tuple[str, str]) -> bytes:
        return self.encoder.encode(list(fields))

    def head(self, stream: Stream | int, *fields: tuple[str, str], end: bool = False) -> bytes:
        stream_id = stream if isinstance(stream, int) else stream.id
        return frame(
            HEADERS, END_HEADERS | (END_STREAM if end else 0), stream_id, self.block(*fields)
        )

    def data(self, stream: Stream | int, data: bytes = b"", *, end: bool = False) -> bytes:
        stream_id = stream if isinstance(stream, int) else stream.id
        return frame(DATA, END_STREAM if end else 0, stream_id, data)

    def taken(self, limit: int = 2**18) -> list[Frame]:
        """Return the frames that the codec sends now."""
        return list(frames(self.codec.take(limit)))

    def refusal(self, data: bytes) -> tuple[ErrorCode, str]:
        """Let the server say what ends the connection; return the code and the section."""
        assert self.codec.failure is None
        self.say(data)
        failure = self.codec.failure
        assert failure is not None
        last = self.taken()[-1]
        assert last.kind == 7
        assert last.payload == bytes(4) + failure.code.to_bytes(4, "big")
        assert not self.codec.streams
        assert failure.found
        assert self.say(data) == []
        return ErrorCode(failure.code), failure.section

    def reset(self, stream: Stream, data: bytes) -> tuple[ErrorCode, str]:
        """Let the server say what resets *stream*, and nothing but it; return the code and the section."""
        others = [other for other in self.codec.streams.values() if other is not stream]
        self.codec.take()
        assert stream in self.say(data)
        failure = stream.failure
        assert failure is not None
        assert not failure.by_server
        resets = [sent for sent in self.taken() if sent.kind == RST_STREAM]
        assert resets == [Frame(RST_STREAM, 0, stream.id, failure.code.to_bytes(4, "big"))]
        assert self.codec.failure is None
        assert list(self.codec.streams.values()) == others
        return ErrorCode(failure.code), failure.section


def cut(block: bytes, stream_id: int, *sizes: int, flags: int = 0) -> bytes:
    """Return a field block as HEADERS of the first size, and CONTINUATION frames of the others and the rest."""
    parts: list[bytes] = []
    for size in sizes:
        parts.append(block[:size])
        block = block[size:]
    parts.append(block)
    kinds = [HEADERS] + [CONTINUATION] * len(sizes)
    return b"".join(
        frame(
            kind,
            (flags if kind == HEADERS else 0) | (END_HEADERS if last else 0),
            stream_id,
            part,
        )
        for kind, part, last in zip(kinds, parts, [False] * len(sizes) + [True], strict=True)
    )


def body(stream: Stream) -> bytes:
    return b"".join(stream.chunks)


def plain(stream: Stream) -> dict[str, Any]:
    """Return all that a caller sees of a response."""
    return {
        "status": stream.head and stream.head.status,
        "fields": stream.head and list(stream.head.fields.items()),
        "body": body(stream),
        "trailers": stream.trailers,
        "complete": stream.complete,
        "failure": stream.failure and stream.failure.code,
    }
