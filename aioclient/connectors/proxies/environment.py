"""The proxies in environment variables.

``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy``, in lower or upper case; lower case takes precedence,
and an empty value means "none". In a CGI program, where ``REQUEST_METHOD`` is set, ``HTTP_PROXY`` is not a variable but
the ``Proxy`` header field of the request: it is ignored.
"""

from collections.abc import Mapping

from .bypass import Bypass
from .decide import ProxyOptions, ProxyRules

_VARIABLES = ("http", "https", "ws", "wss", "all")


def rules_of_environment(
    environ: Mapping[str, str], settings: ProxyOptions | None = None
) -> ProxyRules | None:
    """Return the proxy rules of *environ*; None if it names no proxy.

    A proxy without a scheme is an ``http`` one, as in other programs.
    """
    variables = dict(environ)  # where names ignore case, it would return the same for both
    table: dict[str, str | None] = {}
    for name in _VARIABLES:
        value = _value(variables, f"{name}_proxy")
        if value:
            table[name] = value if "://" in value else f"http://{value}"
    if not table:
        return None
    return ProxyRules(
        table,
        Bypass(_value(variables, "no_proxy")),
        ProxyOptions() if settings is None else settings,
    )


def _value(variables: Mapping[str, str], name: str) -> str:
    value = variables.get(name)
    if value is None and not (name == "http_proxy" and "REQUEST_METHOD" in variables):
        value = variables.get(name.upper())
    return "" if value is None else value.strip()
