"""What a netrc file says: text in, logins and passwords out.

The grammar is that of ftp(1), with the quotes and comments that Python and curl read as well. A host may have several
entries, one for each login; the first that fits counts. No message quotes the file.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...message.origin import canonical_host


class Entry(NamedTuple):
    """A login and password; ``host`` is None for the ``default`` entry."""

    host: str | None
    login: str
    password: str

    def __repr__(self) -> str:
        return f"Entry(host={self.host!r}, login={self.login!r}, password='***')"


class _Token(NamedTuple):
    text: str
    line: int
    end: int  # where it ends in the file
    quoted: bool


def parse_netrc(text: str) -> tuple[Entry, ...]:
    """Return the entries of a netrc file, in its order.

    Raises:
        ValueError: it is none; the message says where, and nothing of what stands there.
    """
    entries: list[Entry] = []
    tokens = _Tokens(text)
    for token in tokens:
        if token.text == "machine":
            name = tokens.after(token)
            entries.append(_entry(tokens, _canonical(name.text), token))
        elif token.text == "default":
            entries.append(_entry(tokens, None, token))
        elif token.text == "macdef":
            tokens.after(token)
            tokens.skip_macro()
        else:
            raise ValueError(f"line {token.line}: expected machine, default or macdef")
    return tuple(entries)


def find_entry(
    entries: Sequence[Entry], host: str, login: str | None = None, *, use_default: bool = False
) -> Entry | None:
    """Return the first entry for *host*, a canonical one, and for *login* if that is known, that has a password."""
    for entry in entries:
        if (
            (entry.host == host or (entry.host is None and use_default))
            and (login is None or entry.login == login)
            and entry.password
        ):
            return entry
    return None


def _entry(tokens: "_Tokens", host: str | None, start: _Token) -> Entry:
    """Take what follows the name of an entry."""
    said = {"login": "", "password": "", "account": ""}
    for token in tokens:
        if not token.quoted and token.text in ("machine", "default", "macdef"):
            tokens.push_back(token)
            break
        name = "login" if token.text == "user" else token.text
        if token.quoted or name not in said:
            raise ValueError(f"line {token.line}: expected login, password, account or machine")
        said[name] = tokens.after(token).text
    if ":" in said["login"]:
        raise ValueError(
            f"line {start.line}: the login of this entry holds ':', which Basic cannot carry"
        )
    return Entry(host, said["login"], said["password"])


def _canonical(name: str) -> str:
    """Return a host's name as ``Origin.host`` has it; what is no host's name is nobody's."""
    try:
        return canonical_host(name.strip("[]"))
    except ValueError:
        return ""


class _Tokens:
    """The words of a file: separated by white space, or in double quotes; a backslash takes the next character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._pushed: _Token | None = None

    def __iter__(self) -> Iterator[_Token]:
        """Give the words where a keyword is expected; there, a # begins a comment."""
        while (token := self._next()) is not None:
            if token.text.startswith("#") and not token.quoted:
                self._skip_line(token)
            else:
                yield token

    def after(self, keyword: _Token) -> _Token:
        """Return the word that belongs to *keyword*."""
        token = self._next()
        if token is None:
            raise ValueError(f"line {keyword.line}: nothing follows the last word")
        return token

    def push_back(self, token: _Token) -> None:
        """Give *token* again."""
        self._pushed = token

    def skip_macro(self) -> None:
        """Skip the rest of this line and the lines of a macro, which an empty line ends."""
        self._at = self._end_of_line(self._at) + 1
        self._line += 1
        while self._at < len(self._text):
            end = self._end_of_line(self._at)
            line = self._text[self._at : end]
            self._at, self._line = end + 1, self._line + 1
            if not line.strip("\r"):
                return

    def _skip_line(self, token: _Token) -> None:
        if self._line == token.line:
            self._at = self._end_of_line(token.end)

    def _end_of_line(self, start: int) -> int:
        end = self._text.find("\n", start)
        return len(self._text) if end < 0 else end

    def _next(self) -> _Token | None:
        if self._pushed is not None:
            token, self._pushed = self._pushed, None
            return token
        text, at = self._text, self._at
        while at < len(text) and text[at].isspace():
            self._line += text[at] == "\n"
            at += 1
        if at >= len(text):
            self._at = at
            return None
        line = self._line
        quoted = text[at] == '"'
        at += quoted
        word: list[str] = []
        while at < len(text):
            letter = text[at]
            if (letter == '"') if quoted else letter.isspace():
                break
            if letter == "\\" and at + 1 < len(text):
                at += 1
                letter = text[at]
            self._line += letter == "\n"
            word.append(letter)
            at += 1
        if quoted:
            if at == len(text):
                raise ValueError(f"line {line}: a quote that is not closed")
            at += 1
        self._at = at
        return _Token("".join(word), line, at, quoted)
