"""The parser of netrc files: takes text, returns logins and passwords.

The grammar is that of ftp(1), with the quotes and comments that Python and curl read as well. A host may have several
entries, one for each login; the first that matches is used. Other words in the file, such as ``port 993``, invalidate
their line but not the file. No message quotes the file.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from ...message.origin import canonical_host

_STARTS: Final = frozenset(("machine", "default", "macdef"))
_FIELDS: Final = {"login": "login", "user": "login", "password": "password", "account": "account"}


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
    end: int  # its end in the file
    quoted: bool

    @property
    def is_start(self) -> bool:
        """Whether the word begins an entry or a macro."""
        return not self.quoted and self.text in _STARTS


def parse_netrc(text: str) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Return the entries of a netrc file in their order, and the problems of the lines that were skipped.

    After an unknown word, the rest of the line is skipped. An entry whose login Basic cannot encode is skipped too.
    Each problem names the place, but never quotes the file.

    Raises:
        ValueError: there are such problems, and no entry has a password.
    """
    entries: list[Entry] = []
    problems: list[str] = []
    entry: _Reading | None = None
    tokens = _Tokens(text)
    while True:
        try:
            token = tokens.keyword()
            if token is None or token.is_start:
                # Before the name is read: what follows a bad name does not belong to the previous entry.
                done, entry = entry, None
                if done is not None:
                    done.finish(entries, problems)
            if token is None:
                break
            if token.text == "macdef" and token.is_start:
                tokens.after(token)
                tokens.skip_macro()
            elif token.is_start:
                host = _canonical(tokens.after(token).text) if token.text == "machine" else None
                entry = _Reading(host, token.line)
            elif entry is None:
                raise ValueError(f"line {token.line}: expected machine, default or macdef")
            elif token.quoted or token.text not in _FIELDS:
                raise ValueError(f"line {token.line}: expected login, password, account or machine")
            else:
                entry.values[_FIELDS[token.text]] = tokens.after(token).text
        except ValueError as error:
            problems.append(str(error))
            if not _STARTS.isdisjoint(tokens.skip_line().split()):
                entry = None  # the next words may belong to another entry
    if problems and not any(found.password for found in entries):
        raise ValueError(problems[0])
    return tuple(entries), tuple(problems)


def find_entry(
    entries: Sequence[Entry], host: str, login: str | None = None, *, use_default: bool = False
) -> Entry | None:
    """Return the first entry with a password for the canonical *host*, and for *login* if it is known."""
    for entry in entries:
        if (
            (entry.host == host or (entry.host is None and use_default))
            and (login is None or entry.login == login)
            and entry.password
        ):
            return entry
    return None


class _Reading:
    """An entry that may continue."""

    __slots__ = ("_host", "_line", "values")

    def __init__(self, host: str | None, line: int) -> None:
        self._host = host
        self._line = line
        self.values = {"login": "", "password": "", "account": ""}

    def finish(self, entries: list[Entry], problems: list[str]) -> None:
        """Add the entry to *entries*, or its fault to *problems*."""
        if ":" in self.values["login"]:
            problems.append(
                f"line {self._line}: the login of this entry contains ':', which Basic cannot carry"
            )
        else:
            entries.append(Entry(self._host, self.values["login"], self.values["password"]))


def _canonical(name: str) -> str:
    """Return a host's name as in ``Origin.host``; an invalid name matches no host."""
    try:
        return canonical_host(name.strip("[]"))
    except ValueError:
        return ""


class _Tokens:
    """The words of a file: separated by white space, or in double quotes; a backslash escapes the next character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1

    def keyword(self) -> _Token | None:
        """Return the next word where a keyword is expected; there, a # begins a comment."""
        while (token := self._next()) is not None:
            if not token.text.startswith("#") or token.quoted:
                break
            if self._line == token.line:
                self._at = self._end_of_line(token.end)
        return token

    def after(self, keyword: _Token) -> _Token:
        """Return the word that belongs to *keyword*."""
        token = self._next()
        if token is None:
            raise ValueError(f"line {keyword.line}: nothing follows the last word")
        return token

    def skip_line(self) -> str:
        """Skip the rest of this line, and return it."""
        start, self._at = self._at, self._end_of_line(self._at)
        return self._text[start : self._at]

    def skip_macro(self) -> None:
        """Skip the rest of this line, and the lines of a macro up to an empty line."""
        self._at = self._end_of_line(self._at) + 1
        self._line += 1
        while self._at < len(self._text):
            end = self._end_of_line(self._at)
            line = self._text[self._at : end]
            self._at, self._line = end + 1, self._line + 1
            if not line.strip("\r"):
                return

    def _end_of_line(self, start: int) -> int:
        end = self._text.find("\n", start)
        return len(self._text) if end < 0 else end

    def _next(self) -> _Token | None:
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
            if (letter in '"\n') if quoted else letter.isspace():
                break
            if letter == "\\" and at + 1 < len(text):
                at += 1
                letter = text[at]
            self._line += letter == "\n"
            word.append(letter)
            at += 1
        self._at = at
        if quoted:
            if at == len(text) or text[at] == "\n":
                raise ValueError(f"line {line}: a quote that is not closed")
            self._at = at = at + 1
        return _Token("".join(word), line, at, quoted)
