"""The checker of `xmpplab verify`: runs a scenario against a lab, and accounts for every message."""
