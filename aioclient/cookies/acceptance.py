"""Which cookies may be stored: the rules of the storage model for a received cookie (RFC 6265bis, section 5.7).

``SameSite`` is recorded, but no request is refused for it: it distinguishes requests started by a page of another site
from those of its own site, and this client has no pages. The program itself sends every request.

Decided on values only: the jar checks the cookies that are already stored.
"""

import re

from .cookie import CONTROL, Cookie, find_fault
from .matching import default_path, domain_matches, is_address, is_domain
from .parsing import SAME_SITE, SetCookie
from .suffixes import is_public_suffix

# A later date is reduced to this (sections 5.6.1 and 5.6.2).
MAX_AGE = 400 * 86400.0

_PREFIXES = ("__secure-", "__host-")
_NOT_ASCII_BEFORE = re.compile(r"\A[^\x21-\x7e]+").sub


def prefix_of(name: str, coded_value: str) -> str:
    """Return the security prefix of *name*, in lower case, or "".

    Servers compare it ignoring case, some strip spaces outside ASCII (U+2000, U+FEFF), and a cookie without a name is
    read as its value: ``=__Host-a``. So all of these have the prefix.
    """
    text = name or coded_value
    if text[0] != "_" and "!" <= text[0] <= "~":
        return ""
    folded = _NOT_ASCII_BEFORE("", text)[:16].casefold()
    for prefix in _PREFIXES:
        if folded.startswith(prefix):
            return prefix
    return ""


def accept(
    parsed: SetCookie,
    value: str,
    *,
    host: str,
    path: str,
    is_secure: bool,
    now: float,
    quoted: bool,
) -> Cookie | str:
    """Return the cookie that a response from *host* may set, or the reason against it.

    Args:
        parsed: the received cookie.
        value: the decoded value.
        host: canonical host of the request.
        path: raw path of the request.
        is_secure: whether the request went to a secure origin.
        now: POSIX time.
        quoted: whether a quoted value is sent back with its quotes.
    """
    name = parsed.name
    coded = parsed.coded_value
    if fault := find_fault(name, value, coded):
        return fault
    if parsed.secure and not is_secure:
        return "it is Secure and came from an insecure origin"

    domain = host
    host_only = True
    if parsed.domain:
        ruled = _rule_on_domain(parsed.domain, host)
        if ruled is None:
            return f"its domain {parsed.domain!r} is not one that {host} may set cookies for"
        domain, host_only = ruled

    cookie_path = parsed.path or default_path(path)
    prefix = prefix_of(name, coded)
    if prefix:
        if not name:
            return f"it has no name, and {prefix} in its value"
        if not _keeps_promise(prefix, parsed.secure, host_only, parsed.path):
            return f"its name promises what its attributes do not keep ({prefix})"

    return Cookie(
        name,
        value,
        coded,
        domain=domain,
        path=cookie_path,
        host_only=host_only,
        secure=parsed.secure,
        http_only=parsed.http_only,
        same_site=parsed.same_site,
        deadline=deadline_of(parsed, now),
        max_age=parsed.max_age,
        expires=parsed.expires,
        quoted=quoted,
    )


def accept_shared(parsed: SetCookie, value: str, *, now: float, quoted: bool) -> Cookie | str:
    """Return a cookie of the program itself that is sent to every host, or the reason against it."""
    if fault := find_fault(parsed.name, value, parsed.coded_value):
        return fault
    return Cookie(
        parsed.name,
        value,
        parsed.coded_value,
        domain="",
        path=parsed.path or "/",
        host_only=False,
        secure=parsed.secure or bool(prefix_of(parsed.name, parsed.coded_value)),
        http_only=parsed.http_only,
        same_site=parsed.same_site,
        deadline=deadline_of(parsed, now),
        max_age=parsed.max_age,
        expires=parsed.expires,
        quoted=quoted,
    )


def restore(
    name: str,
    value: str,
    coded_value: str,
    *,
    domain: str,
    path: str,
    host_only: bool,
    secure: bool,
    http_only: bool,
    same_site: str,
    deadline: float | None,
    quoted: bool,
) -> Cookie | str:
    """Return a cookie that was read from a file, or why no response could have set it.

    A public suffix or an address has host-only cookies, whatever the file says.
    """
    if fault := find_fault(name, value, coded_value):
        return fault
    if domain and not is_domain(domain):
        return f"{domain!r} is not a domain"
    if not path.startswith("/") or CONTROL(path):
        return f"{path!r} is not a path"
    host_only = bool(domain) and (host_only or is_address(domain) or is_public_suffix(domain))
    prefix = prefix_of(name, coded_value)
    if domain and prefix and not (name and _keeps_promise(prefix, secure, host_only, path)):
        return f"its name promises what its attributes do not keep ({prefix})"
    return Cookie(
        name,
        value,
        coded_value,
        domain=domain,
        path=path,
        host_only=host_only,
        secure=secure,
        http_only=http_only,
        same_site=same_site if same_site in SAME_SITE.values() else "",
        deadline=deadline,
        quoted=quoted,
    )


def _keeps_promise(prefix: str, secure: bool, host_only: bool, path: str) -> bool:
    """Tell whether a cookie has the attributes that the *prefix* of its name requires (section 4.1.3)."""
    return secure and (prefix == "__secure-" or (host_only and path == "/"))


def _rule_on_domain(attribute: str, host: str) -> tuple[str, bool] | None:
    """Return the domain and the host-only flag of a cookie with this ``Domain``, or None: no cookie (section 5.7)."""
    if not attribute.isascii():
        return None
    domain = attribute.removeprefix(".").lower()
    if not domain:
        return host, True
    # "example.com." is invalid: hosts are compared without this dot.
    if not is_domain(domain):
        return None
    if domain == host:
        # Whether a public suffix or an address: only its own host may have set it.
        return host, is_address(host) or is_public_suffix(domain)
    if not domain_matches(host, domain) or is_public_suffix(domain):
        return None
    return domain, False


def deadline_of(parsed: SetCookie, now: float) -> float | None:
    """Return when the cookie expires; Max-Age takes precedence over Expires."""
    if parsed.delta is not None:
        return now + min(parsed.delta, MAX_AGE) if parsed.delta else 0.0
    if parsed.deadline is not None:
        return min(parsed.deadline, now + MAX_AGE)
    return None
