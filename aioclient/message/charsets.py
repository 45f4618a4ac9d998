"""Charsets by the names that servers use, and decoding of bytes to text.

A label means what it means in browsers (WHATWG, Encoding Standard, section 4.2): pages labelled ``gb2312``,
``shift_jis`` or ``iso-8859-1`` contain Windows' extensions of these charsets, and the larger charset decodes the
smaller one. Python's own names are accepted too. Where Python lacks the exact codec, the nearest one is used: it has no
``euc-jp`` with NEC's rows, and no single Big5 codec with both Hong Kong's characters and Microsoft's symbols.
"""

import codecs
import re
from functools import lru_cache
from typing import Final

# Python's codec for each label, where Python has no codec of that name or only a smaller one.
_LABELS: Final = {
    "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8",
    "cp866": "866 csibm866 ibm866",
    "iso8859-2": "iso88592 iso_8859-2:1987 csisolatin2",
    "iso8859-3": "iso88593 iso_8859-3:1988 csisolatin3",
    "iso8859-4": "iso88594 iso_8859-4:1988 csisolatin4",
    "iso8859-5": "iso88595 iso_8859-5:1988 csisolatincyrillic",
    "iso8859-6": "iso88596 iso_8859-6:1987 csisolatinarabic csiso88596e csiso88596i iso-8859-6-e iso-8859-6-i",
    "iso8859-7": "iso88597 iso_8859-7:1987 csisolatingreek sun_eu_greek",
    "iso8859-8": "iso88598 iso_8859-8:1988 csisolatinhebrew csiso88598e csiso88598i iso-8859-8-e iso-8859-8-i "
    "logical visual",
    "iso8859-10": "iso885910 csisolatin6",
    "iso8859-13": "iso885913",
    "iso8859-14": "iso885914",
    "iso8859-15": "iso885915 csisolatin9",
    "koi8-r": "cskoi8r koi koi8",
    "koi8-u": "koi8-ru",
    "mac-roman": "csmacintosh mac x-mac-roman",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "cp874": "dos-874 iso-8859-11 iso8859-11 iso885911 iso_8859-11 tis-620 tis620 windows-874 x-cp874",
    "cp1250": "x-cp1250",
    "cp1251": "x-cp1251",
    "cp1252": "ansi_x3.4-1968 ascii cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 "
    "iso_8859-1:1987 l1 latin1 latin-1 us-ascii x-cp1252",
    "cp1253": "x-cp1253",
    "cp1254": "csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5 x-cp1254",
    "cp1255": "x-cp1255",
    "cp1256": "x-cp1256",
    "cp1257": "x-cp1257",
    "cp1258": "x-cp1258",
    "gb18030": "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk",
    "cp950": "big5 cn-big5 csbig5 x-x-big5",
    "euc_jp": "cseucpkdfmtjapanese x-euc-jp",
    "cp932": "csshiftjis ms_kanji shift-jis shift_jis sjis windows-31j x-sjis",
    "cp949": "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 "
    "windows-949",
    "utf-16": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff",
    "utf-16-be": "unicodefffe",
}
_CODEC_OF: Final = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}
# Python codecs between bytes and str that are not character encodings, or are slow on hostile input.
_NOT_CHARSETS: Final = frozenset(
    ("idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape")
)
# Python caches every name that it is asked for, and searches the disk for it: a server must not choose the text.
_LABEL: Final = re.compile(r"[A-Za-z0-9_.:+()-]{1,40}").fullmatch
# Where Windows' charsets have no letter at a control character's place, browsers show that control character.
_WINDOWS: Final = re.compile(r"cp(?:874|125[0-8])").fullmatch
_KEEP_CONTROLS: Final = "aioclient.keep-controls"


@lru_cache(maxsize=256)
def codec_of(label: str) -> str | None:
    """Return the name of the Python codec for the charset *label*; None if no codec turns bytes into text.

    ``rot13`` and ``zip`` are codecs too, but not between bytes and text.
    """
    label = label.strip(" \t\r\n\f")
    if _LABEL(label) is None:
        return None
    if (codec := _CODEC_OF.get(label.lower())) is not None:
        return codec
    try:
        # Not b"": Python decodes that without looking up the codec.
        b"abcd".decode(label, "replace")
        known = codecs.lookup(label).name.replace("-", "_") not in _NOT_CHARSETS
    except (LookupError, ValueError):
        return None
    return label if known else None


def decode_text(body: bytes, codec: str, errors: str) -> str:
    """Return *body* as text; *codec* comes from ``codec_of()``.

    Raises:
        UnicodeDecodeError: it is not valid in this codec, and *errors* is ``strict``.
    """
    if errors == "strict" and _WINDOWS(codec) is not None:
        errors = _KEEP_CONTROLS
    return body.decode(codec, errors)


def _keep_controls(error: UnicodeError) -> tuple[str, int]:
    if isinstance(error, UnicodeDecodeError) and error.object[error.start] < 0xA0:
        return chr(error.object[error.start]), error.start + 1
    raise error


codecs.register_error(_KEEP_CONTROLS, _keep_controls)


def detected_charset(body: bytes) -> str:
    """Return the charset that *body* seems to use; UTF-8 without charset-normalizer, or when it cannot tell."""
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        return "utf-8"
    best = from_bytes(body).best()
    return "utf-8" if best is None else best.encoding
