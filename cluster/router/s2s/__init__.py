"""Links over XML streams between servers (RFC 6120, XEP-0220): the second implementation of the router's port."""
