"""Payloads of protocol extensions, read and written: archives, forms, forwarding, delay and the like."""
