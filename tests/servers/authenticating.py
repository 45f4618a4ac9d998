"""Servers that want credentials: Apache and lighttpd with digests; where one asks, it is for `user` and `pass word`."""

import os
from collections.abc import Sequence
from hashlib import md5

from .daemon import Daemon

Arguments = Sequence[str | os.PathLike[str]]

USER, PASSWORD, REALM = "user", "pass word", "a realm"


class ApacheDigest(Daemon):
    """Apache with mod_auth_digest, which knows MD5 and `auth`.

    `/short/` has nonces that are over after a second, `/once/` gives the next one with each answer.
    """

    command = package = "apache2"

    def arguments(self) -> Arguments:
        """Write the configuration, the users and what is served."""
        modules = "\n".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
            for name in (
                "mpm_event",
                "authz_core",
                "authz_user",
                "authn_core",
                "authn_file",
                "auth_digest",
            )
        )
        root = self.folder / "root"
        for name in ("long", "once"):
            (root / name).mkdir(parents=True, exist_ok=True)
            (root / name / "file").write_text("welcome")
        secret = md5(f"{USER}:{REALM}:{PASSWORD}".encode()).hexdigest()
        (self.folder / "digests").write_text(f"{USER}:{REALM}:{secret}\n")
        config = self.folder / "apache.conf"
        config.write_text(f"""
            {modules}
            ServerName localhost
            ServerRoot {self.folder}
            DefaultRuntimeDir {self.folder}
            PidFile {self.folder}/apache.pid
            ErrorLog {self.folder}/error.log
            Listen 127.0.0.1:{self.ports["port"]}
            DocumentRoot {root}
            KeepAlive On
            <Location />
                AuthType Digest
                AuthName "{REALM}"
                AuthDigestProvider file
                AuthUserFile {self.folder}/digests
                AuthDigestDomain /
                Require valid-user
            </Location>
            <Location /once>
                AuthDigestNonceLifetime 0
            </Location>
        """)
        return ["-f", config, "-D", "FOREGROUND"]


class LighttpdDigest(Daemon):
    """lighttpd, whose digests are SHA-256 or MD5: it offers both, and takes one."""

    command = package = "lighttpd"

    def arguments(self) -> Arguments:
        """Write the configuration, the users and what is served."""
        root = self.folder / "root"
        root.mkdir(exist_ok=True)
        (root / "file").write_text("welcome")
        (self.folder / "users").write_text(f"{USER}:{PASSWORD}\n")
        config = self.folder / "lighttpd.conf"
        config.write_text(f"""
            server.modules = ("mod_auth", "mod_authn_file")
            server.bind = "127.0.0.1"
            server.port = {self.ports["port"]}
            server.document-root = "{root}"
            server.errorlog = "{self.folder}/error.log"
            mimetype.assign = ("" => "text/plain")
            auth.backend = "plain"
            auth.backend.plain.userfile = "{self.folder}/users"
            auth.require = ("/" => (
                "method" => "digest", "algorithm" => "SHA-256", "realm" => "{REALM}", "require" => "valid-user"
            ))
        """)
        return ["-D", "-f", config]
