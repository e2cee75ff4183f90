"""Mail messages (RFC 5322, 2045 to 2047, 3464): read, written, and as text."""
