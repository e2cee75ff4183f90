"""Client streams over TCP and WebSocket."""
