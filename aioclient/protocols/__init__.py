"""The protocols of one connection: HTTP/1.1, HTTP/2, WebSocket."""
