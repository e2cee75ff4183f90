"""Streams of clients over TCP and WebSocket."""
