"""External components (XEP-0114), on the side of their domain."""
