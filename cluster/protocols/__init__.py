"""Wire protocols and formats that are not XMPP: SMPP, SMTP, mail messages."""
