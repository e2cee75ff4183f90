"""Payloads of protocol extensions, parsed and written: archives, forms, forwarding, delay and others."""
