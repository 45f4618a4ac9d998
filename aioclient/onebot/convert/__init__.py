"""Typed values to plain data, and plain data to typed values.

Plain data are what a message can carry: ``None``, ``bool``, ``int`` of 64 bits, finite ``float``, ``str``, ``bytes``,
lists, and dicts with ``str`` keys.

- ``plain``: :func:`to_plain` takes these, tuples, mappings, dataclasses, named tuples, members of enums, and whatever
  has a ``to_dict()``, such as events and segments;
- ``typed``: :func:`from_plain` takes a type hint, and checks as it converts. An ``int`` is accepted where a ``float``
  is expected, and base64 text where ``bytes`` are; a ``bool`` is no number. Where a list of segments is expected, one
  segment or a text will do;
- ``fields``: those of classes, by their names in plain data; ``limits``: of numbers and depth.

A field ``Annotated[T, "qq.nickname"]`` of a dataclass is called ``qq.nickname`` in plain data.
"""

from .fields import wire_name, wire_names
from .limits import INT64_MAX, INT64_MIN, MAX_DEPTH, UINT64_MAX
from .plain import to_plain
from .typed import Converter, Members, checked, checked_members, converter, from_plain

__all__ = (
    "INT64_MAX",
    "INT64_MIN",
    "MAX_DEPTH",
    "UINT64_MAX",
    "Converter",
    "Members",
    "checked",
    "checked_members",
    "converter",
    "from_plain",
    "to_plain",
    "wire_name",
    "wire_names",
)
