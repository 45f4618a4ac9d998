"""WebSocket (RFC 6455) with permessage-deflate (RFC 7692), the client's side.

- ``handshake``: the fields of the opening request, and what its answer must say;
- ``frames``: opcodes, close codes, and the bytes of the frames that go out;
- ``reader``: bytes in, messages out;
- ``deflate``: the compression of messages, offered, agreed and done;
- ``message_waiter``: how a task waits for the next message;
- ``connection``: all of it on a connection that has switched protocols.

All but the last two are without I/O.
"""
