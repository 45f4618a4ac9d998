"""The opening handshake (RFC 6455, section 4): the fields of the request, and the check of its answer.

The client fails the connection unless the server answers with status 101, an ``Upgrade`` to ``websocket``, a
``Connection`` that lists ``upgrade``, the right ``Sec-WebSocket-Accept``, and only offered subprotocols and extensions
(section 4.1).
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from multidict import CIMultiDict, MultiMapping

from ...message.headers import shown_text
from . import deflate

_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

CONNECTION: Final = "Connection"
EXTENSIONS: Final = "Sec-WebSocket-Extensions"
PROTOCOL: Final = "Sec-WebSocket-Protocol"


class HandshakeFailure(Exception):
    """The answer to the handshake is invalid; the text says what was found."""


class Agreed(NamedTuple):
    """The agreement between client and server."""

    protocol: str | None
    deflate: deflate.Deflate | None


def elements(values: Iterable[str]) -> list[str]:
    """Return the elements of a list field, without empty ones (RFC 9110, section 5.6.1)."""
    return [
        element for value in values for part in value.split(",") if (element := part.strip(" \t"))
    ]


def make_key(random: bytes) -> str:
    """Return the value of ``Sec-WebSocket-Key`` for 16 random bytes."""
    return base64.b64encode(random).decode()


def accept_for(key: str) -> str:
    """Return the ``Sec-WebSocket-Accept`` value for *key*."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


def opening_fields(
    key: str, protocols: Sequence[str], origin: str | None, bits: int
) -> "CIMultiDict[str]":
    """Return the fields of an opening request; *bits* of window for compression, 0 for none."""
    fields: CIMultiDict[str] = CIMultiDict(
        {
            "Upgrade": "websocket",
            CONNECTION: "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
        }
    )
    if protocols:
        fields[PROTOCOL] = ", ".join(protocols)
    if origin is not None:
        fields["Origin"] = origin
    if bits:
        fields[EXTENSIONS] = deflate.offer(bits)
    return fields


def check_answer(
    status: int, fields: "MultiMapping[str]", key: str | None, protocols: Sequence[str], bits: int
) -> Agreed:
    """Return the server's agreement; *key* is None over HTTP/2, where any 2xx agrees (RFC 8441, section 5).

    Raises:
        HandshakeFailure: the answer breaks a rule of section 4.1.
    """
    if key is not None:
        _check_switch(status, fields, key)
    elif not 200 <= status < 300:
        raise HandshakeFailure(f"the server answered with status {status}, not 2xx")
    return Agreed(_protocol(fields, protocols), _extension(fields, bits))


def _check_switch(status: int, fields: "MultiMapping[str]", key: str) -> None:
    """Check that a server over HTTP/1.1 has switched to WebSocket, for the *key* that it was sent."""
    if status != 101:
        raise HandshakeFailure(f"the server answered with status {status}, not 101")
    upgrade = fields.getall("Upgrade", [])
    if [name.lower() for name in elements(upgrade)] != ["websocket"]:
        raise HandshakeFailure(
            f"the answer's Upgrade is {shown_text(', '.join(upgrade))}, not 'websocket'"
        )
    connection = fields.getall(CONNECTION, [])
    if "upgrade" not in [token.lower() for token in elements(connection)]:
        raise HandshakeFailure(
            f"the answer's Connection is {shown_text(', '.join(connection))}, without 'upgrade'"
        )
    accepted = fields.getall("Sec-WebSocket-Accept", [])
    if [value.strip() for value in accepted] != [accept_for(key)]:
        raise HandshakeFailure(
            f"the answer's Sec-WebSocket-Accept is {shown_text(', '.join(accepted))}, "
            f"not {accept_for(key)!r}"
        )


def _protocol(fields: "MultiMapping[str]", protocols: Sequence[str]) -> str | None:
    chosen = elements(fields.getall(PROTOCOL, ()))
    if not chosen:
        return None
    if len(chosen) > 1 or chosen[0] not in protocols:
        asked = f"of {list(protocols)}" if protocols else "none"
        raise HandshakeFailure(
            f"the server chose the subprotocol {shown_text(', '.join(chosen))}; {asked} was asked for"
        )
    return chosen[0]


def _extension(fields: "MultiMapping[str]", bits: int) -> deflate.Deflate | None:
    used = elements(fields.getall(EXTENSIONS, ()))
    if not used:
        return None
    if not bits:
        raise HandshakeFailure(
            f"the server uses the extension {shown_text(', '.join(used))}, unasked"
        )
    try:
        return deflate.agreed_deflate(used, bits)
    except ValueError as error:
        raise HandshakeFailure(
            f"the server's Sec-WebSocket-Extensions is {shown_text(', '.join(used))}: {error}"
        ) from None
