"""SMPP 3.4 (Short Message Peer to Peer, issue 1.2): values, bytes, a session and its window."""
