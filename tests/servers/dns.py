"""A DNS server in the test's event loop: UDP and TCP on one port of 127.0.0.1, records and failures as told.

    async with DNSServer({"a.test": ["127.0.0.1", "::1"]}, ttl=60) as server:
        resolver = DefaultResolver(nameservers=[server.address])

`asked` has the name and type of each question, `over_tcp` those that came over TCP. A name that is not known does not
exist (NXDOMAIN), with a negative TTL of an hour.
"""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, cast

import dnslib
from dnslib import AAAA, QTYPE, RCODE, RR, SOA, A, DNSRecord

HOUR = 3600


class DNSServer:
    """Answers from `names`: a list of addresses, a name of `dnslib.RCODE`, "silence", or another name (CNAME).

    Attributes:
        names: May be changed at any time.
        ttl: Seconds, of all records.
        cname_ttl: Seconds, of CNAME records; None for `ttl`.
        truncate: Answers over UDP say that they are truncated, and hold nothing.
    """

    def __init__(self, names: Mapping[str, Sequence[str] | str], *, ttl: int = 60) -> None:
        self.names = dict(names)
        self.ttl = ttl
        self.cname_ttl: int | None = None
        self.truncate = False
        self.asked: list[tuple[str, str]] = []
        self.over_tcp: list[tuple[str, str]] = []
        self._port = 0
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def address(self) -> str:
        """Address and port, as resolvers take them."""
        return f"127.0.0.1:{self._port}"

    def questions(self, name: str) -> list[str]:
        """Return the types that were asked of a name, sorted."""
        return sorted(kind for asked, kind in self.asked if asked == name)

    def answer(self, query: bytes, *, tcp: bool = False) -> bytes | None:
        """Return the answer to a query; None for silence."""
        request = DNSRecord.parse(query)
        name = str(request.q.qname).rstrip(".").lower()
        kind = QTYPE[request.q.qtype]
        self.asked.append((name, kind))
        if tcp:
            self.over_tcp.append((name, kind))
        found = self.names.get(name, "NXDOMAIN")
        reply = request.reply()
        if found == "silence":
            return None
        if self.truncate and not tcp:
            reply.header.tc = 1
        elif isinstance(found, str) and found in RCODE.reverse:
            reply.header.rcode = RCODE.reverse[found]
            times = (1, HOUR, HOUR, HOUR, HOUR)
            reply.add_auth(
                RR("test", QTYPE.SOA, rdata=SOA("ns.test", "root.test", times), ttl=HOUR)
            )
        else:
            self._fill(reply, name, kind, found)
        return cast(bytes, reply.pack())

    def _fill(self, reply: Any, name: str, kind: str, found: Sequence[str] | str) -> None:
        while isinstance(found, str):
            ttl = self.ttl if self.cname_ttl is None else self.cname_ttl
            reply.add_answer(RR(name, QTYPE.CNAME, rdata=dnslib.CNAME(found), ttl=ttl))
            name, found = found, self.names[found]
        for address in found:
            if (":" in address) == (kind == "AAAA"):
                data = AAAA(address) if kind == "AAAA" else A(address)
                reply.add_answer(RR(name, request_type(kind), rdata=data, ttl=self.ttl))

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for _ in range(10):  # somebody may hold the TCP port of the same number
            self._udp, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self), local_addr=("127.0.0.1", 0)
            )
            self._port = self._udp.get_extra_info("sockname")[1]
            try:
                self._tcp = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
            except OSError:
                self._udp.close()
                continue
            return self
        raise RuntimeError("no port is free for both UDP and TCP")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._udp is not None
        assert self._tcp is not None
        self._udp.close()
        self._tcp.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for writer in self._writers:
            writer.close()
        await asyncio.gather(
            *(writer.wait_closed() for writer in self._writers), return_exceptions=True
        )
        await self._tcp.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                answer = self.answer(await reader.readexactly(size), tcp=True)
                if answer is not None:
                    writer.write(len(answer).to_bytes(2, "big") + answer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()


def request_type(kind: str) -> int:
    """Return the number of a record type."""
    return cast(int, QTYPE.reverse[kind])


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DNSServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        assert self._transport is not None
        answer = self._server.answer(data)
        if answer is not None:
            self._transport.sendto(answer, addr)


def closed_port() -> int:
    """Return a UDP port at which nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return cast(int, sock.getsockname()[1])
