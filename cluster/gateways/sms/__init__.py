"""The SMS gateway (G1): XMPP on one side, an SMPP message centre on the other."""
