"""External components (XEP-0114), as their domain has them."""
