"""The streams between servers, both sides (RFC 6120, XEP-0178, XEP-0198, XEP-0220): bytes in, events and bytes out."""
