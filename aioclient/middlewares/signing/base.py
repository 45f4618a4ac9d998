"""The signed parts of an HTTP message: components and the signature base (RFC 9421, section 2). Pure functions.

Components are spelled as in the RFC, without the quotes around the name: ``@method``, ``content-type``,
``@query-param;name="id"``, ``x-binary;bs``.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote

from multidict import CIMultiDict

from ...message.headers import check_name
from .unsigned import UnsignedRequest

_DERIVED: Final = frozenset(
    (
        "@method",
        "@target-uri",
        "@authority",
        "@scheme",
        "@request-target",
        "@path",
        "@query",
        "@query-param",
    )
)
_COMPONENT: Final = re.compile(r'([^;"\s]+)(;bs|;name="([^"\\]*)")?')
_ASCII: Final = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Component:
    """A part of a request that is signed.

    ``name`` is in lower case. ``parameter`` is "bs" for a field whose values are encoded as bytes, "name" for a query
    parameter, whose name is ``value``, and otherwise empty.
    """

    name: str
    parameter: str = ""
    value: str = ""

    @property
    def identifier(self) -> str:
        """The component's identifier (section 2)."""
        if self.parameter == "name":
            return f'"{self.name}";name={string(self.value)}'
        return f'"{self.name}"{";bs" if self.parameter else ""}'


def component(text: str) -> Component:
    """Return the component with the name *text*.

    Raises:
        TypeError: it is not text.
        ValueError: it is not a component of requests, or not supported.
    """
    if not isinstance(text, str):
        raise TypeError(f"a covered component must be a str, found {type(text).__name__}")
    found = _COMPONENT.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r} is no component: write a field's name, {', '.join(sorted(_DERIVED))}, "
            'with ;bs after a field or ;name="..." after @query-param'
        )
    name, suffix = found[1].lower(), found[2] or ""
    if name.startswith("@"):
        if name not in _DERIVED or (suffix.startswith(";name") != (name == "@query-param")):
            raise ValueError(
                f"{text!r} is no component of a request; those that are no fields are {', '.join(sorted(_DERIVED))}, "
                'and @query-param has ;name="..."'
            )
        return Component(name, "name" if suffix else "", found[3] or "")
    if suffix.startswith(";name"):
        raise ValueError(f'{text!r}: ;name="..." belongs to @query-param')
    return Component(check_name(name), "bs" if suffix else "")


def checked_components(covered: Iterable[str]) -> tuple[Component, ...]:
    """Return the components with the names *covered*.

    Raises:
        TypeError, ValueError: a name is invalid, or is there twice (section 2).
    """
    if isinstance(covered, str):
        raise TypeError("covered must be a list of components, found one str")
    components = tuple(map(component, covered))
    if len(set(components)) < len(components):
        raise ValueError("covered has a component twice (RFC 9421, section 2)")
    return components


def signature_params(
    components: Sequence[Component],
    *,
    created: int | None = None,
    expires: int | None = None,
    key_id: str | None = None,
    algorithm: str | None = None,
    nonce: str | None = None,
    tag: str | None = None,
) -> str:
    """Return the value of ``Signature-Input`` for a signature (section 2.3)."""
    text = f"({' '.join(each.identifier for each in components)})"
    for name, number in (("created", created), ("expires", expires)):
        if number is not None:
            text += f";{name}={number}"
    for name, value in (("keyid", key_id), ("alg", algorithm), ("nonce", nonce), ("tag", tag)):
        if value is not None:
            text += f";{name}={string(value)}"
    return text


def signature_base(
    request: UnsignedRequest, components: Sequence[Component], parameters: str
) -> bytes:
    """Return the bytes to sign (section 2.5).

    Raises:
        ValueError: the request lacks a component.
    """
    lines = [f"{each.identifier}: {_value(request, each)}" for each in components]
    lines.append(f'"@signature-params": {parameters}')
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def string(text: str) -> str:
    """Return *text* as a string of structured fields (RFC 8941, section 3.3.3).

    Raises:
        ValueError: it holds a character that is not printable ASCII.
    """
    if _ASCII.fullmatch(text) is None:
        raise ValueError(f"{text!r} holds what is not printable ASCII")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _value(request: UnsignedRequest, part: Component) -> str:
    if not part.name.startswith("@"):
        return _field(request.headers, part)
    url = request.url
    if part.name == "@query-param":
        return _query_parameter(url.raw_query_string, part.value)
    scheme = {"ws": "http", "wss": "https"}.get(url.scheme, url.scheme)
    return {
        "@method": request.method,
        "@target-uri": f"{scheme}://{request.authority}{request.target}",
        "@authority": request.authority.lower(),
        "@scheme": scheme,
        "@request-target": request.target,
        "@path": url.raw_path or "/",
        "@query": f"?{url.raw_query_string}",
    }[part.name]


def _query_parameter(query: str, name: str) -> str:
    """Return the value of the query parameter whose encoded name is *name*, encoded (section 2.2.8).

    Raises:
        ValueError: the query has no such parameter, or several.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    found = [_form_coded(value) for each, value in pairs if _form_coded(each) == name]
    if not found:
        raise ValueError(
            f"the query has no parameter {name!r} to sign; the name is written percent-encoded"
        )
    if len(found) > 1:
        raise ValueError(
            f"the query has {len(found)} parameters {name!r}, so none can be signed; cover @query"
        )
    return found[0]


def _form_coded(text: str) -> str:
    """Return *text* with everything percent-encoded that a form encodes: all but letters, digits and ``*-._``."""
    return quote(text, safe="*").replace("~", "%7E")


def _field(headers: "CIMultiDict[str]", part: Component) -> str:
    values = headers.getall(part.name, ())
    if not values:
        raise ValueError(f"the request has no field {part.name} to sign")
    if part.parameter == "bs":
        coded = (value.strip().encode("utf-8", "surrogateescape") for value in values)
        return ", ".join(f":{b64encode(value).decode()}:" for value in coded)
    return ", ".join(value.strip() for value in values)
