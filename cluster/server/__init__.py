"""The XMPP server of one domain: client streams, sessions, delivery, presence, and its modules."""
