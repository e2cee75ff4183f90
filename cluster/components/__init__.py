"""What a program needs that serves a domain as an external component (XEP-0114): a connection, a runtime, answers."""
