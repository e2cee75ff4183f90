"""Gateways: external components (XEP-0114) that translate to a foreign network."""
