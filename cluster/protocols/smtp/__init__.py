"""SMTP (RFC 5321): sending with a queue, receiving, and what both keep."""
