"""One domain's XMPP server: client streams, sessions, delivery, presence, and the modules it hosts."""
