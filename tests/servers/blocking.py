"""A server in threads: what it has sent lies in the client's socket while the client's event loop does something else.

The servers of `aioclient.testing` share the client's event loop; there the client reads as soon as they have written.
"""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """One connection of the server; its script runs in a thread. `index` counts connections from 0."""

    def __init__(self, sock: socket.socket, index: int) -> None:
        self.sock = sock
        self.index = index
        self._data = b""

    def read_head(self) -> bytes:
        """Return the next request head, with the empty line; raises ConnectionError at the end."""
        while b"\r\n\r\n" not in self._data:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionResetError("the client has closed the connection")
            self._data += data
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def read_body(self, size: int) -> bytes:
        """Return *size* bytes of a body."""
        while len(self._data) < size:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionResetError("the client has closed the connection")
            self._data += data
        body, self._data = self._data[:size], self._data[size:]
        return body

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def end(self) -> None:
        """Send a FIN; with TLS without a goodbye."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with an RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_closed(self) -> None:
        """Return when the client has closed the connection."""
        while self.sock.recv(65536):
            pass


Script = Callable[[Peer], None]


class BlockingServer:
    """Runs *script* in a thread for each connection, which is closed when the script ends.

    `connections` counts them. What a script raises but an `OSError` is raised when the server ends. *receive_buffer* is
    the size of its sockets' in bytes, None for the system's.
    """

    def __init__(
        self,
        script: Script,
        context: ssl.SSLContext | None = None,
        *,
        receive_buffer: int | None = None,
    ) -> None:
        self._script = script
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._errors: list[BaseException] = []
        self._ended = False
        self.connections = 0

    def url(self, path: str = "/") -> str:
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}{path}"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self._ended:
                sock.close()
                return
            index = self.connections
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock, index), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, index: int) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            self._open.append(sock)
            self._script(Peer(sock, index))
        except OSError:
            pass  # the client has gone
        except BaseException as error:  # noqa: BLE001  (raised in the test)
            self._errors.append(error)
        finally:
            sock.close()

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._accept, daemon=True)
        self._threads.append(thread)
        thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended = True
        with contextlib.suppress(OSError):
            # A blocked accept() does not hear of close().
            socket.create_connection(self._listener.getsockname(), 5).close()
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        if self._errors and error is None:
            raise self._errors[0]
