"""Real proxies: squid, tinyproxy with stunnel before it, microsocks and dante.

Where one wants credentials they are `user` and `pass`.
"""

import os
import shutil
import signal
from collections.abc import Sequence
from hashlib import md5
from pathlib import Path

from .certificates import Certificates
from .daemon import Daemon

LOGIN = ("user", "pass")
# Made by `openssl passwd -1 -salt salt pass`.
_CRYPTED = "user:$1$salt$M6xQvx9eSlM4zTu69di5B/\n"

Arguments = Sequence[str | os.PathLike[str]]


class Squid(Daemon):
    """An HTTP proxy: anybody may use `open`; `closed` wants Basic or Digest credentials.

    It knows `a.test`, which is 127.0.0.1, and goes to no other machine.
    """

    command = package = "squid"
    port_names = ("open", "closed")
    end_signal = signal.SIGKILL  # it has nothing to save, and takes 2 s to end by itself

    def arguments(self) -> Arguments:
        """Write the configuration and the password files."""
        (self.folder / "passwords").write_text(_CRYPTED)
        secret = md5(b"user:squid:pass").hexdigest()
        (self.folder / "digests").write_text(f"user:squid:{secret}\n")
        (self.folder / "hosts").write_text("127.0.0.1 localhost a.test\n")
        config = self.folder / "squid.conf"
        config.write_text(f"""
            http_port 127.0.0.1:{self.ports["open"]}
            http_port 127.0.0.1:{self.ports["closed"]}
            pid_filename none
            shutdown_lifetime 0 seconds
            visible_hostname localhost
            hosts_file {self.folder}/hosts
            dns_nameservers 127.0.0.1
            cache_log {self.folder}/cache.log
            access_log none
            netdb_filename none
            pinger_enable off
            coredump_dir {self.folder}
            cache deny all
            cache_mem 1 MB
            max_filedescriptors 1024
            auth_param digest program /usr/lib/squid/digest_file_auth -c {self.folder}/digests
            auth_param digest realm squid
            auth_param digest children 1 startup=1
            auth_param basic program /usr/lib/squid/basic_ncsa_auth {self.folder}/passwords
            auth_param basic realm squid
            auth_param basic children 1 startup=1
            acl closed localport {self.ports["closed"]}
            acl known proxy_auth REQUIRED
            acl here dst 127.0.0.0/8
            http_access deny !here
            http_access deny closed !known
            http_access allow all
        """)
        return ["-N", "-f", config]


class Tinyproxy(Daemon):
    """An HTTP proxy that wants Basic credentials."""

    command = package = "tinyproxy"

    def arguments(self) -> Arguments:
        """Write the configuration."""
        config = self.folder / "tinyproxy.conf"
        config.write_text(f"""
Port {self.ports["port"]}
Listen 127.0.0.1
Timeout 60
MaxClients 100
LogFile "{self.folder}/tinyproxy.log"
LogLevel Error
BasicAuth {LOGIN[0]} {LOGIN[1]}
""")
        return ["-d", "-c", config]


class Stunnel(Daemon):
    """TLS, with the certificate of `Certificates`, in front of a port of 127.0.0.1."""

    command = package = "stunnel4"

    def __init__(self, certificates: Certificates, behind: int) -> None:
        super().__init__()
        self._certificates = certificates
        self._behind = behind

    def arguments(self) -> Arguments:
        """Write the configuration, and the certificate where the program may read it."""
        for path in (self._certificates.cert_file, self._certificates.key_file):
            shutil.copy(path, self.folder)
        config = self.folder / "stunnel.conf"
        config.write_text(f"""
foreground = yes
pid =
[proxy]
accept = 127.0.0.1:{self.ports["port"]}
connect = 127.0.0.1:{self._behind}
cert = {self.folder / self._certificates.cert_file.name}
key = {self.folder / self._certificates.key_file.name}
""")
        return [config]


class Microsocks(Daemon):
    """A SOCKS5 proxy, with a login or without."""

    command = package = "microsocks"

    def __init__(self, login: tuple[str, str] | None = None) -> None:
        super().__init__()
        self._login = login

    def arguments(self) -> Arguments:
        """Return the options; there is no file."""
        login = [] if self._login is None else ["-u", self._login[0], "-P", self._login[1]]
        return ["-i", "127.0.0.1", "-p", str(self.ports["port"]), *login]


class Dante(Daemon):
    """A proxy for SOCKS4, SOCKS4a and SOCKS5; it goes to no other machine."""

    command = "danted"
    package = "dante-server"

    def arguments(self) -> Arguments:
        """Write the configuration."""
        config = self.folder / "danted.conf"
        config.write_text(f"""
logoutput: {self.folder}/danted.log
internal: 127.0.0.1 port = {self.ports["port"]}
external: 127.0.0.1
clientmethod: none
socksmethod: none
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks pass {{ from: 127.0.0.0/8 to: 127.0.0.0/8 protocol: tcp }}
socks pass {{ from: 127.0.0.0/8 to: localhost protocol: tcp }}
""")
        return ["-f", config, "-p", Path(self.folder / "danted.pid")]
