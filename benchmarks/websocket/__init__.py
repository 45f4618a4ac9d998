"""What a WebSocket message costs: ``python -m benchmarks.websocket``."""
