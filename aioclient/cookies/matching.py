"""Which cookies belong to which requests: comparison of hosts, domains and paths (RFC 6265bis, section 5.1).

Pure functions on text. A *host* here is canonical: lower case, A-labels, no trailing dot, no brackets.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+").fullmatch
_FORBIDDEN_IN_DOMAIN = re.compile(r"[^\x21-\x7e]|[,;/\\@?#\[\]]").search
_IPV6 = re.compile(r"[0-9a-f:.]+(?:%[\x21-\x7e]+)?").fullmatch


def cookie_host(host: str) -> str:
    """Return *host* in the form for comparison: in lower case and without the dot that makes a DNS name absolute."""
    return host.lower().removesuffix(".")


@lru_cache(maxsize=1024)
def is_address(host: str) -> bool:
    """Tell whether *host* is an IP address, or a name that some resolver may read as one (``127.1``, ``0x7f.1``)."""
    return ":" in host or _NUMBER(host.rpartition(".")[2]) is not None


def is_domain(domain: str) -> bool:
    """Tell whether *domain* has the form of a canonical domain (ASCII in lower case, no empty label) or of IPv6."""
    if ":" in domain:
        return _IPV6(domain) is not None
    return (
        _FORBIDDEN_IN_DOMAIN(domain) is None
        and "" not in domain.split(".")
        and domain == domain.lower()
    )


def domain_matches(host: str, domain: str) -> bool:
    """Tell whether *host* is *domain* or one of its subdomains (section 5.1.3).

    An IP address matches only itself: ``0.0.1`` is not the parent of ``127.0.0.1``.
    """
    return host == domain or (host.endswith("." + domain) and not is_address(host))


def domains_for(host: str) -> Iterator[str]:
    """Yield the domains that *host* domain-matches, the host itself first."""
    yield host
    if is_address(host):
        return
    dot = host.find(".")
    while dot >= 0:
        yield host[dot + 1 :]
        dot = host.find(".", dot + 1)


def path_matches(request_path: str, cookie_path: str) -> bool:
    """Tell whether *request_path* is *cookie_path* or below it (section 5.1.4): ``/any/x``, not ``/anybad``."""
    return request_path == cookie_path or (
        request_path.startswith(cookie_path)
        and (cookie_path.endswith("/") or request_path[len(cookie_path)] == "/")
    )


def paths_for(request_path: str) -> Iterator[str]:
    """Yield every cookie path that *request_path* path-matches, each once."""
    slash = request_path.find("/")
    while slash >= 0:
        if slash:
            yield request_path[:slash]
        yield request_path[: slash + 1]
        slash = request_path.find("/", slash + 1)
    if not request_path.endswith("/"):
        yield request_path


def default_path(request_path: str) -> str:
    """Return the default path of a cookie: the directory of the request (section 5.1.4)."""
    if not request_path.startswith("/"):
        return "/"
    return request_path[: request_path.rfind("/")] or "/"
