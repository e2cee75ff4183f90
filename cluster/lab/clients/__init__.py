"""The accounts of a lab, and logging in as one of them."""
