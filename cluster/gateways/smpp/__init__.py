"""SMPP 3.4 (Short Message Peer to Peer, issue 1.2) as bytes and values: no sockets, no clock."""
