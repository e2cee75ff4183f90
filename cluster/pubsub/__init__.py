"""Publish-subscribe (XEP-0060): one core for services of their own and for the accounts (XEP-0163)."""
