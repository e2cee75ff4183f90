"""Streams (RFC 6120 sections 4 to 7, XEP-0114, XEP-0198): their states, features, headers, logins and stanzas."""
