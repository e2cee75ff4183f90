"""The lab's mail host: a foreign network with mailboxes, which speaks SMTP."""
