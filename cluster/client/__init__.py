"""A blocking XMPP client on plain sockets, for commands and load users; gevent may patch what it runs on."""
