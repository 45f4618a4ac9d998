"""Repairs response heads that deviate from RFC 9112 before they are parsed. Pure functions on bytes.

``repaired()`` does what the RFC permits every client; ``lenient()`` does what only ``lenient=True`` permits. Neither
uses a ``Content-Length`` beside ``Transfer-Encoding: chunked``, or an invalid length: the end of a message is never
guessed. The page "Lenient reading" has a reason for each rule.
"""

import re
from typing import Final

_FOLD: Final = re.compile(rb"\r\n[ \t]++")
_PADDING: Final = re.compile(rb"(?<![\n \t])[ \t]++(?=\r\n)")
_LENGTH: Final = re.compile(rb"(?<=\n)content-length:([^\r\n]*+)\r\n", re.IGNORECASE)
_FRAMING: Final = re.compile(
    rb"(?<=\n)(?:content-length|transfer-encoding):[^\r\n]*+\r\n", re.IGNORECASE
)
_STATUS_LINE: Final = re.compile(
    rb"(?:HTTP/([0-9]++)(?:\.([0-9]++))?+|ICY)[ \t]++([0-9]{3})(?![0-9])[ \t]*+", re.IGNORECASE
)
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")
_NO_LETTER: Final = re.compile(rb"[^a-z]++")
_DECIDES_FRAMING: Final = (b"contentlength", b"transferencoding")


def without_padding(head: bytes) -> bytes:
    """Return *head* without blanks at line ends (RFC 9112, section 5.1)."""
    return _PADDING.sub(b"", head)


def unfolded(lines: bytes) -> bytes:
    """Return field lines with each line fold replaced by a space (RFC 9112, section 5.2).

    Lines before the first field that begin with a blank belong to no field and stay unchanged.
    """
    if lines[:1] in (b" ", b"\t"):
        return lines
    return without_padding(_FOLD.sub(b" ", without_padding(lines)))


def repaired(head: bytes, *, tunnel: bool) -> bytes:
    """Return a *head* that the parser refused, repaired as the RFC permits; the same object if nothing could be
    repaired.

    Folds become spaces. Equal values of ``Content-Length`` become one (RFC 9112, section 6.3). With *tunnel*, it is a
    2xx answer to CONNECT, in which framing fields are ignored (RFC 9110, section 9.3.6).
    """
    line, end, fields = head.partition(b"\r\n")
    fields = unfolded(fields)
    if tunnel:
        fields = _FRAMING.sub(b"", b"\n" + fields)[1:]
    else:
        fields = _with_one_length(fields)
    return line + end + fields


def _with_one_length(fields: bytes) -> bytes:
    values = _LENGTH.findall(b"\n" + fields)
    lengths = {part.strip(b" \t") for value in values for part in value.split(b",")} - {b""}
    if len(lengths) != 1 or (len(values) == 1 and b"," not in values[0]):
        return fields
    return b"Content-Length: %b\r\n" % lengths.pop() + _LENGTH.sub(b"", b"\n" + fields)[1:]


def lenient(head: bytes) -> bytes:
    """Return *head*, whose lines may end with a bare LF, in a form that the parser accepts."""
    line, _, fields = head.partition(b"\n")
    return _status_line(_clean(line)) + b"\r\n" + lenient_fields(fields)


def lenient_fields(lines: bytes) -> bytes:
    """Return field lines, including the final empty one, in a form that the parser accepts.

    Lines that are not fields are dropped, unless they look like framing: the parser must refuse those.
    """
    fields: list[bytes] = []
    folds = False  # whether a line that begins with a blank continues a field
    for line in map(_clean, lines.split(b"\n")):
        if line[:1] in (b" ", b"\t"):
            if folds:
                fields[-1] = (fields[-1] + b" " + line.strip(b" \t")).rstrip(b" ")
            continue
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" \t")
        folds = bool(colon) and _TOKEN.fullmatch(name) is not None
        if folds:
            fields.append(name + b": " + value.strip(b" \t"))
        elif _NO_LETTER.sub(b"", line.lower()).startswith(_DECIDES_FRAMING):
            fields.append(line)
    return (
        _with_one_length(_without_identity(b"".join(field + b"\r\n" for field in fields))) + b"\r\n"
    )


def _clean(line: bytes) -> bytes:
    """Return a line without its end, and with spaces for invalid characters in its value (RFC 9110, section 5.5)."""
    return line.rstrip(b"\r").replace(b"\r", b" ").replace(b"\0", b" ")


def _status_line(line: bytes) -> bytes:
    """Return a status line in the form of RFC 9112; an unintelligible one is returned unchanged."""
    match = _STATUS_LINE.match(line)
    if match is None:
        return line
    major, minor, status = match.groups()
    new = major is not None and int(major) == 1 and minor is not None and int(minor) >= 1
    version = b"HTTP/1.1" if new else b"HTTP/1.0"
    return version + b" " + status + b" " + line[match.end() :].rstrip(b" \t")


_CODINGS: Final = re.compile(rb"(?<=\n)transfer-encoding: ([^\r\n]*+)\r\n", re.IGNORECASE)


def _without_identity(fields: bytes) -> bytes:
    """Drop the transfer coding ``identity``, which meant no coding in RFC 2616."""
    values = _CODINGS.findall(b"\n" + fields)
    codings = [part.strip(b" \t") for value in values for part in value.split(b",")]
    left = [coding for coding in codings if coding.lower() != b"identity"]
    if len(left) == len(codings):
        return fields
    others = _CODINGS.sub(b"", b"\n" + fields)[1:]
    return others + (b"Transfer-Encoding: %b\r\n" % b", ".join(left) if left else b"")
