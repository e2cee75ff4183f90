"""A stranger's test: a small XMPP client with a ledger of its own, which shares no code with the lab that it tries.

It knows the lab by its command (`xmpplab up`, `ps`, `scale`) and by its ports only. `make torture` runs it.
"""
