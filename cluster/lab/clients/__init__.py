"""The accounts of a lab, and logins as one of them."""
