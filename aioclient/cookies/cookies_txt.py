"""``cookies.txt``, the format of Netscape, which curl, wget and browser extensions share.

Each line has seven fields, separated by tabs: domain, whether subdomains get it, path, whether it is Secure, POSIX time
of expiry (0: at the end of the session), name, value. ``#HttpOnly_`` before the domain marks HttpOnly; other lines that
begin with ``#`` are comments.
"""

import logging
import math
import re

from ..message.set_cookie import unquote
from .acceptance import restore
from .cookie import Cookie

_log = logging.getLogger("aioclient.cookies")
_HEAD = "# Netscape HTTP Cookie File\n\n"
_HTTP_ONLY = "#HttpOnly_"
_FLAGS = {"true": True, "false": False}
# Python's own http.cookiejar writes an empty time for a cookie that ends with its session.
_TIME = re.compile(r"(-?[0-9]{1,15}(\.[0-9]*)?)?").fullmatch
_NAMED = 5  # line numbers in a message


def dump(cookies: list[Cookie]) -> str:
    """Return *cookies* as the text of a file, without those that are sent to every host."""
    return _HEAD + "".join([_line(cookie) for cookie in cookies if cookie.domain])


def parse(text: str, source: str, quoted: bool) -> list[Cookie]:
    """Return the cookies of a file's *text*; *source* is for the message.

    An invalid line is left out, and logged.

    Raises:
        ValueError: there are invalid lines, and no valid ones.
    """
    cookies = []
    odd: list[int] = []
    problem = ""
    found = False
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        http_only = line.startswith(_HTTP_ONLY)
        if http_only:
            line = line.removeprefix(_HTTP_ONLY)
        elif line.startswith("#"):
            continue
        if not line.strip():
            continue
        try:
            verdict = _parse_line(line, http_only, quoted)
        except ValueError as error:
            problem = problem or f"line {number}: {error}"
            odd.append(number)
            continue
        found = True
        if isinstance(verdict, Cookie):
            cookies.append(verdict)
        else:
            _log.debug("the cookie in line %d of %s was left out: %s", number, source, verdict)
    if odd and not found:
        raise ValueError(f"{source} is not a cookies.txt file: {problem}")
    if odd:
        which = ", ".join(map(str, odd[:_NAMED])) + ", …" * (len(odd) > _NAMED)
        _log.warning("%s: %d lines were left out (%s); %s", source, len(odd), which, problem)
    return cookies


def _line(cookie: Cookie) -> str:
    fields = (
        f"{_HTTP_ONLY if cookie.http_only else ''}{'' if cookie.host_only else '.'}{cookie.domain}",
        "FALSE" if cookie.host_only else "TRUE",
        cookie.path,
        "TRUE" if cookie.secure else "FALSE",
        # Rounded up: 0 would have another meaning.
        "0" if cookie.deadline is None else str(math.ceil(cookie.deadline)),
        cookie.name,
        cookie.coded_value,
    )
    return "\t".join(fields) + "\n"


def _parse_line(line: str, http_only: bool, quoted: bool) -> Cookie | str:
    fields = line.split("\t")
    if len(fields) == 6:
        fields.append("")  # an empty value, whose tab an editor has stripped
    if len(fields) != 7:
        raise ValueError(f"7 fields separated by tabs were expected, found {len(fields)}")
    domain, subdomains, path, secure, expires, name, value = fields
    to_subdomains, only_secure = _FLAGS.get(subdomains.lower()), _FLAGS.get(secure.lower())
    if to_subdomains is None or only_secure is None:
        raise ValueError("the second and fourth field must be TRUE or FALSE")
    if _TIME(expires) is None:
        raise ValueError("the fifth field must be a POSIX time")
    domain = domain.removeprefix(".").lower()
    if not domain:
        raise ValueError("the domain is empty")
    when = float(expires or 0)
    return restore(
        name,
        unquote(value),
        value,
        domain=domain,
        path=path,
        host_only=not to_subdomains,
        secure=only_secure,
        http_only=http_only,
        same_site="",
        deadline=when or None,
        quoted=quoted,
    )
