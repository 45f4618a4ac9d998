"""WebSocket (RFC 6455) with permessage-deflate (RFC 7692), the client's side.

- ``handshake``: the fields of the opening request, and the check of its answer;
- ``frames``: opcodes, close codes, and the bytes of outgoing frames;
- ``reader``: from bytes to messages; ``message_parts``: messages in several frames;
- ``deflate``: the compression of messages: offer, agreement and use;
- ``message_waiter``: the wait of a task for the next message; ``send_progress``: what the peer has received;
- ``connection``: all of it on a connection that has switched protocols.

All but the last three are without I/O.
"""
