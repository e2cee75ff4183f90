"""SMTP (RFC 5321): sending with a queue, receiving, and the storage of both."""
