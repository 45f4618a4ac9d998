"""Which origins share a connection: none but equal ones (RFC 9113, section 9.1.1, allows more)."""

import pytest

from aioclient import ClientSession, TCPConnector
from aioclient.testing import H2Connection, H2Server

from ...loopback import Loopback
from ...servers.certificates import Certificates


@pytest.mark.both_loops
@pytest.mark.rows("H2-14")
@pytest.mark.parametrize("status", [200, 421])
async def test_each_has_its_own(certificates: Certificates, status: int) -> None:
    """Two names of one server have a connection each, though its certificate is good for both; 421 is delivered."""

    async def script(conn: H2Connection) -> None:
        while True:
            request = await conn.read_request()
            await conn.respond(request.stream_id, status, body=request.authority.encode())

    context = certificates.server_context()
    context.set_alpn_protocols(["h2"])
    tls = certificates.client_context()
    tls.set_alpn_protocols(["h2", "http/1.1"])
    connector = TCPConnector(ssl=tls, resolver=Loopback())
    async with (
        H2Server(script, ssl=context) as server,
        ClientSession(http2=True, connector=connector) as session,
    ):
        for _ in range(2):
            for name in ("a.test", "b.test"):
                async with session.get(server.url(host=name)) as response:
                    assert response.status == status
                    assert await response.text() == f"{name}:{server.port}"
        assert server.connections == 2
