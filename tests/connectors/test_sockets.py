"""Sockets over real loopback addresses."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import pytest
from aiohappyeyeballs import AddrInfoType
from aiohttp.abc import ResolveResult

from aioclient.connectors.sockets import addr_infos_of, open_socket
from aioclient.testing import cancel_everywhere

pytestmark = pytest.mark.both_loops

has_ipv6 = socket.has_ipv6
if has_ipv6:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            has_ipv6 = False

needs_ipv6 = pytest.mark.skipif(not has_ipv6, reason="no ::1 on this machine")


@contextlib.contextmanager
def listening(host: str, port: int = 0, backlog: int = 8) -> Iterator[int]:
    """A socket that listens and accepts nothing: connecting succeeds all the same."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((host, port))
        server.listen(backlog)
        yield server.getsockname()[1]


@contextlib.contextmanager
def refusing(host: str = "127.0.0.1") -> Iterator[int]:
    """A port that is bound by somebody who does not listen: it refuses."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((host, 0))
        yield server.getsockname()[1]


def infos(*addresses: tuple[str, int]) -> list[AddrInfoType]:
    return addr_infos_of(found(host, port) for host, port in addresses)


def found(host: str, port: int) -> ResolveResult:
    return ResolveResult(hostname="a.test", host=host, port=port, family=0, proto=0, flags=0)


class TestAddresses:
    def test_the_address_says_its_family(self) -> None:
        """What a resolver found becomes what sockets take, by the address and not by its word."""
        four, six = infos(("127.0.0.1", 80), ("fe80::1%7", 443))
        assert four == (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
        assert six == (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 443, 0, 7))

    def test_a_zone_is_an_interface(self) -> None:
        """A zone (RFC 4007) is the number or the name of an interface; none is 0."""
        name = socket.if_nameindex()[0][1]
        found = infos(("fe80::1%7", 80), (f"fe80::1%{name}", 80), ("fe80::1", 80))
        assert [info[4][3:] for info in found] == [(7,), (socket.if_nametoindex(name),), (0,)]

    def test_a_zone_that_is_no_interface(self) -> None:
        """An address in a zone that this machine does not have is left out; when none is left, it raises."""
        with pytest.raises(OSError, match="'nowhere0' is not an interface of") as raised:
            infos(("fe80::1%nowhere0", 80))
        assert raised.value.errno == errno.ENODEV
        left = infos(("fe80::1%nowhere0", 80), ("127.0.0.1", 80), ("fe80::2%nowhere1", 80))
        assert [info[4] for info in left] == [("127.0.0.1", 80)]

    def test_no_address(self) -> None:
        """Nothing found becomes nothing, and the attempt says so."""
        assert infos() == []


class TestConnecting:
    async def test_options(self) -> None:
        """The socket is connected, non-blocking, without delay and with keep-alive probes."""
        with listening("127.0.0.1") as port, await open_socket(infos(("127.0.0.1", port))) as sock:
            assert sock.getpeername() == ("127.0.0.1", port)
            assert not sock.getblocking()
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    @pytest.mark.parametrize("delay", [None, 0.25, 300])
    async def test_a_refusal_leads_to_the_next(self, delay: float | None) -> None:
        """When an address refuses the next one is tried at once, not after the delay."""
        with refusing() as bad, listening("127.0.0.1") as good:
            addresses = infos(("127.0.0.1", bad), ("127.0.0.1", good))
            with await open_socket(addresses, happy_eyeballs_delay=delay) as sock:
                assert sock.getpeername() == ("127.0.0.1", good)

    async def test_all_refuse(self) -> None:
        """When all addresses refuse the error names each of them."""
        with refusing() as one, refusing() as two:
            addresses = infos(("127.0.0.1", one), ("127.0.0.1", two))
            with pytest.raises(OSError, match=f"{one}.*{two}"):
                await open_socket(addresses)

    async def test_one_refuses(self) -> None:
        """A single refusal raises as what it is."""
        with refusing() as port, pytest.raises(ConnectionRefusedError):
            await open_socket(infos(("127.0.0.1", port)))

    async def test_no_address(self) -> None:
        """Without an address there is nothing to try."""
        with pytest.raises(ValueError, match="addr_infos"):
            await open_socket([])

    async def test_a_local_address(self) -> None:
        """The socket is bound to the local address asked for."""
        with listening("127.0.0.1") as port:
            addresses = infos(("127.0.0.1", port))
            with await open_socket(addresses, local_addr=("127.0.0.2", 0)) as sock:
                assert sock.getsockname()[0] == "127.0.0.2"

    async def test_a_local_address_of_another_family(self) -> None:
        """A local address that fits no address raises."""
        with listening("127.0.0.1") as port, pytest.raises(OSError, match="no matching local"):
            await open_socket(infos(("127.0.0.1", port)), local_addr=("::1", 0))


@needs_ipv6
class TestHappyEyeballs:
    async def test_both_families_listen(self) -> None:
        """Of two families that answer, the first one in the list is taken."""
        with listening("::1") as six, listening("127.0.0.1") as four:
            places = [("::1", six), ("127.0.0.1", four)]
            for order in (places, places[::-1]):
                with await open_socket(infos(*order)) as sock:
                    assert sock.getpeername()[:2] == order[0]

    async def test_one_family_refuses(self) -> None:
        """A server that listens on IPv4 only is reached although ::1 comes first."""
        with refusing("::1") as bad, listening("127.0.0.1") as good:
            addresses = infos(("::1", bad), ("127.0.0.1", good))
            with await open_socket(addresses) as sock:
                assert sock.getpeername() == ("127.0.0.1", good)

    @pytest.mark.parametrize(("interleave", "second"), [(None, "127.0.0.1"), (2, "::1")])
    async def test_interleave(self, interleave: int | None, second: str) -> None:
        """After the first address comes the other family, or as many of the first as asked for."""
        with refusing("::1") as bad, listening("::1") as six, listening("127.0.0.1") as four:
            addresses = infos(("::1", bad), ("::1", six), ("127.0.0.1", four))
            with await open_socket(addresses, interleave=interleave) as sock:
                assert sock.getpeername()[0] == second


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port whose queue is full: connecting to it gets no answer."""
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(listening("127.0.0.1", backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port


class TestCancellation:
    """Wherever the caller is cancelled, no socket stays open."""

    @pytest.mark.parametrize("delay", [None, 0.25])
    async def test_a_simple_dial(self, delay: float | None) -> None:
        """At every await of a dial that would succeed."""
        with listening("127.0.0.1", backlog=64) as port:

            async def scenario() -> None:
                (await open_socket(infos(("127.0.0.1", port)), happy_eyeballs_delay=delay)).close()

            await cancel_everywhere(scenario)

    async def test_a_second_attempt(self) -> None:
        """At every await of a dial whose first address refuses."""
        with refusing() as bad, listening("127.0.0.1", backlog=64) as good:

            async def scenario() -> None:
                (await open_socket(infos(("127.0.0.1", bad), ("127.0.0.1", good)))).close()

            assert await cancel_everywhere(scenario, moments=("suspended", "resumed", "soon")) > 1

    async def test_a_race(self) -> None:
        """At every await of a dial whose first address is silent while the second one answers."""
        with silent() as bad, listening("127.0.0.1", backlog=64) as good:
            addresses = infos(("127.0.0.1", bad), ("127.0.0.1", good))

            async def scenario() -> None:
                (await open_socket(addresses, happy_eyeballs_delay=0.001)).close()

            assert await cancel_everywhere(scenario, moments=("suspended", "resumed", "soon")) > 1

    async def test_nobody_answers(self) -> None:
        """While all attempts are under way."""
        with silent() as one, silent() as two:
            addresses = infos(("127.0.0.1", one), ("127.0.0.1", two))
            dial = asyncio.create_task(open_socket(addresses, happy_eyeballs_delay=0.001))
            for _ in range(10):
                await asyncio.sleep(0)
            dial.cancel()
            with pytest.raises(asyncio.CancelledError):
                await dial
