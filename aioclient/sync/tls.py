"""``verify=`` and ``cert=`` as requests has them, made the one setting that connections are made with."""

import errno
import os
import ssl
from functools import lru_cache
from os import PathLike
from pathlib import Path

Verify = bool | str | PathLike[str] | ssl.SSLContext
"""Whether certificates are verified; a path of a file or folder of authorities; or a context."""
Cert = str | PathLike[str] | tuple[str | PathLike[str], str | PathLike[str]] | None
"""The client's certificate: a file that holds its key, too, or the files of both."""


def tls_setting(verify: Verify, cert: Cert) -> bool | ssl.SSLContext:
    """Return the equivalent value for ``ssl=`` of an asynchronous session.

    Raises:
        TypeError: *verify* or *cert* is not of its kind.
        ValueError: *cert* is given beside a context, which has it already.
        OSError: a file is missing, or not readable.
        ssl.SSLError: a file holds no certificate or key, or the key is another's.
    """
    if isinstance(verify, ssl.SSLContext):
        if cert is not None:
            raise ValueError(
                "cert= and a context as verify=: load the certificate into the context"
            )
        return verify
    if isinstance(verify, bool) and cert is None:
        return verify
    given: object = verify
    if not isinstance(given, (bool, str, PathLike)):
        raise TypeError(
            f"verify must be a bool, a path or an SSLContext, found {type(verify).__name__}"
        )
    authorities = verify if isinstance(verify, bool) else os.fspath(verify)
    if isinstance(authorities, str) and not Path(authorities).exists():
        raise _missing("verify", authorities, "a file or folder of certificate authorities")
    if cert is None:
        return _context(authorities, None)
    pair: tuple[object, ...] = cert if isinstance(cert, tuple) else (cert, cert)
    paths = [os.fspath(each) for each in pair if isinstance(each, (str, PathLike))]
    if len(pair) != 2 or len(paths) != 2:
        raise TypeError("cert must be a path, or the paths (certificate, key)")
    for path in paths:
        if not Path(path).is_file():
            raise _missing(
                "cert", path, "a file with a certificate and its key, or a pair of files"
            )
    return _context(authorities, (paths[0], paths[1]))


def _missing(argument: str, path: str, wanted: str) -> OSError:
    return FileNotFoundError(
        errno.ENOENT, f"{argument}= must be the path of {wanted}; not found", path
    )


@lru_cache(64)
def _context(authorities: bool | str, pair: tuple[str, str] | None) -> ssl.SSLContext:
    if isinstance(authorities, str):
        folder = Path(authorities).is_dir()
        context = ssl.create_default_context(
            cafile=None if folder else authorities, capath=authorities if folder else None
        )
    else:
        context = ssl.create_default_context()
        if not authorities:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
    if pair is not None:
        certificate, key = pair
        context.load_cert_chain(certificate, None if key == certificate else key)
    return context
