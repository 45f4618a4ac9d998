"""Responses as they come over the wire, good and bad, and what must become of each.

`KEPT` and `CLOSED` are responses that are delivered, on a connection that is reused or not. A class is the error
that is raised. The ids begin with the row of the list of weaknesses that the message belongs to.
"""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from aioclient import ClientPayloadError, HeadTooLargeError, ServerProtocolError

KEPT = "kept"
CLOSED = "closed"

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"Content-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Message:
    """One answer of a server."""

    name: str
    data: bytes
    outcome: object
    body: bytes | None = None
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def ends_with_connection(self) -> bool:
        """Whether only the connection's end shows that no more comes; else the server keeps it open."""
        return "until-eof" in self.name or self.name.startswith("H1-13")

    @property
    def delivered(self) -> bool:
        """Whether the response reaches the caller whole."""
        return self.outcome in (KEPT, CLOSED)


def as_parameters(messages: Iterable[Message]) -> list[Any]:
    return [pytest.param(message, id=message.name) for message in messages]


GOOD = [
    Message("H1-18-length", OK + b"A: b\r\nContent-Length: 5\r\n\r\nhello", KEPT, b"hello"),
    Message("H1-18-length-0", OK + b"Content-Length: 0\r\n\r\n", KEPT, b""),
    Message("H1-18-length-with-zeros", OK + b"Content-Length: 005\r\n\r\nhello", KEPT, b"hello"),
    Message("H1-18-length-padded", OK + b"Content-Length: \t5 \t\r\n\r\nhello", KEPT, b"hello"),
    Message("H1-18-body-ends-with-lf", OK + b"Content-Length: 4\r\n\r\n{}\r\n", KEPT, b"{}\r\n"),
    Message("H1-18-body-of-line-ends", OK + b"Content-Length: 3\r\n\r\n\n\r\n", KEPT, b"\n\r\n"),
    Message("H1-18-no-reason", b"HTTP/1.1 200\r\n" + END, KEPT, b"ok"),
    Message("H1-18-empty-reason", b"HTTP/1.1 200 \r\n" + END, KEPT, b"ok"),
    Message(
        "H1-18-long-reason", b"HTTP/1.1 200 Quite all right\xe2\x80\xa6\r\n" + END, KEPT, b"ok"
    ),
    Message("H1-18-status-599", b"HTTP/1.1 599 X\r\n" + END, KEPT, b"ok"),
    Message("H1-18-status-600", b"HTTP/1.1 600 X\r\n" + END, KEPT, b"ok"),
    Message("H1-18-status-999", b"HTTP/1.1 999 X\r\n" + END, KEPT, b"ok"),
    Message("H1-18-1.2", b"HTTP/1.2 200 OK\r\n" + END, KEPT, b"ok"),
    Message("H1-18-1.9-chunked", CHUNKED.replace(b"1.1", b"1.9") + b"0\r\n\r\n", KEPT, b""),
    Message("H1-02-twice", OK + b"Content-Length: 2\r\n" + END, KEPT, b"ok"),
    Message("H1-02-thrice", OK + b"content-length: 2 ,2\r\nA: b\r\n" + END, KEPT, b"ok"),
    Message("H1-02-list", OK + b"Content-Length: 2, 2\r\n\r\nok", KEPT, b"ok"),
    Message("H1-02-list-with-nothing", OK + b"Content-Length: ,2,\r\n\r\nok", KEPT, b"ok"),
    Message(
        "H1-02-after-interim",
        b"HTTP/1.1 103 X\r\n\r\n" + OK + END[:-6] + b", 2\r\n\r\nok",
        KEPT,
        b"ok",
    ),
    Message("H1-05-fold", OK + b"A: b\r\n c\r\n" + END, KEPT, b"ok"),
    Message("H1-05-fold-tab", OK + b"A: b\r\n\tc\r\n" + END, KEPT, b"ok"),
    Message("H1-05-fold-of-blanks", OK + b"A: b\r\n \t\r\nB: c\r\n" + END, KEPT, b"ok"),
    Message("H1-05-fold-at-end", OK + b"Content-Length: 2\r\n \r\n\r\nok", KEPT, b"ok"),
    Message("H1-05-fold-in-length", OK + b"Content-Length:\r\n 2\r\n\r\nok", KEPT, b"ok"),
    Message(
        "H1-05-fold-in-interim", b"HTTP/1.1 103 X\r\nA: b\r\n c\r\n\r\n" + OK + END, KEPT, b"ok"
    ),
    Message("H1-05-blanks", OK + b"A: b \t\r\nConnection: close\t\r\n" + END, CLOSED, b"ok"),
    Message(
        "H1-05-blanks-and-chunked",
        OK + b"Transfer-Encoding: chunked\t \r\n\r\n2\r\nok\r\n0\r\nA: b \r\n\r\n",
        KEPT,
        b"ok",
    ),
    Message(
        "H1-06-blanks",
        CHUNKED + b'2 \t\r\nok\r\n2 ;a\r\nok\r\n2; a = "\\"b"\t; c\r\nok\r\n0  \r\n\r\n',
        KEPT,
        b"okokok",
    ),
    Message("H1-10-fold", CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n", KEPT, b""),
    Message(
        "H1-12-104-with-length",
        b"HTTP/1.1 104 X\r\nContent-Length: 5\r\n\r\n" + OK + END,
        KEPT,
        b"ok",
    ),
    Message("H1-12-close", b"HTTP/1.1 103 X\r\nConnection: close\r\n\r\n" + OK + END, KEPT, b"ok"),
    Message("H1-18-obs-text", OK + b"A: \xc3\xa9 \xff\r\n" + END, KEPT, b"ok"),
    Message(
        "H1-18-chunked", CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", KEPT, b"hello world"
    ),
    Message("H1-18-chunked-empty", CHUNKED + b"0\r\n\r\n", KEPT, b""),
    Message("H1-18-chunked-line-ends", CHUNKED + b"2\r\n\r\n\r\n0\r\n\r\n", KEPT, b"\r\n"),
    Message(
        "H1-18-chunked-case",
        OK + b"transfer-encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        KEPT,
        b"a",
    ),
    Message(
        "H1-18-chunk-size-case", CHUNKED + b"00a\r\n0123456789\r\n00\r\n\r\n", KEPT, b"0123456789"
    ),
    Message(
        "H1-18-chunk-extension", CHUNKED + b'5;a=b;c="d"\r\nhello\r\n0;e\r\n\r\n', KEPT, b"hello"
    ),
    Message(
        "H1-10-trailers",
        CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n",
        KEPT,
        b"hello",
    ),
    Message("H1-10-empty-trailer", CHUNKED + b"0\r\nX-Sum:\r\n\r\n", KEPT, b""),
    Message("H1-18-until-eof", OK + b"A: b\r\n\r\nhello\r\n\r\n", CLOSED, b"hello\r\n\r\n"),
    Message("H1-18-until-eof-empty", OK + b"\r\n", CLOSED, b""),
    Message("H1-18-close", OK + b"Connection: close\r\n" + END, CLOSED, b"ok"),
    Message("H1-18-close-in-list", OK + b"Connection: x, Close\r\n" + END, CLOSED, b"ok"),
    Message("H1-18-closed-is-not-close", OK + b"Connection: closed\r\n" + END, KEPT, b"ok"),
    Message("H1-18-1.0", b"HTTP/1.0 200 OK\r\n" + END, CLOSED, b"ok"),
    Message("H1-18-1.0-kept", b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" + END, KEPT, b"ok"),
    Message(
        "H1-03-1.0-chunked",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        CLOSED,
        b"ok",
    ),
    Message("H1-12-100", b"HTTP/1.1 100 Continue\r\n\r\n" + OK + END, KEPT, b"ok"),
    Message(
        "H1-12-hints",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 9\r\n\r\n" * 2 + OK + END,
        KEPT,
        b"ok",
    ),
    Message("H1-12-16-interim", b"HTTP/1.1 103 X\r\n\r\n" * 16 + OK + END, KEPT, b"ok"),
    Message(
        "H1-12-100-and-chunked",
        b"HTTP/1.1 100 C\r\n\r\n" + CHUNKED + b"2\r\nok\r\n0\r\n\r\n",
        KEPT,
        b"ok",
    ),
    Message("H1-18-204", b"HTTP/1.1 204 No Content\r\n\r\n", KEPT, b""),
    Message("H1-18-204-length", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", KEPT, b""),
    Message(
        "H1-18-204-chunked", b"HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n", KEPT, b""
    ),
    Message("H1-18-304", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", KEPT, b""),
    Message("H1-18-205", b"HTTP/1.1 205 Reset\r\n" + END, KEPT, b"ok"),
    Message("H1-18-head", OK + b"Content-Length: 5\r\n\r\n", KEPT, b"", method="HEAD"),
    Message("H1-18-head-chunked", CHUNKED, KEPT, b"", method="HEAD"),
    Message("H1-18-head-no-length", OK + b"\r\n", KEPT, b"", method="HEAD"),
    Message("H1-18-head-close", OK + b"Connection: close\r\n\r\n", CLOSED, b"", method="HEAD"),
    Message("H1-18-head-1.0", b"HTTP/1.0 200 OK\r\n\r\n", CLOSED, b"", method="HEAD"),
    Message(
        "H1-18-head-1.0-kept",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
        KEPT,
        b"",
        method="HEAD",
    ),
    Message(
        "H1-18-head-1.0-close",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n\r\n",
        CLOSED,
        b"",
        method="HEAD",
    ),
    Message("H1-18-connect", OK + b"\r\n", CLOSED, b"", method="CONNECT"),
    Message(
        "H1-18-connect-length", OK + b"Content-Length: 5\r\n\r\n", CLOSED, b"", method="CONNECT"
    ),
    Message("H1-18-connect-chunked", CHUNKED, CLOSED, b"", method="CONNECT"),
    Message(
        "H1-18-connect-both",
        OK + b"Content-Length: x\r\nTransfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\n",
        CLOSED,
        b"",
        method="CONNECT",
    ),
    Message("H1-18-connect-407", b"HTTP/1.1 407 X\r\n" + END, KEPT, b"ok", method="CONNECT"),
    Message("H1-18-asked-to-close", OK + END, CLOSED, b"ok", headers={"Connection": "close"}),
    Message(
        "H1-18-head-asked-to-close",
        OK + END[:-2],
        CLOSED,
        b"",
        "HEAD",
        headers={"Connection": "close"},
    ),
    Message("H1-18-no-eof", OK + b"A: b\r\n\r\n", CLOSED, b"", options={"read_until_eof": False}),
    Message(
        "H1-18-upgrade-offered", OK + b"Upgrade: h2c\r\nConnection: upgrade\r\n" + END, KEPT, b"ok"
    ),
    Message(
        "H1-18-gzip",
        OK
        + b"Content-Encoding: gzip\r\nContent-Length: 25\r\n\r\n"
        + gzip.compress(b"hello", mtime=0),
        KEPT,
        b"hello",
    ),
]

# Whole responses behind whose end something comes: they are delivered, and their connection is closed.
FOLLOWED = [
    Message(f"POOL-01-{name}-{what}", data + more, CLOSED, body, method)
    for name, data, body, method in (
        ("length", OK + END, b"ok", "GET"),
        ("length-lf", OK + b"Content-Length: 2\r\n\r\nx\n", b"x\n", "GET"),
        ("length-line-ends", OK + b"Content-Length: 2\r\n\r\n\r\n", b"\r\n", "GET"),
        ("length-0", OK + b"Content-Length: 0\r\n\r\n", b"", "GET"),
        ("close", OK + b"Connection: close\r\n" + END, b"ok", "GET"),
        ("chunked", CHUNKED + b"2\r\nok\r\n0\r\n\r\n", b"ok", "GET"),
        ("trailers", CHUNKED + b"2\r\nok\r\n0\r\nX: y\r\n\r\n", b"ok", "GET"),
        ("interim", b"HTTP/1.1 103 X\r\n\r\n" + OK + END, b"ok", "GET"),
        ("204", b"HTTP/1.1 204 X\r\n\r\n", b"", "GET"),
        ("304", b"HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n", b"", "GET"),
        ("head", OK + b"Content-Length: 5\r\n\r\n", b"", "HEAD"),
        ("head-chunked", CHUNKED, b"", "HEAD"),
        ("head-no-length", OK + b"\r\n", b"", "HEAD"),
        ("connect", OK + b"\r\n", b"", "CONNECT"),
    )
    for what, more in (
        ("response", OK + END),
        ("byte", b"5"),
        ("cr", b"\r"),
        ("lf", b"\n"),
        ("crlf", b"\r\n"),
        ("crlfs", b"\r\n\r\n\r\n"),
        ("last-chunk", b"0\r\n\r\n"),
        ("chunk-with-trailer", b"0\r\nX-Sum: 1\r\n\r\n"),
        ("101", b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
        ("100", b"HTTP/1.1 100 Continue\r\n\r\n"),
    )
]

BAD_HEADS = [
    Message(f"{name}", data, ServerProtocolError)
    for name, data in (
        (
            "H1-01-length-and-chunked",
            OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ),
        (
            "H1-01-lengths-and-chunked",
            OK
            + b"Content-Length: 3\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ),
        (
            "H1-01-chunked-folded",
            OK
            + b"Content-Length: 3\r\nTransfer-Encoding:\r\n chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ),
        (
            "H1-01-chunked-and-length",
            OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ),
        *(
            (f"H1-02-{name}", OK + b"Content-Length: " + value + b"\r\n\r\nhello")
            for name, value in (
                ("two", b"5\r\nContent-Length: 6"),
                ("three", b"5\r\nContent-Length: 5\r\nContent-Length: 6"),
                ("other-list", b"5, 6"),
                ("other-digits", b"5, 05"),
                ("signs", b"+5, +5"),
                ("commas", b", ,"),
                ("folded", b"5\r\n 5"),
                ("plus", b"+5"),
                ("minus", b"-1"),
                ("underscore", b"1_0"),
                ("unicode", "\u0665".encode()),
                ("empty", b""),
                ("words", b"5 5"),
                ("hex", b"0x5"),
                ("point", b"5.0"),
                ("overflow", b"18446744073709551616"),
                ("overflow-by-far", b"9" * 100),
            )
        ),
        *(
            (
                f"H1-03-{name}",
                OK + b"Transfer-Encoding: " + value + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            )
            for name, value in (
                ("xchunked", b"xchunked"),
                ("identity-last", b"chunked, identity"),
                ("identity", b"identity"),
                ("twice", b"chunked, chunked"),
                ("two-fields", b"chunked\r\nTransfer-Encoding: chunked"),
                ("gzip", b"gzip, chunked"),
                ("gzip-only", b"gzip"),
                ("vertical-tab", b"\x0bchunked"),
                ("parameter", b"chunked;q=1"),
                ("quoted", b'"chunked"'),
                ("empty", b""),
                ("comma", b"chunked,"),
            )
        ),
        ("H1-04-lf-status", b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok"),
        ("H1-04-lf-field", OK + b"A: b\nContent-Length: 2\r\n\r\nok"),
        ("H1-04-lf-end", OK + b"Content-Length: 2\r\n\nok"),
        ("H1-04-lf-all", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
        ("H1-04-cr-status", b"HTTP/1.1 200 OK\rContent-Length: 2\r\n\r\nok"),
        ("H1-04-cr-field", OK + b"A: b\rContent-Length: 2\r\n\r\nok"),
        ("H1-04-cr-in-value", OK + b"A: b\rc\r\n" + END),
        ("H1-04-nul-value", OK + b"A: b\x00c\r\n" + END),
        ("H1-04-nul-name", OK + b"A\x00: b\r\n" + END),
        ("H1-04-nul-reason", b"HTTP/1.1 200 O\x00K\r\n" + END),
        ("H1-04-escape-reason", b"HTTP/1.1 200 \x1b[2J\r\n" + END),
        ("H1-04-delete-reason", b"HTTP/1.1 200 O\x7fK\r\n" + END),
        ("H1-04-escape-value", OK + b"A: \x1b[2J\r\n" + END),
        ("H1-04-delete-value", OK + b"A: \x7f\r\n" + END),
        ("H1-04-control-name", OK + b"A\x01: b\r\n" + END),
        ("H1-05-fold-first", OK + b" A: b\r\n" + END),
        ("H1-05-fold-of-nothing", OK + b"\tA: b\r\n c\r\n" + END),
        ("H1-05-fold-and-nul", OK + b"A: b\r\n c\x00\r\n" + END),
        ("H1-05-space-before-colon", OK + b"A : b\r\n" + END),
        ("H1-05-space-in-name", OK + b"A B: b\r\n" + END),
        ("H1-05-empty-name", OK + b": b\r\n" + END),
        ("H1-05-no-colon", OK + b"A\r\n" + END),
        ("H1-05-obs-text-name", OK + b"\xff: b\r\n" + END),
        ("H1-17-ssh", b"SSH-2.0-OpenSSH_9.6\r\n"),
        ("H1-17-html", b"<!DOCTYPE html><html><body>hello</body></html>"),
        ("H1-17-tls", b"\x15\x03\x01\x00\x02\x02\x46"),
        ("H1-17-server-hello", b"\x16\x03\x03\x00\x31\x02\x00\x00\x2d\x03\x03" + b"\x00" * 40),
        ("H1-17-h2", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00"),
        ("H1-17-smtp", b"220 mail.test ESMTP\r\n"),
        ("H1-17-icy", b"ICY 200 OK\r\n" + END),
        ("H1-17-ice", b"ICE/1.0 200 OK\r\n" + END),
        ("H1-17-rtsp", b"RTSP/1.0 200 OK\r\n" + END),
        ("H1-17-0.9", b"HTTP/0.9 200 OK\r\n" + END),
        ("H1-17-2.0", b"HTTP/2.0 200 OK\r\n" + END),
        ("H1-17-1.10", b"HTTP/1.10 200 OK\r\n" + END),
        ("H1-17-lower-case", b"http/1.1 200 OK\r\n" + END),
        ("H1-17-request", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("H1-17-crlf-first", b"\r\n" + OK + END),
        ("H1-17-lf-first", b"\n" + OK + END),
        ("H1-17-two-spaces", b"HTTP/1.1  200 OK\r\n" + END),
        ("H1-17-status-000", b"HTTP/1.1 000 X\r\n" + END),
        ("H1-17-status-099", b"HTTP/1.1 099 X\r\n" + END),
        ("H1-17-status-20", b"HTTP/1.1 20 X\r\n" + END),
        ("H1-17-status-2000", b"HTTP/1.1 2000 X\r\n" + END),
        ("H1-17-status-1000", b"HTTP/1.1 1000 X\r\n" + END),
        ("H1-17-status-abc", b"HTTP/1.1 abc X\r\n" + END),
        ("H1-17-0.9-after-100", b"HTTP/1.1 100 X\r\n\r\nHTTP/0.9 200 OK\r\n" + END),
        ("H1-12-flood", b"HTTP/1.1 103 X\r\n\r\n" * 17 + OK + END),
        ("H1-12-body", b"HTTP/1.1 103 X\r\nContent-Length: 5\r\n\r\nhello" + OK + END),
        ("H1-12-lf", b"HTTP/1.1 103 X\n\n" + OK + END),
        ("H1-12-101", b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello"),
        ("H1-12-101-bare", b"HTTP/1.1 101 X\r\n\r\n"),
    )
] + [
    Message(
        f"H1-12-101-{name}",
        b"HTTP/1.1 101 X\r\n" + fields + b"\r\nhello",
        ServerProtocolError,
        headers={"Connection": "upgrade", "Upgrade": "x"},
    )
    for name, fields in (
        ("without-upgrade", b"Connection: upgrade\r\n"),
        ("without-connection", b"Upgrade: x\r\n"),
        ("with-neither", b""),
    )
]

BAD_BODIES = [
    Message(name, data, ClientPayloadError)
    for name, data in (
        *(
            (f"H1-06-{name}", CHUNKED + data)
            for name, data in (
                ("lf-after-size", b"5\nhello\r\n0\r\n\r\n"),
                ("cr-after-size", b"5\rhello\r\n0\r\n\r\n"),
                ("lf-in-extension", b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
                ("cr-in-extension", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
                ("nul-in-extension", b"5;a\x00\r\nhello\r\n0\r\n\r\n"),
                ("junk-after-data", b"5\r\nhelloXX0\r\n\r\n"),
                ("lf-after-data", b"5\r\nhello\n0\r\n\r\n"),
                ("nothing-after-data", b"5\r\nhello0\r\n\r\n"),
                ("too-much-data", b"5\r\nhello!\r\n0\r\n\r\n"),
                ("hex-prefix", b"0x5\r\nhello\r\n0\r\n\r\n"),
                ("space-before", b" 5\r\nhello\r\n0\r\n\r\n"),
                ("plus", b"+5\r\nhello\r\n0\r\n\r\n"),
                ("minus", b"-5\r\nhello\r\n0\r\n\r\n"),
                ("underscore", b"0_5\r\nhello\r\n0\r\n\r\n"),
                ("empty-size", b"\r\nhello\r\n0\r\n\r\n"),
                ("no-size", b";a\r\nhello\r\n0\r\n\r\n"),
                ("no-hex", b"g\r\nhello\r\n0\r\n\r\n"),
                ("lf-at-end", b"5\r\nhello\r\n0\n\n"),
                ("lf-after-last", b"5\r\nhello\r\n0\r\n\n"),
                ("space-in-size", b"0 5\r\nhello\r\n0\r\n\r\n"),
                ("vertical-tab-after", b"5\x0b\r\nhello\r\n0\r\n\r\n"),
                ("space-in-extension", b"5;a b\r\nhello\r\n0\r\n\r\n"),
                ("open-quotes", b'5;a="b\r\nhello\r\n0\r\n\r\n'),
            )
        ),
        ("H1-07-overflow", CHUNKED + b"10000000000000000\r\nhello"),
        ("H1-07-overflow-by-far", CHUNKED + b"f" * 100 + b"\r\nhello"),
        ("H1-10-length", CHUNKED + b"0\r\nContent-Length: 9\r\n\r\n"),
        ("H1-10-fold-first", CHUNKED + b"0\r\n A: b\r\n\r\n"),
        ("H1-10-lf", CHUNKED + b"0\r\nA: b\n\r\n"),
        ("H1-10-nul", CHUNKED + b"0\r\nA: \x00\r\n\r\n"),
        ("H1-13-length", OK + b"Content-Length: 10\r\n\r\nok"),
        ("H1-13-chunk", CHUNKED + b"5\r\nhel"),
        ("H1-13-no-last-chunk", CHUNKED + b"5\r\nhello\r\n"),
        ("H1-13-last-line", CHUNKED + b"5\r\nhello\r\n0\r\n"),
        ("H1-13-trailer", CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\n"),
    )
]

SMALL: list[tuple[str, bytes, dict[str, Any]]] = [
    ("line", b"HTTP/1.1 200 " + b"x" * 40 + b"\r\n" + END, {"max_line_size": 52}),
    ("field", OK + b"A: " + b"x" * 40 + b"\r\n" + END, {"max_field_size": 40}),
    ("field-utf8", OK + b"A: " + "é".encode() * 20 + b"\r\n" + END, {"max_field_size": 40}),
    ("count", OK + b"A: b\r\n" * 4 + END, {"max_headers": 4}),
    (
        "interim-field",
        b"HTTP/1.1 103 X\r\nA: " + b"x" * 40 + b"\r\n\r\n" + OK + END,
        {"max_field_size": 40},
    ),
]

LIMITS = [
    message
    for name, data, limit in SMALL
    for message in (
        Message(f"H1-09-{name}-above", data, HeadTooLargeError, options=limit),
        Message(
            f"H1-09-{name}-at",
            data,
            KEPT,
            b"ok",
            options={key: value + 1 for key, value in limit.items()},
        ),
    )
] + [
    Message(
        f"H1-10-{name}-{where}",
        CHUNKED + b"2\r\nok\r\n0\r\n" + trailers + b"\r\n",
        KEPT if where == "at" else ClientPayloadError,
        b"ok" if where == "at" else None,
        options={key: value + (where == "at") for key, value in limit.items()},
    )
    for name, trailers, limit in (
        ("field", b"A: " + b"x" * 40 + b"\r\n", {"max_field_size": 40}),
        ("count", b"A: b\r\n" * 5, {"max_headers": 4}),
        ("forbidden-count", b"Set-Cookie: b\r\n" * 5, {"max_headers": 4}),
    )
    for where in ("at", "above")
]

CORPUS = [*GOOD, *FOLLOWED, *BAD_HEADS, *BAD_BODIES, *LIMITS]
