"""Cookies: those that servers set are stored, and sent back to the right servers (RFC 6265bis).

* ``jar``: `CookieJar`, an ``aiohttp.abc.AbstractCookieJar``; ``dummy``: `DummyCookieJar`, which stores nothing
* ``parsing``, ``dates``: parsing of a ``Set-Cookie`` field
* ``acceptance``, ``matching``, ``suffixes``: who may set which cookie, and who gets it, decided on values
* ``cookie``, ``store``: one cookie; all of them, by domain and path, with limits
* ``json_file``, ``cookies_txt``, ``files``: cookies on disk

The jar does not extend ``aiohttp.CookieJar`` (3.14.5), which was tested first. That jar accepts cookies for ``co.uk``
and for a whole top-level domain; accepts Secure cookies from insecure origins, and lets these replace them; does not
know the prefixes ``__Secure-`` and ``__Host-``; does not parse the date "2021 Jun 9 10:18:14"; sends a value ``a/b``
back as ``"a/b"``; drops all but one of two cookies with one name; does not order them by age; matches percent-decoded
paths; unpickles. Fixing these means replacing parsing, storing and selecting, which is everything. The text for a
server is cached between requests: under a microsecond, where building a ``SimpleCookie`` of ten cookies takes nine, and
the same with ten thousand cookies in the jar.
"""

from .dummy import DummyCookieJar
from .jar import CookieJar

__all__ = ("CookieJar", "DummyCookieJar")
