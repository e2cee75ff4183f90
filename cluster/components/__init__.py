"""What a program needs that serves a domain from outside of the server (XEP-0114): a connection, a runtime, answers."""
