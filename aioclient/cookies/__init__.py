"""Cookies: what servers set is kept, and sent back where it belongs (RFC 6265bis).

* ``jar``: `CookieJar`, an ``aiohttp.abc.AbstractCookieJar``; ``dummy``: `DummyCookieJar`, which keeps nothing
* ``parsing``, ``dates``: a ``Set-Cookie`` field taken apart
* ``acceptance``, ``matching``, ``suffixes``: who may set which cookie, and who gets it: decided by values alone
* ``cookie``, ``store``: one cookie; all of them, by domain and path, with limits
* ``json_file``, ``cookies_txt``, ``files``: cookies on disk

The jar is written anew and does not extend ``aiohttp.CookieJar`` (3.14.5), which was measured first. That one takes
cookies for ``co.uk`` and for a whole top-level domain; takes Secure cookies from insecure origins, and lets these
replace them; does not know the prefixes ``__Secure-`` and ``__Host-``; reads "2021 Jun 9 10:18:14" as no date; sends
a value ``a/b`` back as ``"a/b"``; drops all but one of two cookies with one name; does not order them by age; matches
percent-decoded paths; unpickles. To mend these is to replace parsing, storing and selecting, which is all of it. What
goes to a server is one text that is kept between requests: under a microsecond where building a ``SimpleCookie`` of ten
cookies takes nine, and the same with ten thousand in the jar.
"""

from .dummy import DummyCookieJar
from .jar import CookieJar

__all__ = ("CookieJar", "DummyCookieJar")
