"""A federated XMPP network on one desk (see docs/architecture.md)."""
