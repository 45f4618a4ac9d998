"""The proxies that the environment's variables name.

``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy``, in lower or upper case; lower case wins, and an empty
value says "none". In a CGI program, which ``REQUEST_METHOD`` tells, ``HTTP_PROXY`` is not a variable but a header
field ``Proxy`` of whoever sent the request: it is left alone.
"""

from collections.abc import Mapping

from .bypass import Bypass
from .decide import ProxyOptions, ProxyRules

_VARIABLES = ("http", "https", "ws", "wss", "all")


def rules_of_environment(
    environ: Mapping[str, str], settings: ProxyOptions | None = None
) -> ProxyRules | None:
    """Return what *environ* says of proxies; None when it names none.

    A proxy without a scheme is an ``http`` one, as other programs take it.
    """
    variables = dict(environ)  # where names have no case it folds them, and would answer for both
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
